//! A recorder with one channel, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use lookback_mpegts::Ticks;
use lookback_replay::{Channel, Clip, ClipError, Limits, Recorder, Selection, Wall, Writer};

use super::checker::{Checked, Gaps, check};
use super::synthetic::{Options, Part, Sent, Synthetic};

/// When recording begins.
pub(crate) const BEGINNING: Wall = Wall(1_700_000_000_000_000);

pub(crate) const MIB: usize = 1 << 20;

pub(crate) struct Rig {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) channel: Arc<Channel>,
    pub(crate) now: Wall,
    /// All that was fed.
    pub(crate) sent: Sent,
}

impl Rig {
    pub(crate) fn new(memory: usize) -> Self {
        Self::with(Limits { memory, keep: None })
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let recorder = Recorder::new(limits);
        let channel = recorder.add_channel("main");
        Self {
            recorder,
            channel,
            now: BEGINNING,
            sent: Sent::default(),
        }
    }

    pub(crate) fn connect(&self) -> Writer {
        self.channel
            .connect("test", self.now)
            .expect("no other source is connected")
    }

    /// Writes parts when they are due.
    pub(crate) fn feed(&mut self, writer: &mut Writer, parts: &[Part]) {
        let Some(first) = parts.first() else { return };
        let zero = self.now;
        for part in parts {
            self.now = zero + ticks(part.due - first.due);
            writer.write(&part.bytes, self.now);
        }
        self.now = zero + ticks(parts[parts.len() - 1].due - first.due + super::FRAME);
    }

    /// Writes the next pictures of a stream when they are due, and remembers them.
    pub(crate) fn record(&mut self, writer: &mut Writer, stream: &mut Synthetic, pictures: usize) {
        let parts = stream.parts(pictures);
        self.feed(writer, &parts);
        let new = std::mem::take(&mut stream.sent);
        self.sent.extend(&new);
    }

    /// A connection that sends so many pictures.
    pub(crate) fn run(&mut self, options: Options, pictures: usize) {
        let mut writer = self.connect();
        self.record(&mut writer, &mut Synthetic::new(options), pictures);
    }

    pub(crate) fn clip(&self, selection: Selection) -> Arc<Clip> {
        self.try_clip(selection)
            .expect("there is something to play")
    }

    pub(crate) fn try_clip(&self, selection: Selection) -> Result<Arc<Clip>, ClipError> {
        self.channel.clip(selection, self.now)
    }

    /// Makes a clip and checks it.
    #[track_caller]
    pub(crate) fn check(&self, selection: Selection, gaps: Gaps) -> (Arc<Clip>, Checked) {
        let clip = self.clip(selection);
        let checked = check(&read_all(&clip), &self.sent, gaps);
        (clip, checked)
    }

    /// How often a problem was counted.
    pub(crate) fn problem(&self, code: &str) -> u64 {
        let problems = self.channel.status(self.now).problems;
        problems
            .iter()
            .find(|problem| problem.code == code)
            .map_or(0, |problem| problem.count)
    }
}

/// The whole of a clip.
pub(crate) fn read_all(clip: &Clip) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = clip
            .read(bytes.len() as u64, usize::MAX)
            .expect("the clip is still there");
        if more.is_empty() {
            break;
        }
        bytes.extend_from_slice(&more);
    }
    assert_eq!(
        bytes.len() as u64,
        clip.len(),
        "a clip is as long as it says"
    );
    bytes
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn ticks(ticks: Ticks) -> Duration {
    Duration::from_micros((ticks.0 * 100 / 9) as u64)
}
