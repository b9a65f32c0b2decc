//! The words of `GET /api/v1/status`: written by the server, read by `lookback status`.

use lookback_codec::{AudioFormat, VideoFormat};
use lookback_deck::Mode;
use lookback_replay::{RecordingState, Segment};
use serde::{Deserialize, Serialize};

use crate::decks::{Handle, State};
use crate::obs::{self, Link};
use crate::source::{self, Address};
use crate::time::rfc3339;

/// Everything at one moment.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Status {
    pub(crate) version: String,
    pub(crate) memory: Memory,
    pub(crate) channels: Vec<ChannelStatus>,
    /// What the channels take their bytes from; not known of servers before 0.2.
    #[serde(default)]
    pub(crate) inputs: Vec<Input>,
    pub(crate) decks: Vec<Deck>,
    /// Servers before 0.2 leave OBS alone, and do not say so.
    #[serde(default = "left_alone")]
    pub(crate) obs: ObsStatus,
}

/// The OBS that is watched over.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ObsStatus {
    pub(crate) state: String,
    pub(crate) version: Option<String>,
    pub(crate) recording: bool,
    pub(crate) streaming: bool,
    pub(crate) scene: Option<String>,
    pub(crate) studio_mode: bool,
    pub(crate) problems: Vec<Problem>,
}

fn left_alone() -> ObsStatus {
    obs::State::new(Link::Off).into()
}

/// The budget.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Memory {
    pub(crate) limit_bytes: usize,
    pub(crate) used_bytes: usize,
    pub(crate) held_bytes: usize,
    pub(crate) index_bytes: usize,
}

/// A source of a channel, whether or not anybody is connected to it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Input {
    pub(crate) channel: String,
    /// As a producer has to name it: a path is absolute.
    pub(crate) source: String,
}

/// One channel.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ChannelStatus {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) source: Option<String>,
    pub(crate) runs: usize,
    pub(crate) received_bytes: u64,
    pub(crate) discarded_bytes: u64,
    pub(crate) problems: Vec<Problem>,
    pub(crate) window: Option<Window>,
    pub(crate) video: Option<Video>,
    pub(crate) audio: Vec<Audio>,
}

/// Something that happened to a channel, or to OBS.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) count: u64,
    pub(crate) hint: String,
}

/// How far back a channel reaches.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Window {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) duration_s: f64,
    pub(crate) bytes: u64,
}

/// The pictures.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Video {
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: Option<f64>,
}

/// A track of sound.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Audio {
    pub(crate) codec: String,
    pub(crate) channels: u8,
    pub(crate) sample_rate: u32,
}

/// A stretch of a window, as long as a segment of HLS.
#[derive(Debug, Serialize)]
pub(crate) struct Stretch {
    pub(crate) number: u64,
    /// Those of one run follow each other without a gap.
    pub(crate) run: u64,
    pub(crate) start: String,
    pub(crate) duration_s: f64,
    pub(crate) bytes: u64,
}

impl From<&Segment> for Stretch {
    fn from(segment: &Segment) -> Self {
        Self {
            number: segment.number,
            run: segment.run,
            start: rfc3339(segment.start),
            duration_s: segment.duration().as_secs_f64(),
            bytes: segment.offsets.end - segment.offsets.start,
        }
    }
}

/// A player.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Deck {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) position_s: f64,
    pub(crate) duration_s: f64,
    pub(crate) speed: f64,
    /// Which item of those it is loaded with, from 0 on.
    pub(crate) item: usize,
    pub(crate) items: usize,
    /// Whether it shows what is being recorded.
    pub(crate) live: bool,
}

impl From<lookback_replay::Memory> for Memory {
    fn from(memory: lookback_replay::Memory) -> Self {
        Self {
            limit_bytes: memory.limit_bytes,
            used_bytes: memory.used_bytes,
            held_bytes: memory.held_bytes,
            index_bytes: memory.index_bytes,
        }
    }
}

impl From<&source::Input> for Input {
    fn from(input: &source::Input) -> Self {
        let source = match &input.address {
            Address::Path(path) | Address::Pipe(path) => std::path::absolute(path).map_or_else(
                |_| input.address.to_string(),
                |path| path.display().to_string(),
            ),
            address => address.to_string(),
        };
        Self {
            channel: input.channel.to_string(),
            source,
        }
    }
}

impl From<lookback_replay::ChannelStatus> for ChannelStatus {
    fn from(status: lookback_replay::ChannelStatus) -> Self {
        Self {
            name: status.name,
            state: word(status.state).to_owned(),
            source: status.source,
            runs: status.runs,
            received_bytes: status.received_bytes,
            discarded_bytes: status.discarded_bytes,
            problems: status.problems.into_iter().map(Problem::from).collect(),
            window: status.window.map(Window::from),
            video: status.video.map(Video::from),
            audio: status.audio.into_iter().map(Audio::from).collect(),
        }
    }
}

fn word(state: RecordingState) -> &'static str {
    match state {
        RecordingState::Waiting => "waiting",
        RecordingState::Recording => "recording",
        RecordingState::Silent => "silent",
        RecordingState::Paused => "paused",
    }
}

impl From<lookback_replay::Problem> for Problem {
    fn from(problem: lookback_replay::Problem) -> Self {
        Self {
            code: problem.code.to_owned(),
            count: problem.count,
            hint: problem.hint,
        }
    }
}

impl From<obs::State> for ObsStatus {
    fn from(state: obs::State) -> Self {
        let link = match state.link {
            Link::Off => "off",
            Link::Connecting => "connecting",
            Link::Connected => "connected",
            Link::Refused => "refused",
        };
        Self {
            state: link.to_owned(),
            version: state.version,
            recording: state.recording,
            streaming: state.streaming,
            scene: state.scene,
            studio_mode: state.studio_mode,
            problems: state.problems.into_iter().map(Problem::from).collect(),
        }
    }
}

impl From<lookback_replay::Window> for Window {
    fn from(window: lookback_replay::Window) -> Self {
        Self {
            start: rfc3339(window.start),
            end: rfc3339(window.end),
            duration_s: window.duration.as_secs_f64(),
            bytes: window.bytes,
        }
    }
}

impl From<VideoFormat> for Video {
    fn from(format: VideoFormat) -> Self {
        let rate = |(count, seconds): (u32, u32)| f64::from(count) / f64::from(seconds);
        Self {
            codec: format.codec_string,
            width: format.width,
            height: format.height,
            fps: format.frame_rate.map(rate),
        }
    }
}

impl From<AudioFormat> for Audio {
    fn from(format: AudioFormat) -> Self {
        Self {
            codec: format.codec_string,
            channels: format.channels,
            sample_rate: format.sample_rate,
        }
    }
}

impl Deck {
    pub(crate) fn new(deck: &Handle, state: &State) -> Self {
        let status = state.status;
        let mode = match status.mode {
            Mode::Idle => "idle",
            Mode::Paused => "paused",
            Mode::Playing => "playing",
        };
        Self {
            name: deck.name().to_owned(),
            state: mode.to_owned(),
            position_s: status.position.as_secs_f64(),
            duration_s: status.duration.as_secs_f64(),
            speed: status.speed.value(),
            item: status.item,
            items: status.items,
            live: status.live,
        }
    }
}
