//! A piece of video as a small H.264 picture, for browsers that cannot play what is recorded.
//!
//! A piece is made without the others, and all of them fit together: ffmpeg is given the pictures from the keyframe
//! in front of the piece on, with their own times, and leaves out those that do not belong to it. AAC stays as it
//! is. Other sound becomes AAC, whose frames begin at multiples of their length whichever piece they are in; they are
//! encoded from some sound in front of the piece and behind it, so that nothing is heard where pieces meet.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use lookback_codec::Codec;
use lookback_mpegts::{PACKET_LEN, Ticks, shift_timestamps};
use lookback_replay::{Clip, Gone, Unit, Units};

use super::input::Input;
use super::{Failure, Jobs, NotBegun, Refused};
use crate::transport::Transport;

/// See the module's documentation.
pub(crate) struct Piece {
    pub(crate) clip: Arc<Clip>,
    /// Which pictures are in it, by their times in the clip.
    pub(crate) pictures: Range<Ticks>,
    /// Which sound.
    pub(crate) sound: Range<Ticks>,
    /// By how much it is moved against the clip.
    pub(crate) shift: Ticks,
}

/// Lines at most: what is easily decoded, and made several times faster than it plays.
const LINES: u32 = 360;
/// More than a piece takes that lasts a minute.
const BYTES_MAX: u64 = 16 << 20;
const ENCODER: &str = "libx264";

/// Where pieces begin for ffmpeg, about: far enough from 0 for what lies in front of one.
const LEAD: Ticks = Ticks(Ticks::SECOND.0 * 3600);
/// How far sound may lie in the stream from its pictures.
const SOUND_OFF_MAX: Ticks = Ticks::SECOND;

/// A frame of AAC at 48 kHz, in ticks and in samples.
const FRAME: i64 = 1920;
const FRAME_SAMPLES: i64 = 1024;
/// Sound that is encoded with what is heard, so that a frame is the same in each piece: in front and behind.
const FRAMES_AROUND: i64 = 4;
/// So much of it is given to ffmpeg, since it comes in units of several frames.
const AROUND: Ticks = Ticks(Ticks::SECOND.0 / 2);

impl Jobs {
    /// Whether previews can be made here, and if not why.
    pub(crate) async fn makes_previews(&self) -> Result<(), NotBegun> {
        Ok(self.has(&[ENCODER.to_owned()]).await?)
    }

    /// The piece as a transport stream.
    pub(crate) async fn preview(&self, piece: &Piece) -> Result<Bytes, NotBegun> {
        self.makes_previews().await?;
        if piece.clip.program().video().is_none() {
            let detail = "there are no pictures in this";
            return Err(Refused::Parameter(detail.to_owned()).into());
        }
        let cut = Cut::new(piece)?;
        let arguments = cut.arguments();
        let (input, shift) = (Input::cut(cut), piece.shift + base(piece));
        let made = self.made(&arguments, &input, BYTES_MAX).await?;
        let mut made = Vec::from(made);
        for packet in made.as_chunks_mut::<PACKET_LEN>().0 {
            shift_timestamps(packet, shift);
        }
        Ok(made.into())
    }
}

/// What lies at 0 for ffmpeg. Frames of sound begin at the same places for all pieces.
fn base(piece: &Piece) -> Ticks {
    let moved = piece.pictures.start + piece.shift - LEAD;
    Ticks(moved.0.div_euclid(FRAME) * FRAME) - piece.shift
}

/// From which time on pictures are wanted. Where none begins in the piece, that is the one which still stands there: a piece
/// without any would have no stream of pictures.
fn first(piece: &Piece) -> Result<Ticks, Gone> {
    let Range { start, end } = piece.pictures;
    let mut units = piece.clip.units();
    units.seek(start);
    let mut stands = None;
    while let Some(unit) = units.next_placed()? {
        if unit.stream != 0 {
            continue;
        }
        if (start..end).contains(&unit.pts) {
            return Ok(start);
        }
        if unit.dts >= end {
            break;
        }
        stands = stands.max(Some(unit.pts).filter(|pts| *pts < start));
    }
    Ok(stands.unwrap_or(start))
}

/// What ffmpeg is given of a piece, written while it is read.
pub(super) struct Cut {
    streams: Mutex<Streams>,
    /// On ffmpeg's timeline.
    pictures: Range<Ticks>,
    /// When the first of them is shown in the recording: before the piece, where none begins in it.
    first: Ticks,
    sound: Option<Sound>,
    picture_pid: u16,
}

/// The sound of a piece.
struct Sound {
    pid: u16,
    is_copied: bool,
    /// What is heard, on ffmpeg's timeline.
    span: Range<Ticks>,
}

/// Both streams, unit by unit.
struct Streams {
    pictures: Feed,
    sound: Option<Feed>,
    transport: Transport,
    base: Ticks,
}

/// The units of one stream that are wanted of a clip.
struct Feed {
    units: Units,
    stream: usize,
    next: Option<Unit>,
    /// From which time on they are wanted.
    from: Ticks,
    until: Ticks,
    /// Behind which time in the stream there are none.
    ends: Ticks,
}

impl Cut {
    fn new(piece: &Piece) -> Result<Self, Failure> {
        let program = piece.clip.program();
        let pid = |stream: usize| program.config().streams[stream].pid.value();
        let base = base(piece);
        let moved = |span: &Range<Ticks>| span.start - base..span.end - base;
        let mut found = None;
        if let Some((stream, is_copied)) = sound_of(program.codecs()) {
            let feed = Feed::of_sound(piece, stream)?;
            found = feed.next.is_some().then_some((feed, is_copied));
        }
        let sound = found.as_ref().map(|(feed, is_copied)| Sound {
            pid: pid(feed.stream),
            is_copied: *is_copied,
            span: moved(&piece.sound),
        });
        let streams = Streams {
            pictures: Feed::of_pictures(piece)?,
            sound: found.map(|(feed, _)| feed),
            transport: Transport::new(&program),
            base,
        };
        Ok(Self {
            streams: Mutex::new(streams),
            pictures: moved(&piece.pictures),
            first: first(piece)? - base,
            sound,
            picture_pid: pid(0),
        })
    }

    /// What comes next, about as much as is wanted; nothing at the end.
    pub(super) fn read(&self, wanted: usize) -> Result<Bytes, Gone> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        while out.len() < wanted && streams.write_next(&mut out)? {}
        Ok(out.into())
    }

    pub(super) fn input_arguments() -> Vec<String> {
        words("-copyts -f mpegts -i pipe:0")
    }

    fn arguments(&self) -> Vec<String> {
        let Range { start, end } = &self.pictures;
        let scale = format!("scale=-2:'min({LINES},trunc(ih/2)*2)'");
        let (first, start, end) = (self.first.0, start.0, end.0);
        let trim = format!("trim=start_pts={first}:end_pts={end},setpts=max(PTS\\,{start})");
        let filter = format!("{trim},{scale}");
        let mut arguments = words(&format!("-map 0:#{} -vf {filter}", self.picture_pid));
        // Each picture keeps its time, to the tick.
        arguments.extend(words("-fps_mode passthrough -enc_time_base 1:90000"));
        arguments.extend(words(&format!("-c:v {ENCODER} -preset ultrafast -crf 27")));
        arguments.extend(words("-profile:v baseline -pix_fmt yuv420p"));
        if let Some(sound) = &self.sound {
            arguments.extend(words(&sound.arguments()));
        }
        arguments.extend(words("-muxdelay 0 -muxpreload 0 -mpegts_flags"));
        arguments.extend(words("+initial_discontinuity -f mpegts"));
        arguments
    }
}

impl Sound {
    fn arguments(&self) -> String {
        let Range { start, end } = &self.span;
        let encoder = match self.is_copied {
            true => "copy".to_owned(),
            false => {
                let frame = |at: &Ticks| at.0.div_euclid(FRAME);
                let from = (frame(start) - FRAMES_AROUND) * FRAME_SAMPLES;
                let until = (frame(end) + FRAMES_AROUND) * FRAME_SAMPLES;
                let filter = format!("aresample=48000:first_pts={from},atrim=end_pts={until}");
                format!("aac -b:a 128k -ac 2 -af {filter}")
            }
        };
        // Of which base times are here, releases differ: in seconds they are the same. Half a tick before is on the
        // same side of all frames, however it is rounded.
        let before = |at: &Ticks| (at.0 as f64 - 0.5) / Ticks::SECOND.0 as f64;
        format!(
            "-map 0:#{} -c:a {encoder} -bsf:a noise=drop=lt(pts*tb\\,{:.7})+gte(pts*tb\\,{:.7})",
            self.pid,
            before(start),
            before(end)
        )
    }
}

impl Streams {
    /// Writes the next unit, if there is one.
    fn write_next(&mut self, out: &mut Vec<u8>) -> Result<bool, Gone> {
        let dts = |feed: &Feed| feed.next.as_ref().map(|unit| unit.dts);
        let sound = self.sound.as_mut();
        let feed = match (dts(&self.pictures), sound) {
            (Some(at), Some(sound)) if dts(sound).is_some_and(|sound| sound < at) => sound,
            (None, Some(sound)) => sound,
            _ => &mut self.pictures,
        };
        let Some(mut unit) = feed.take()? else {
            return Ok(false);
        };
        unit.pts -= self.base;
        unit.dts -= self.base;
        self.transport.write(&unit, out);
        Ok(true)
    }
}

impl Feed {
    /// The pictures from the keyframe on from which those of the piece can be decoded.
    fn of_pictures(piece: &Piece) -> Result<Self, Gone> {
        let mut units = piece.clip.units();
        units.seek(piece.pictures.start);
        Self {
            units,
            stream: 0,
            next: None,
            from: Ticks(i64::MIN),
            until: Ticks(i64::MAX),
            // What is decoded then is shown later.
            ends: piece.pictures.end,
        }
        .begun()
    }

    fn of_sound(piece: &Piece, stream: usize) -> Result<Self, Gone> {
        let (from, until) = (piece.sound.start - AROUND, piece.sound.end + AROUND);
        let mut units = piece.clip.units();
        units.seek(from - SOUND_OFF_MAX);
        Self {
            units,
            stream,
            next: None,
            from,
            until,
            ends: until + SOUND_OFF_MAX,
        }
        .begun()
    }

    fn begun(mut self) -> Result<Self, Gone> {
        self.next = self.look()?;
        Ok(self)
    }

    /// The next one; the one behind it is looked for.
    fn take(&mut self) -> Result<Option<Unit>, Gone> {
        let Some(unit) = self.next.take() else {
            return Ok(None);
        };
        self.next = self.look()?;
        Ok(Some(unit))
    }

    fn look(&mut self) -> Result<Option<Unit>, Gone> {
        while let Some(unit) = self.units.next()? {
            let is_mine = unit.stream == self.stream;
            // Sound may cease while pictures go on.
            if unit.dts >= self.ends && (is_mine || unit.stream == 0) {
                break;
            }
            if is_mine && (self.from..self.until).contains(&unit.pts) {
                return Ok(Some(unit));
            }
        }
        Ok(None)
    }
}

/// The track of sound that is heard, and whether it stays as it is: the first, as in players.
fn sound_of(codecs: &[Codec]) -> Option<(usize, bool)> {
    let stream = codecs.iter().position(|codec| codec.is_audio())?;
    Some((stream, codecs[stream] == Codec::AacAdts))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
