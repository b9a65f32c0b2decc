//! Sound on its way into a file: the frames in the packets of a stream.
//!
//! A PES packet has a time and some frames, and a frame may go on in the next. In a file each frame is a
//! sample, and they follow each other by their own length. So the times of packets are only looked at to see
//! whether sound is missing (then the frame before it lasts longer) or is there twice, where two runs
//! meet (then it is left out). What differs by less than half a frame is the rounding of timestamps.

use std::ops::Range;

use lookback_codec::{
    AudioFormat, AudioFrame, Codec, audio_configuration, audio_format, audio_frames,
};
use lookback_mpegts::{Pid, Ticks};
use lookback_replay::{Elementary, Gone, Placed};

use crate::content::{Content, Start};
use crate::timing::Timing;

/// The begin of a frame that waits for its end is never longer.
const FRAME_MAX: usize = 16 << 10;

/// A sound stream.
pub(crate) struct Sound {
    pub(crate) timing: Timing,
    codec: Codec,
    pid: Pid,
    descriptors: Vec<u8>,
    known: Option<(AudioFormat, Vec<u8>)>,
    /// The begin of a frame whose end is still to come, then the unit at hand.
    bytes: Vec<u8>,
    /// Packets in which reading can be taken up, by position in `bytes`; of the first one the begin may
    /// be gone.
    packets: Vec<(i64, u64)>,
    /// Where the unit before ends, and when its last frame does.
    end: u64,
    clock: i64,
}

impl Sound {
    pub(crate) fn new(codec: Codec, pid: Pid, descriptors: &[u8]) -> Self {
        Self {
            timing: Timing::default(),
            codec,
            pid,
            descriptors: descriptors.to_vec(),
            known: None,
            bytes: Vec::new(),
            packets: Vec::new(),
            end: 0,
            clock: 0,
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Its format and what the file says of it, once a frame has told.
    pub(crate) fn known(&self) -> Option<&(AudioFormat, Vec<u8>)> {
        self.known.as_ref()
    }

    /// Adds the frames of the unit at `placed`, in which `source` stands, that begin in `span`. Says
    /// whether there were any.
    pub(crate) fn push(
        &mut self,
        track: usize,
        placed: &Placed,
        source: &mut Elementary<'_>,
        content: &mut Content,
        (span, goes_on): (&Range<Ticks>, bool),
    ) -> Result<bool, Gone> {
        let begun = self.read(placed, source)?;
        if self.known.is_none() {
            self.known = audio_format(self.codec, &self.bytes, &self.descriptors).zip(
                audio_configuration(self.codec, &self.bytes, &self.descriptors),
            );
        }
        let Some(rate) = self.known.as_ref().map(|(format, _)| format.sample_rate) else {
            self.bytes.clear();
            self.packets.clear();
            return Ok(false);
        };
        let frames: Vec<AudioFrame> = audio_frames(self.codec, &self.bytes).collect();
        let span = in_scale(span.start, rate)..in_scale(span.end, rate);
        let mut is_timed = false;
        let mut added = false;
        // Where the last frame ends that was added.
        let mut last_end = None;
        for frame in &frames {
            if frame.bytes.end > self.bytes.len() {
                break;
            }
            if frame.samples == 0 {
                if last_end == Some(frame.bytes.start) {
                    self.lengthen(frame, content);
                    last_end = Some(frame.bytes.end);
                }
                continue;
            }
            // A frame that goes on from the unit before has its time from there.
            if frame.bytes.start >= begun && !is_timed {
                self.clock = in_scale(placed.pts, rate);
                is_timed = true;
            }
            if span.contains(&self.clock) && self.is_due(frame.samples) {
                self.add(track, frame, content, goes_on || added);
                added = true;
                last_end = Some(frame.bytes.end);
            }
            self.clock += i64::from(frame.samples);
        }
        self.keep_rest(&frames);
        Ok(added)
    }

    /// Reads the unit behind what is kept of the one before, if it goes on there. Gives where it begins.
    fn read(&mut self, placed: &Placed, source: &mut Elementary<'_>) -> Result<usize, Gone> {
        let between = self.end..placed.packets.start;
        let goes_on = !self.bytes.is_empty()
            && between.start <= between.end
            && source.is_free_of(self.pid, between)?;
        if !goes_on {
            self.bytes.clear();
            self.packets.clear();
        }
        self.end = placed.packets.end;
        let begun = self.bytes.len();
        self.packets.push((begun as i64, placed.packets.start));
        loop {
            let bytes = source.peek()?;
            if bytes.is_empty() {
                return Ok(begun);
            }
            let len = bytes.len();
            let at = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            if let Some(packet) = source.packet().filter(|_| at > begun) {
                self.packets.push((at as i64, packet));
            }
            source.consume(len);
        }
    }

    /// Whether a frame at the time of the clock is not there already; a hole in front of it is closed.
    fn is_due(&mut self, samples: u32) -> bool {
        let time = self.clock;
        if self.timing.is_empty() {
            self.timing.first = time;
            self.timing.end = time;
        }
        let rounding = i64::from(samples) / 2;
        if time > self.timing.end + rounding {
            self.timing.stretch_until(time);
        }
        time + rounding >= self.timing.end
    }

    fn add(&mut self, track: usize, frame: &AudioFrame, content: &mut Content, goes_on: bool) {
        let begin = frame.bytes.start + frame.framing;
        let place = self.start(begin);
        let len = (frame.bytes.end - begin) as u32;
        self.timing.place(content.len(), goes_on);
        self.timing.push_frame(len, frame.samples);
        content.push_frame(track, place, len);
    }

    /// A frame that sounds together with the one before belongs to the same sample.
    fn lengthen(&mut self, frame: &AudioFrame, content: &mut Content) {
        let len = frame.bytes.len() as u32;
        if let Some(size) = self.timing.sizes.last_mut() {
            *size += len;
            content.extend(len);
        }
    }

    /// Where in the log a byte lies that is at hand.
    fn start(&self, at: usize) -> Start {
        let at = at as i64;
        let later = self
            .packets
            .partition_point(|&(position, _)| position <= at);
        let (position, packet) = self.packets[later - 1];
        Start {
            packet,
            skip: (at - position) as u16,
        }
    }

    /// Keeps the begin of a frame that goes on in the next unit.
    fn keep_rest(&mut self, frames: &[AudioFrame]) {
        let whole = frames
            .iter()
            .rev()
            .find(|frame| frame.bytes.end <= self.bytes.len());
        let cut = frames
            .last()
            .filter(|frame| frame.bytes.end > self.bytes.len());
        let from = match (cut, whole) {
            (Some(cut), _) => cut.bytes.start,
            (None, Some(whole)) => whole.bytes.end,
            (None, None) => self.bytes.len(),
        };
        if from == self.bytes.len() || self.bytes.len() - from > FRAME_MAX {
            self.bytes.clear();
            self.packets.clear();
            return;
        }
        self.bytes.drain(..from);
        let from = from as i64;
        let later = self
            .packets
            .partition_point(|&(position, _)| position <= from);
        self.packets.drain(..later - 1);
        for (position, _) in &mut self.packets {
            *position -= from;
        }
    }
}

/// A time in units of `scale` a second, rounded.
pub(crate) fn in_scale(time: Ticks, scale: u32) -> i64 {
    let scaled = i128::from(time.0) * i128::from(scale);
    let rounded = (scaled * 2 + 90_000).div_euclid(180_000);
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}
