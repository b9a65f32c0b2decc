//! Streams whose every byte is known, recorded.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lookback_codec::{Codec, ParameterSets};
use lookback_mp4::{Mp4, Place};
use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, Pcr, Pid, Ticks, Unit};
use lookback_replay::{Clip, Limits, Recorder, Selection, Wall};
use lookback_testcard::{Config, TestCard};

pub(crate) const FRAME: i64 = 3000;
const VIDEO_PID: u16 = 0x100;
const SOUND_PID: u16 = 0x101;

/// A picture: its NAL units, and what each has in front and behind.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) is_key: bool,
    pub(crate) nals: Vec<Nal>,
}

#[derive(Clone, Debug)]
pub(crate) struct Nal {
    /// Zeros of its start code.
    pub(crate) zeros: usize,
    pub(crate) bytes: Vec<u8>,
}

impl Picture {
    /// One in which nothing is special: what is seen of it is `content`.
    pub(crate) fn new(dts: i64, pts: i64, is_key: bool, content: &[u8]) -> Self {
        let nal = |bytes: Vec<u8>| Nal { zeros: 3, bytes };
        let mut nals = vec![nal(vec![0x09, 0xf0])];
        if is_key {
            nals.extend(parameter_sets().into_iter().map(nal));
        }
        // A slice that says where it begins and that it is I or P, as far as anyone looks.
        let header: [u8; 2] = if is_key { [0x65, 0x88] } else { [0x41, 0x98] };
        nals.push(nal([&header, content].concat()));
        Self {
            dts,
            pts,
            is_key,
            nals,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for nal in &self.nals {
            out.resize(out.len() + nal.zeros, 0);
            out.push(1);
            out.extend(&nal.bytes);
        }
        out
    }

    /// What a file has of it.
    pub(crate) fn sample(&self) -> Vec<u8> {
        let stays = |nal: &&Nal| !matches!(nal.bytes[0] & 0x1f, 7 | 8 | 9 | 12);
        self.with_lengths(stays)
    }

    /// The same where parameter sets stay with the pictures.
    pub(crate) fn sample_with_parameters(&self) -> Vec<u8> {
        self.with_lengths(|nal| !matches!(nal.bytes[0] & 0x1f, 9 | 12))
    }

    fn with_lengths(&self, stays: impl Fn(&&Nal) -> bool) -> Vec<u8> {
        let nals = self.nals.iter().filter(stays);
        nals.flat_map(|nal| {
            let len = (nal.bytes.len() as u32).to_be_bytes();
            [&len[..], &nal.bytes].concat()
        })
        .collect()
    }
}

/// SPS and PPS of the test card.
pub(crate) fn parameter_sets() -> Vec<Vec<u8>> {
    static SETS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let make = || {
        let config = Config {
            width: 320,
            height: 180,
            ..Config::default()
        };
        let picture = TestCard::new(config).expect("a known size").picture(0);
        let mut sets = ParameterSets::new(Codec::H264);
        sets.update(&picture);
        sets.iter().map(<[u8]>::to_vec).collect()
    };
    SETS.get_or_init(make).clone()
}

/// An ADTS frame of AAC LC, stereo, 48 kHz, with this in it.
pub(crate) fn adts(content: &[u8]) -> Vec<u8> {
    let len = content.len() + 7;
    let mut frame = vec![
        0xff,
        0xf1,
        0x4c,
        0x80 | (len >> 11) as u8,
        (len >> 3) as u8,
        (len << 5) as u8 | 0x1f,
        0xfc,
    ];
    frame.extend(content);
    frame
}

/// A packet of sound: a time, and whatever bytes.
#[derive(Clone, Debug)]
pub(crate) struct SoundUnit {
    pub(crate) pts: i64,
    pub(crate) bytes: Vec<u8>,
}

/// Frames one after the other, cut into packets of so many bytes, each with the time of the first frame that
/// begins in it.
pub(crate) fn cut_sound(contents: &[Vec<u8>], start: i64, sizes: &[usize]) -> Vec<SoundUnit> {
    let mut bytes = Vec::new();
    let mut begins = Vec::new();
    for content in contents {
        begins.push(bytes.len());
        bytes.extend(adts(content));
    }
    let mut units = Vec::new();
    let mut at = 0;
    for &size in sizes.iter().cycle() {
        if at >= bytes.len() {
            break;
        }
        // A packet in which no frame begins has no time, which no muxer writes.
        let mut end = (at + size.max(1)).min(bytes.len());
        let first = begins.partition_point(|&begin| begin < at);
        let Some(&begin) = begins.get(first) else {
            if let Some(SoundUnit { bytes: last, .. }) = units.last_mut() {
                last.extend(&bytes[at..]);
            }
            break;
        };
        end = end.max(begin + 1);
        units.push(SoundUnit {
            pts: start + first as i64 * 1920,
            bytes: bytes[at..end].to_vec(),
        });
        at = end;
    }
    units
}

/// What was recorded. The recorder lives as long.
pub(crate) struct Recorded {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) clip: Arc<Clip>,
}

/// Stream type and descriptors of AAC, in German.
pub(crate) const AAC: (u8, &[u8]) = (0x0f, &[0x0a, 4, b'd', b'e', b'u', 0]);

/// Records these pictures and this sound, in the order of their times.
pub(crate) fn record(pictures: &[Picture], sound: &[SoundUnit]) -> Recorded {
    record_runs(&[(pictures, sound)], AAC)
}

/// The same, each pair on a connection of its own, with sound of this kind.
pub(crate) fn record_runs(
    runs: &[(&[Picture], &[SoundUnit])],
    sound_kind: (u8, &[u8]),
) -> Recorded {
    let recorder = Recorder::new(Limits {
        memory: 64 << 20,
        keep: None,
    });
    let channel = recorder.add_channel("main");
    let mut now = Wall(1_700_000_000_000_000);
    for (pictures, sound) in runs {
        let mut writer = channel.connect("test", now).expect("free");
        writer.write(&transport_stream(pictures, sound, sound_kind), now);
        now = now + Duration::from_secs(60);
    }
    let clip = channel
        .clip(Selection::All, now)
        .expect("there are pictures");
    Recorded { recorder, clip }
}

fn transport_stream(
    pictures: &[Picture],
    sound: &[SoundUnit],
    (sound_type, descriptors): (u8, &[u8]),
) -> Vec<u8> {
    let stream = |pid, stream_type, stream_id, descriptors: &[u8]| MuxStream {
        pid: Pid::new(pid),
        stream_type,
        stream_id,
        descriptors: descriptors.to_vec(),
    };
    let mut muxer = Muxer::new(MuxerConfig {
        streams: vec![
            stream(VIDEO_PID, 0x1b, 0xe0, &[]),
            stream(SOUND_PID, sound_type, 0xc0, descriptors),
        ],
        ..MuxerConfig::default()
    });
    let mut out = Vec::new();
    let mut sound = sound.iter().peekable();
    for picture in pictures {
        if picture.is_key {
            muxer.write_tables(&mut out);
        }
        muxer.write_unit(
            &mut out,
            Unit {
                stream: 0,
                pts: Ticks(picture.pts),
                dts: Ticks(picture.dts),
                random_access: picture.is_key,
                pcr: Some(Pcr::from(Ticks(picture.dts - 9000))),
                payload: &[&picture.bytes()],
            },
        );
        while let Some(unit) = sound.next_if(|unit| unit.pts < picture.dts + FRAME) {
            write_sound(&mut muxer, unit, &mut out);
        }
    }
    sound.for_each(|unit| write_sound(&mut muxer, unit, &mut out));
    out
}

fn write_sound(muxer: &mut Muxer, unit: &SoundUnit, out: &mut Vec<u8>) {
    muxer.write_unit(
        out,
        Unit {
            stream: 1,
            pts: Ticks(unit.pts),
            dts: Ticks(unit.pts),
            random_access: true,
            pcr: None,
            payload: &[&unit.bytes],
        },
    );
}

/// All of a file, in pieces of at most so many bytes.
pub(crate) fn read_all(mp4: &Mp4, max: usize) -> Vec<u8> {
    let (mut out, mut place) = (Vec::new(), Place::default());
    while (out.len() as u64) < mp4.len() {
        let bytes = mp4.read(out.len() as u64, max, &mut place);
        let bytes = bytes.expect("the clip is there");
        assert!(!bytes.is_empty() && bytes.len() <= max);
        out.extend_from_slice(&bytes);
    }
    out
}
