//! A channel: one recorded live stream, written by one source and looked at by many.
//!
//! The writer scans what came in without any lock and takes the lock only to publish what it found.
//! Readers take it to look something up. Nobody holds it for longer than that takes, so recording
//! never waits for a reader.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use lookback_codec::{AudioFormat, VideoFormat};
use lookback_mpegts::PACKET_LEN;

use crate::budget::Counted;
use crate::follow::Waiting;
use crate::index::{Entry, Key};
use crate::log::{Block, Log, PinKey};
use crate::problem::{Problem, Problems};
use crate::recorder::Recorder;
use crate::run::{Run, SILENCE};
use crate::scan::{Batch, Scanner};
use crate::slab::Filling;
use crate::sniff::sniff;
use crate::wall::{Wall, ticks_to_duration};

/// Bytes without a single packet after which the input is called something else.
const WRONG_INPUT_BYTES: usize = 1024;

/// Keyframes of which the intervals are looked at.
const KEYS_LOOKED_AT: usize = 16;

/// One recorded live stream.
pub struct Channel {
    name: String,
    recorder: Weak<Recorder>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) log: Log,
    source: Option<String>,
    /// The slab to go on with, while no source is connected.
    filling: Option<Filling>,
    paused: bool,
    received_bytes: u64,
    discarded_bytes: u64,
    last_arrival: Option<Wall>,
    problems: Problems,
    /// What the newest source sent, if it was no transport stream.
    wrong_input: Option<Problem>,
    pub(crate) followers: Waiting,
}

/// Another source writes to the channel already.
#[derive(Debug, thiserror::Error)]
#[error("channel {channel} is busy: {source_name} is recording into it")]
pub struct Busy {
    /// The channel.
    pub channel: String,
    /// The source that is connected.
    pub source_name: String,
}

/// What a channel is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordingState {
    /// No source is connected.
    Waiting,
    /// Bytes are coming in.
    Recording,
    /// A source is connected, but has sent nothing for [`SILENCE`].
    Silent,
    /// Bytes are read and dropped.
    Paused,
}

/// A channel at one moment.
#[derive(Clone, Debug)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: RecordingState,
    /// The connected source.
    pub source: Option<String>,
    /// Runs in the window.
    pub runs: usize,
    /// All bytes that ever came in.
    pub received_bytes: u64,
    /// Those of them that were no transport packets, or came during a pause.
    pub discarded_bytes: u64,
    /// What went wrong so far.
    pub problems: Vec<Problem>,
    /// How far back the channel reaches; `None` as long as nothing can be played.
    pub window: Option<Window>,
    /// The newest run's video.
    pub video: Option<VideoFormat>,
    /// The newest run's sound, one for each track that is known by now.
    pub audio: Vec<AudioFormat>,
}

/// The part of a channel that can be looked back to.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Time of its first picture.
    pub start: Wall,
    /// Time at which its last complete picture ends.
    pub end: Wall,
    /// Length in playing time, without the gaps between runs.
    pub duration: Duration,
    /// Bytes of stream.
    pub bytes: u64,
}

impl Channel {
    pub(crate) fn new(name: &str, recorder: Weak<Recorder>, log: Log) -> Self {
        Self {
            name: name.to_owned(),
            recorder,
            state: Mutex::new(State {
                log,
                source: None,
                filling: None,
                paused: false,
                received_bytes: 0,
                discarded_bytes: 0,
                last_arrival: None,
                problems: Problems::default(),
                wrong_input: None,
                followers: Waiting::default(),
            }),
        }
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connects a source. Its bytes are a run of their own, which ends when the [`Writer`] is dropped.
    ///
    /// # Errors
    /// If another source is connected; it is left alone.
    pub fn connect(self: &Arc<Self>, source: &str, now: Wall) -> Result<Writer, Busy> {
        let mut state = self.lock();
        if let Some(connected) = &state.source {
            return Err(Busy {
                channel: self.name.clone(),
                source_name: connected.clone(),
            });
        }
        state.source = Some(source.to_owned());
        state.last_arrival = Some(now);
        let filling = state.filling.take();
        let at = state.log.end;
        drop(state);
        let mut writer = Writer {
            filling: Some(filling.unwrap_or_else(|| self.next_slab())),
            channel: Arc::clone(self),
            scanner: Scanner::new(at),
            head: Vec::new(),
            sniffed: false,
            at,
            paused: false,
        };
        writer.begin();
        Ok(writer)
    }

    /// Adds to the channel's problems.
    pub fn report(&self, code: &'static str, hint: String) {
        self.lock().problems.report(code, hint);
    }

    pub(crate) fn count_problem(&self, code: &'static str) {
        self.lock().problems.count(code);
    }

    /// Stops or goes on recording: during a pause bytes are read and dropped, and what was recorded
    /// stays.
    pub fn set_paused(&self, paused: bool) {
        self.lock().paused = paused;
    }

    /// Drops all that was recorded. Clips that were made of it stay.
    pub fn clear(&self) {
        let dropped = self.lock().log.clear();
        drop(dropped);
    }

    /// The channel as it is at `now`.
    pub fn status(&self, now: Wall) -> ChannelStatus {
        let state = self.lock();
        let newest = state.log.runs.back();
        ChannelStatus {
            name: self.name.clone(),
            state: state.recording_state(now),
            source: state.source.clone(),
            runs: state.runs_with_keys().count(),
            received_bytes: state.received_bytes,
            discarded_bytes: state.discarded_bytes,
            problems: state.problems.list(),
            window: state.window(),
            video: newest.and_then(|run| run.tracks[run.cut].video.clone()),
            audio: newest
                .map(|run| {
                    run.tracks
                        .iter()
                        .filter_map(|track| track.audio.clone())
                        .collect()
                })
                .unwrap_or_default(),
        }
    }

    /// The longest time from one of the newest keyframes to the next, and from the last one on; `None`
    /// as long as there is none. Of the newest run.
    pub fn keyframe_interval(&self) -> Option<Duration> {
        let state = self.lock();
        let run = state.log.runs.back()?;
        let keys = state.log.keys.iter().rev();
        let keys = keys.take_while(|key| run.contains(key.offset));
        let mut longest = None;
        let mut behind = run.latest;
        for key in keys.take(KEYS_LOOKED_AT) {
            longest = longest.max(Some(behind - key.pts));
            behind = key.pts;
        }
        longest.map(ticks_to_duration)
    }

    /// Every mutation leaves the state whole, so a panic elsewhere does not spoil it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that were made for a reader: they are counted in the memory until it lets go of them.
    pub fn counted(&self, bytes: Vec<u8>) -> Bytes {
        let Some(recorder) = self.recorder() else {
            return bytes.into();
        };
        let counted = recorder.count(bytes.capacity());
        recorder.settle();
        Bytes::from_owner(Held {
            bytes,
            _counted: counted,
        })
    }

    pub(crate) fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.upgrade()
    }

    pub(crate) fn block(&self, number: u64) -> Option<Arc<Block>> {
        self.lock().log.block(number).cloned()
    }

    /// Pins these blocks, which `pins` cover, in their place.
    pub(crate) fn pin_instead(&self, pins: Vec<PinKey>, blocks: &[Range<u64>]) -> Vec<PinKey> {
        let mut state = self.lock();
        let instead = blocks
            .iter()
            .map(|blocks| state.log.pin(blocks.clone()))
            .collect();
        let released: Vec<_> = pins
            .into_iter()
            .flat_map(|pin| state.log.unpin(pin))
            .collect();
        drop(state);
        drop(released);
        instead
    }

    pub(crate) fn unpin(&self, pin: PinKey) {
        let released = self.lock().log.unpin(pin);
        drop(released);
    }

    /// Makes room by dropping the oldest part of the window. Gives whether there was any.
    pub(crate) fn evict(&self) -> bool {
        let mut state = self.lock();
        let had_keys = !state.log.keys.is_empty();
        let Some(dropped) = state.log.evict() else {
            return false;
        };
        if had_keys && state.log.keys.is_empty() {
            state.problems.count("gop_exceeds_memory");
        }
        drop(state);
        drop(dropped);
        true
    }

    /// Start of the window, to compare with that of other channels; `None` if there is nothing to
    /// drop.
    pub(crate) fn oldest(&self) -> Option<Wall> {
        let state = self.lock();
        if state.log.window_slab_bytes() < 2 * crate::slab::SLAB_LEN {
            return None;
        }
        Some(state.window().map_or(Wall(i64::MIN), |window| window.start))
    }

    fn next_slab(&self) -> Filling {
        let Some(recorder) = self.recorder() else {
            unreachable!("a channel lives in its recorder")
        };
        let filling = recorder.slab();
        self.lock().log.push_slab(Arc::clone(filling.slab()));
        recorder.settle();
        filling
    }
}

impl State {
    fn recording_state(&self, now: Wall) -> RecordingState {
        let silent = self
            .last_arrival
            .is_none_or(|last| now.since(last) >= SILENCE);
        match () {
            () if self.paused => RecordingState::Paused,
            () if self.source.is_none() => RecordingState::Waiting,
            () if silent => RecordingState::Silent,
            () => RecordingState::Recording,
        }
    }

    /// Whether new pictures are to be expected at `now`.
    pub(crate) fn is_recording(&self, now: Wall) -> bool {
        self.recording_state(now) == RecordingState::Recording
    }

    /// The runs that can be played, each with its keys.
    pub(crate) fn runs_with_keys(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&Arc<Run>, Range<usize>)> {
        let keys = &self.log.keys;
        self.log.runs.iter().filter_map(move |run| {
            let from = keys.partition_point(|key| key.offset < run.start);
            let to = match run.end {
                Some(end) => keys.partition_point(|key| key.offset < end),
                None => keys.len(),
            };
            (from < to).then_some((run, from..to))
        })
    }

    pub(crate) fn window(&self) -> Option<Window> {
        let (first, keys) = self.runs_with_keys().next()?;
        let start = first.wall(self.log.keys[keys.start].pts);
        let mut duration = Duration::ZERO;
        let mut end = start;
        for (run, keys) in self.runs_with_keys() {
            let from = self.log.keys[keys.start].pts;
            let to = run.latest.max(from);
            duration += ticks_to_duration(to - from);
            end = run.wall(to);
        }
        Some(Window {
            start,
            end,
            duration,
            bytes: self.log.end - self.log.start(),
        })
    }

    /// What arrived instead of a transport stream.
    pub(crate) fn wrong_input(&self) -> Option<Problem> {
        self.wrong_input.clone()
    }

    fn publish(&mut self, batch: Batch, run: Option<&Run>) {
        self.discarded_bytes += batch.discarded;
        for code in batch.problems {
            self.problems.count(code);
        }
        for fault in batch.faults {
            self.log.push_fault(fault);
        }
        for run in batch.ended {
            self.log.put_run(run);
        }
        if let Some(run) = run {
            self.wrong_input = None;
            self.log.put_run(run.clone());
        }
        for (entry, table_counters) in batch.entries {
            let Some(cursor) = self.log.push_entry(entry) else {
                continue;
            };
            let cut = self
                .log
                .run_at(entry.offset)
                .filter(|run| run.cut == entry.track());
            let is_video = cut.is_some_and(|run| run.tracks[run.cut].codec.is_video());
            if cut.is_some()
                && entry.is(Entry::KEY)
                && entry.offset >= self.log.first_block() * crate::slab::SLAB_LEN as u64
            {
                let place = self.log.place_key(&entry);
                self.log.push_key(Key {
                    offset: entry.offset,
                    pts: entry.pts,
                    lag: entry.lag,
                    cursor,
                    table_counters,
                    is_open: entry.is(Entry::OPEN),
                    has_parameters: entry.is(Entry::PARAMETERS) || !is_video,
                    place,
                });
            }
        }
    }

    /// Drops groups of pictures that lie wholly before `start`.
    fn keep_from(&mut self, start: Wall) -> Vec<Arc<Block>> {
        let mut dropped = Vec::new();
        let old = |keys: &VecDeque<Key>, log: &Log| {
            let second = keys.get(1)?;
            Some(log.run_at(second.offset)?.wall(second.pts) <= start)
        };
        while old(&self.log.keys, &self.log) == Some(true) {
            dropped.extend(self.log.evict_gop());
        }
        dropped
    }
}

/// The writing end of a channel, held by its source. Dropping it ends the run.
pub struct Writer {
    channel: Arc<Channel>,
    /// The newest slab, which is handed back to the channel at the end.
    filling: Option<Filling>,
    scanner: Scanner,
    /// The first bytes of a connection in which no packet was found yet.
    head: Vec<u8>,
    sniffed: bool,
    /// Log offset of the next byte.
    at: u64,
    paused: bool,
}

impl Writer {
    /// Where the next bytes of the source belong: read straight into it. It is never empty.
    pub fn spare(&mut self) -> &mut [u8] {
        self.filling().spare()
    }

    /// The first `len` bytes of [`Self::spare`] have been filled, at `now`.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn commit(&mut self, len: usize, now: Wall) {
        if self.pause_changed() {
            self.end_run();
            self.begin();
        }
        if self.paused {
            let mut state = self.channel.lock();
            state.received_bytes += len as u64;
            state.discarded_bytes += len as u64;
            state.last_arrival = Some(now);
            return;
        }
        self.filling().fill(len);
        let slab = Arc::clone(self.filling().slab());
        let filled = slab.filled();
        let bytes = &filled[filled.len() - len..];
        let batch = self.scanner.scan(bytes, now);
        if !self.sniffed {
            self.head
                .extend_from_slice(&bytes[..len.min(WRONG_INPUT_BYTES)]);
        }
        self.at += len as u64;
        self.publish(batch, len, Some(now));
        self.renew_slab();
    }

    /// Copies bytes in, for sources whose bytes do not come in a stream.
    pub fn write(&mut self, mut bytes: &[u8], now: Wall) {
        while !bytes.is_empty() {
            let spare = self.spare();
            let len = bytes.len().min(spare.len());
            let (part, rest) = bytes.split_at(len);
            spare[..len].copy_from_slice(part);
            self.commit(len, now);
            bytes = rest;
        }
    }

    fn filling(&mut self) -> &mut Filling {
        self.filling
            .as_mut()
            .expect("only dropping the writer takes it")
    }

    fn renew_slab(&mut self) {
        if self.filling().spare().is_empty() {
            self.filling = Some(self.channel.next_slab());
        }
    }

    fn pause_changed(&mut self) -> bool {
        let paused = self.channel.lock().paused;
        mem::replace(&mut self.paused, paused) != paused
    }

    /// Starts to scan at the next whole packet: a run that begins in step with the slabs stays so.
    fn begin(&mut self) {
        let beyond = self.at % PACKET_LEN as u64;
        if beyond > 0 {
            let gap = PACKET_LEN - beyond as usize;
            self.filling().spare()[..gap].fill(0);
            self.filling().fill(gap);
            self.at += gap as u64;
            self.channel.lock().log.end = self.at;
            self.renew_slab();
        }
        self.scanner = Scanner::new(self.at);
        self.head.clear();
        self.sniffed = false;
    }

    fn end_run(&mut self) {
        let batch = self.scanner.finish(self.at);
        if !self.sniffed && !self.scanner.has_packets() && !self.head.is_empty() {
            self.call_wrong();
        }
        self.publish(batch, 0, None);
    }

    fn publish(&mut self, batch: Batch, len: usize, now: Option<Wall>) {
        if !self.sniffed && self.scanner.has_packets() {
            self.sniffed = true;
            self.head = Vec::new();
        }
        if !self.sniffed && self.head.len() >= WRONG_INPUT_BYTES {
            self.call_wrong();
        }
        let recorder = self.channel.recorder();
        let keep = recorder.as_ref().and_then(|recorder| recorder.keep());
        let mut state = self.channel.lock();
        state.received_bytes += len as u64;
        state.log.end = self.at;
        state.last_arrival = now.or(state.last_arrival);
        state.publish(batch, self.scanner.run());
        let dropped = match (keep, now) {
            (Some(keep), Some(now)) => state.keep_from(now - keep),
            _ => Vec::new(),
        };
        let followers = mem::take(&mut state.followers);
        drop(state);
        drop(dropped);
        if let Some(recorder) = recorder {
            recorder.settle();
        }
        followers.wake();
    }

    /// What came is no transport stream.
    fn call_wrong(&mut self) {
        self.sniffed = true;
        let hint = sniff(&self.head);
        let mut state = self.channel.lock();
        state.problems.report("not_mpegts", hint.clone());
        state.wrong_input = Some(Problem {
            code: "not_mpegts",
            count: 1,
            hint,
        });
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end_run();
        let mut state = self.channel.lock();
        state.source = None;
        state.filling = self.filling.take();
    }
}

/// What [`Channel::counted`] hands out.
struct Held {
    bytes: Vec<u8>,
    _counted: Counted,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
