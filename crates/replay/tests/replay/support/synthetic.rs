//! A transport stream made for one purpose: every property that a test may need is an option, and
//! every unit that was written is known afterwards.
//!
//! The pictures are H.264 as far as anybody looks who does not decode: delimiter, real parameter
//! sets, recovery point, a slice header. Their content is noise that no two pictures share.

use std::collections::HashMap;
use std::sync::OnceLock;

use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, PACKET_LEN, Packet, Pcr, Pid, Ticks, Unit};
use lookback_testcard::{Config, TestCard};

/// Ticks from picture to picture, unless the options say otherwise.
pub(crate) const FRAME: Ticks = Ticks(3600);

/// Ticks of one sound frame.
pub(crate) const SOUND_FRAME: Ticks = Ticks(1920);

pub(crate) const VIDEO_PID: u16 = 0x100;
pub(crate) const SOUND_PID: u16 = 0x101;
pub(crate) const PMT_PID: u16 = 0x1000;
const DATA_PID: u16 = 0x300;

/// What a stream is like.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Goes into every unit, and so tells the units of one stream from those of another.
    pub(crate) id: u8,
    pub(crate) video: bool,
    /// Anchors (pictures that others refer to) from key to key.
    pub(crate) gop: usize,
    /// Pictures between two anchors, which are decoded after both.
    pub(crate) b_pictures: usize,
    /// Keys but the first are no IDR pictures, and the pictures shown before them refer across them.
    pub(crate) open: bool,
    /// Parameter sets come with the first key only.
    pub(crate) parameters_once: bool,
    /// There is no key but the first; with `gop` 0 not even that.
    pub(crate) one_key: bool,
    /// DTS of the first picture.
    pub(crate) start: Ticks,
    pub(crate) sound_tracks: usize,
    /// How much later than pictures of the same time sound comes in the bytes; earlier if negative.
    pub(crate) sound_delay: Ticks,
    /// Sound frames in one unit.
    pub(crate) sound_frames: usize,
    /// Sampling frequency index of the sound.
    pub(crate) sound_rate: u8,
    /// Video units tell their length.
    pub(crate) bounded: bool,
    /// From picture to picture.
    pub(crate) frame: Ticks,
    /// Pictures are from 20 to so many bytes long.
    pub(crate) picture_len: usize,
    /// The packets of several units are mixed.
    pub(crate) interleaved: bool,
    /// Null packets and packets of a PID that no table names come in between.
    pub(crate) fillers: bool,
    /// Other programs are in the stream too.
    pub(crate) other_programs: usize,
    /// Width of the pictures as their parameter sets have it.
    pub(crate) width: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            id: 0,
            video: true,
            gop: 10,
            b_pictures: 0,
            open: false,
            parameters_once: false,
            one_key: false,
            start: Ticks(90_000),
            sound_tracks: 1,
            sound_delay: Ticks(0),
            sound_frames: 1,
            sound_rate: 3,
            bounded: false,
            frame: FRAME,
            picture_len: 3000,
            interleaved: false,
            fillers: false,
            other_programs: 0,
            width: 320,
        }
    }
}

/// A unit that was written.
#[derive(Clone, Debug)]
pub(crate) struct SentUnit {
    pub(crate) id: u8,
    pub(crate) pid: u16,
    /// Counts the units of one PID in the order in which they were sent.
    pub(crate) number: usize,
    pub(crate) pts: Ticks,
    pub(crate) dts: Ticks,
    pub(crate) key: bool,
    pub(crate) has_parameters: bool,
    pub(crate) payload: Vec<u8>,
}

/// Units that were written, by their bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) units: Vec<SentUnit>,
    by_payload: HashMap<Vec<u8>, usize>,
}

impl Sent {
    pub(crate) fn push(&mut self, unit: SentUnit) {
        self.by_payload
            .insert(unit.payload.clone(), self.units.len());
        self.units.push(unit);
    }

    pub(crate) fn find(&self, payload: &[u8]) -> Option<&SentUnit> {
        self.by_payload.get(payload).map(|&at| &self.units[at])
    }

    /// The pictures, in the order in which they were sent.
    pub(crate) fn pictures(&self) -> impl DoubleEndedIterator<Item = &SentUnit> {
        self.units.iter().filter(|unit| unit.pid == VIDEO_PID)
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for unit in &other.units {
            self.push(unit.clone());
        }
    }
}

/// A piece of a stream: what is due at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// From the first picture's DTS on.
    pub(crate) due: Ticks,
    pub(crate) bytes: Vec<u8>,
}

/// Writes the stream, picture by picture.
pub(crate) struct Synthetic {
    options: Options,
    muxer: Muxer,
    others: Vec<Muxer>,
    /// Pictures written so far on this timeline.
    pictures: usize,
    /// Sound units written so far on this timeline, of each track.
    sounds: usize,
    /// Numbers of the next units.
    next_picture: usize,
    next_sound: usize,
    noise: Noise,
    data_counter: u8,
    /// Packets that come later than the unit they belong to was begun.
    held_back: Vec<u8>,
    pub(crate) sent: Sent,
}

impl Synthetic {
    pub(crate) fn new(options: Options) -> Self {
        let other = |n: usize| {
            Muxer::new(MuxerConfig {
                program_number: 100 + n as u16,
                pmt_pid: Pid::new(0x1100 + n as u16),
                streams: vec![mux_stream(0x200 + n as u16, 0x0f, 0xc0)],
                ..MuxerConfig::default()
            })
        };
        Self {
            muxer: Muxer::new(program(&options)),
            others: (0..options.other_programs).map(other).collect(),
            pictures: 0,
            sounds: 0,
            next_picture: 0,
            next_sound: 0,
            noise: Noise(u64::from(options.id) + 1),
            data_counter: 0,
            held_back: Vec::new(),
            sent: Sent::default(),
            options,
        }
    }

    /// Goes on with other properties from here on, on a timeline that begins at `options.start`; the
    /// counters of the packets go on.
    pub(crate) fn change(&mut self, options: Options) {
        self.muxer.set_program(program(&options));
        self.pictures = 0;
        self.sounds = 0;
        self.options = options;
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// The next `count` pictures, with the sound that comes with them.
    pub(crate) fn parts(&mut self, count: usize) -> Vec<Part> {
        (0..count).map(|_| self.part()).collect()
    }

    /// Like [`Self::parts`], in one piece.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        self.parts(count)
            .into_iter()
            .flat_map(|part| part.bytes)
            .collect()
    }

    /// The next picture, with the sound that comes with it.
    pub(crate) fn part(&mut self) -> Part {
        let frame = self.options.frame;
        let due = Ticks(self.pictures as i64 * frame.0);
        let mut bytes = Vec::new();
        let shape = Shape::of(&self.options, self.pictures);
        if shape.key || self.pictures.is_multiple_of(4) {
            self.tables(&mut bytes);
        }
        let mut video = Vec::new();
        if self.options.video {
            self.picture(shape, due, &mut video);
        }
        self.pictures += 1;
        let mut sound = std::mem::take(&mut self.held_back);
        while self.sound_due() < due + frame {
            self.sound(&mut sound);
        }
        if self.options.interleaved {
            self.mix(&video, &sound, &mut bytes);
        } else {
            bytes.extend(video);
            bytes.extend(sound);
        }
        if self.options.fillers {
            self.fillers(&mut bytes);
        }
        Part { due, bytes }
    }

    fn tables(&mut self, bytes: &mut Vec<u8>) {
        if self.others.is_empty() {
            return self.muxer.write_tables(bytes);
        }
        // One PAT names them all; the maps are those that each muxer writes.
        let mut own = Vec::new();
        self.muxer.write_tables(&mut own);
        let (pat, map) = own.split_at(PACKET_LEN);
        let counter = pat[3] & 0x0f;
        let config = self.muxer.config();
        let programs = self
            .others
            .iter()
            .map(|muxer| muxer.config())
            .chain([config]);
        let section = lookback_mpegts::Pat {
            transport_stream_id: 1,
            version: 0,
            current: true,
            programs: programs
                .map(|config| (config.program_number, config.pmt_pid))
                .collect(),
        }
        .section();
        lookback_mpegts::packetize_section(&section, Pid::PAT, counter, bytes);
        for (n, other) in self.others.iter_mut().enumerate() {
            let mut tables = Vec::new();
            other.write_tables(&mut tables);
            bytes.extend_from_slice(&tables[PACKET_LEN..]);
            let payload = adts(3, &[n as u8 + 1; 50]);
            let pts = self.options.start;
            let unit = Unit {
                stream: 0,
                pts,
                dts: pts,
                random_access: true,
                pcr: None,
                payload: &[&payload],
            };
            other.write_unit(bytes, unit);
        }
        bytes.extend_from_slice(map);
    }

    fn picture(&mut self, shape: Shape, due: Ticks, bytes: &mut Vec<u8>) {
        let first = self.pictures == 0;
        let has_parameters = shape.key && (first || !self.options.parameters_once);
        let payload = self.picture_payload(shape, has_parameters);
        let dts = self.options.start + due;
        // Nothing is shown before it is decoded: pictures that come later push all others back.
        let delay = if self.options.b_pictures > 0 {
            self.options.frame
        } else {
            Ticks(0)
        };
        let pts = self.options.start + Ticks(shape.shown as i64 * self.options.frame.0) + delay;
        self.muxer.write_unit(
            bytes,
            Unit {
                stream: 0,
                pts,
                dts,
                random_access: shape.key,
                pcr: Some(Pcr::from(dts - Ticks(9000))),
                payload: &[&payload],
            },
        );
        if !self.options.bounded {
            open_length(bytes);
        }
        let number = self.next_picture;
        self.next_picture += 1;
        let key = shape.key;
        let id = self.options.id;
        self.sent.push(SentUnit {
            id,
            pid: VIDEO_PID,
            number,
            pts,
            dts,
            key,
            has_parameters,
            payload,
        });
    }

    fn picture_payload(&mut self, shape: Shape, has_parameters: bool) -> Vec<u8> {
        let mut payload = DELIMITER.to_vec();
        if has_parameters {
            payload.extend_from_slice(parameter_sets(self.options.width));
        }
        let idr = shape.key && !(self.options.open && self.pictures > 0);
        if shape.key && !idr {
            payload.extend_from_slice(&RECOVERY_POINT);
        }
        let (nal, slice) = match shape {
            _ if idr => (0x65, SLICE_I),
            Shape { key: true, .. } => (0x41, SLICE_I),
            Shape { anchor: true, .. } => (0x41, SLICE_P),
            _ => (0x01, SLICE_B),
        };
        payload.extend_from_slice(&[0, 0, 0, 1, nal, slice, self.options.id + 1]);
        payload.extend(format!("{:08}", self.next_picture).bytes());
        let len = 20
            + self
                .noise
                .below(self.options.picture_len.saturating_sub(20).max(1));
        payload.extend((0..len).map(|_| self.noise.byte()));
        payload
    }

    /// When the next sound unit comes.
    fn sound_due(&self) -> Ticks {
        if self.options.sound_tracks == 0 {
            return Ticks(i64::MAX);
        }
        self.sound_time() + self.options.sound_delay
    }

    fn sound_time(&self) -> Ticks {
        Ticks((self.sounds * self.options.sound_frames) as i64 * SOUND_FRAME.0)
    }

    /// One unit of each track.
    fn sound(&mut self, bytes: &mut Vec<u8>) {
        let pts = self.options.start + self.sound_time();
        for track in 0..self.options.sound_tracks {
            let mut payload = Vec::new();
            for frame in 0..self.options.sound_frames {
                let mut body = format!(
                    "{:03}/{track}/{:08}/{frame}/",
                    self.options.id, self.next_sound
                )
                .into_bytes();
                body.extend((0..150 + self.noise.below(100)).map(|_| self.noise.byte()));
                payload.extend(adts(self.options.sound_rate, &body));
            }
            let stream = track + usize::from(self.options.video);
            self.muxer.write_unit(
                bytes,
                Unit {
                    stream,
                    pts,
                    dts: pts,
                    random_access: true,
                    pcr: None,
                    payload: &[&payload],
                },
            );
            self.sent.push(SentUnit {
                id: self.options.id,
                pid: SOUND_PID + track as u16,
                number: self.next_sound,
                pts,
                dts: pts,
                key: false,
                has_parameters: false,
                payload,
            });
        }
        self.sounds += 1;
        self.next_sound += 1;
    }

    /// Mixes the packets of two streams; some sound stays for the next picture.
    fn mix(&mut self, video: &[u8], sound: &[u8], bytes: &mut Vec<u8>) {
        let (mut video, mut sound) = (video.chunks(PACKET_LEN), sound.chunks(PACKET_LEN));
        bytes.extend(video.next().into_iter().flatten());
        while video.len() > 0 || sound.len() > 1 {
            let from = match self.noise.below(3) {
                0 if sound.len() > 1 => &mut sound,
                _ if video.len() > 0 => &mut video,
                _ => &mut sound,
            };
            bytes.extend(from.next().into_iter().flatten());
        }
        self.held_back = sound.flatten().copied().collect();
    }

    /// What was held back by the mixing.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held_back)
    }

    fn fillers(&mut self, bytes: &mut Vec<u8>) {
        let mut null = [0xff; PACKET_LEN];
        null[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
        bytes.extend_from_slice(&null);
        let mut data = [0xdd; PACKET_LEN];
        let [high, low] = DATA_PID.to_be_bytes();
        data[..4].copy_from_slice(&[0x47, high, low, 0x10 | self.data_counter]);
        self.data_counter = (self.data_counter + 1) & 0x0f;
        bytes.extend_from_slice(&data);
    }
}

/// What picture `n`, in the order of decoding, is.
#[derive(Clone, Copy)]
struct Shape {
    key: bool,
    anchor: bool,
    /// Its place in the order of showing.
    shown: usize,
}

impl Shape {
    fn of(options: &Options, n: usize) -> Self {
        let group = options.b_pictures + 1;
        let is_key = |anchor: usize| match options.gop {
            0 => false,
            _ if options.one_key => anchor == 0,
            gop => anchor.is_multiple_of(gop),
        };
        if options.open || options.one_key || options.b_pictures == 0 {
            // A0, then groups of an anchor and the pictures shown before it.
            let (anchor, within) = if n == 0 {
                (0, 0)
            } else {
                ((n - 1) / group + 1, (n - 1) % group)
            };
            return Self {
                key: within == 0 && is_key(anchor),
                anchor: within == 0,
                shown: if within == 0 {
                    anchor * group
                } else {
                    (anchor - 1) * group + within
                },
            };
        }
        // Each group of pictures for itself: a key, then `gop` groups.
        let len = 1 + options.gop * group;
        let (gop, n) = (n / len, n % len);
        let inner = Self::of(
            &Options {
                one_key: true,
                gop: 1,
                ..options.clone()
            },
            n,
        );
        Self {
            key: n == 0,
            shown: gop * len + inner.shown,
            ..inner
        }
    }
}

fn program(options: &Options) -> MuxerConfig {
    let video = options.video.then(|| mux_stream(VIDEO_PID, 0x1b, 0xe0));
    let sound = (0..options.sound_tracks)
        .map(|track| mux_stream(SOUND_PID + track as u16, 0x0f, 0xc0 + track as u8));
    MuxerConfig {
        streams: video.into_iter().chain(sound).collect(),
        ..MuxerConfig::default()
    }
}

fn mux_stream(pid: u16, stream_type: u8, stream_id: u8) -> MuxStream {
    MuxStream {
        pid: Pid::new(pid),
        stream_type,
        stream_id,
        descriptors: Vec::new(),
    }
}

/// Leaves the length of the PES packet open that begins in the first of `packets`.
fn open_length(packets: &mut [u8]) {
    let Some(first) = packets.first_chunk_mut::<PACKET_LEN>() else {
        return;
    };
    let pes_at = PACKET_LEN - Packet::new(first).payload().len();
    first[pes_at + 4..pes_at + 6].fill(0);
}

/// An AAC frame in ADTS (ISO/IEC 14496-3, 1.A.2): 48 kHz stereo with the rate index 3.
fn adts(rate: u8, body: &[u8]) -> Vec<u8> {
    let len = body.len() + 7;
    let mut frame = vec![
        0xff,
        0xf1,
        0x40 | rate << 2,
        0x80 | (len >> 11) as u8,
        (len >> 3) as u8,
        (len << 5) as u8 | 0x1f,
        0xfc,
    ];
    frame.extend_from_slice(body);
    frame
}

pub(crate) const DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];

/// SEI with a recovery point at the picture itself: type 6, payload type 6, one byte, `ue(0)` and
/// three flags, the stop bit.
const RECOVERY_POINT: [u8; 9] = [0, 0, 0, 1, 6, 6, 1, 0xc4, 0x80];

/// The first byte of a slice header: first macroblock 0, then the slice type 7, 5 or 6.
const SLICE_I: u8 = 0b1_0001000;
const SLICE_P: u8 = 0b1_00110_11;
const SLICE_B: u8 = 0b1_00111_11;

/// SPS and PPS with their start codes, from a real stream.
pub(crate) fn parameter_sets(width: usize) -> &'static [u8] {
    static SETS: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    SETS[usize::from(width > 320)].get_or_init(|| {
        let config = Config {
            width,
            height: 180,
            fps: 25,
            ..Config::default()
        };
        let keyframe = TestCard::new(config)
            .expect("a good configuration")
            .picture(0);
        let behind_delimiter = &keyframe[DELIMITER.len()..];
        let idr = behind_delimiter
            .windows(5)
            .position(|bytes| bytes == [0, 0, 0, 1, 0x65]);
        behind_delimiter[..idr.expect("a keyframe")].to_vec()
    })
}

/// A small generator of numbers that look random (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Noise(pub u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    /// Never zero, so that no start code comes about.
    fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8 % 255 + 1
    }
}
