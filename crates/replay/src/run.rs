//! A run: a stretch of a stream with one continuous timeline and one format.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lookback_codec::{AudioFormat, Codec, Silence, VideoFormat, black};
use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, Pid, Ticks};

use crate::wall::{Wall, WallMap};

/// Parameter sets kept for a run: few streams ever change them within one format.
const PARAMETER_VERSIONS_MAX: usize = 8;

/// The streams of one program, and the tables that announce them.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) program_number: u16,
    pub(crate) pmt_pid: Pid,
    /// A PAT that names this program alone.
    pub(crate) pat: Vec<u8>,
    pub(crate) pmt: Vec<u8>,
    pub(crate) program_info: Vec<u8>,
    /// Where the stream carries several programs: the PIDs that belong to this one.
    pub(crate) only: Option<Arc<[Pid]>>,
}

/// A stream that is understood: its access units are in the index.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) pid: Pid,
    pub(crate) codec: Codec,
    pub(crate) stream_type: u8,
    pub(crate) stream_id: u8,
    pub(crate) descriptors: Vec<u8>,
    pub(crate) video: Option<VideoFormat>,
    pub(crate) audio: Option<AudioFormat>,
    pub(crate) silence: Option<Silence>,
}

/// See the module's documentation. The ingest publishes a new value when something is learnt; a clip
/// keeps the one it was made with.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Log offset of its first byte.
    pub(crate) start: u64,
    /// Log offset behind its last byte, once it is over.
    pub(crate) end: Option<u64>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) tracks: Arc<[Track]>,
    /// The track that is cut on: the first with video, else the first.
    pub(crate) cut: usize,
    /// Parameter sets of that track with the offset from which on they hold.
    pub(crate) parameters: Vec<(u64, Bytes)>,
    pub(crate) wall: WallMap,
    /// Where the first picture begins.
    pub(crate) first: Ticks,
    /// Where the newest complete picture ends.
    pub(crate) latest: Ticks,
    /// Last counters of all PIDs before the first key.
    pub(crate) counters_first: Arc<[(Pid, u8)]>,
    /// Last counters of all PIDs at the end.
    pub(crate) counters_last: Arc<[(Pid, u8)]>,
    /// Every PES header lies in one packet, so that timestamps can be changed packet by packet.
    pub(crate) patchable: bool,
}

impl Run {
    /// Memory that it takes. What it shares with the run before is counted with both.
    pub(crate) fn bytes(&self) -> usize {
        let sets = self.parameters.iter().map(|(_, sets)| sets.len());
        size_of::<Self>()
            + self.wall.bytes()
            + self.tracks.len() * size_of::<Track>()
            + (self.counters_first.len() + self.counters_last.len()) * size_of::<(Pid, u8)>()
            + sets.sum::<usize>()
    }

    pub(crate) fn contains(&self, offset: u64) -> bool {
        self.start <= offset && self.end.is_none_or(|end| offset < end)
    }

    pub(crate) fn learn_parameters(&mut self, offset: u64, sets: Bytes) {
        if self.parameters.len() == PARAMETER_VERSIONS_MAX {
            self.parameters.remove(0);
        }
        self.parameters.push((offset, sets));
    }

    /// The parameter sets that hold for a picture at `offset`.
    pub(crate) fn parameters_at(&self, offset: u64) -> Option<&Bytes> {
        let later = self.parameters.partition_point(|(from, _)| *from <= offset);
        self.parameters
            .get(later.saturating_sub(1))
            .map(|(_, sets)| sets)
    }

    /// Where the parameter sets begin to hold that hold for a picture at `offset`.
    pub(crate) fn parameters_since(&self, offset: u64) -> Option<u64> {
        let later = self.parameters.partition_point(|(from, _)| *from <= offset);
        let (from, _) = self.parameters.get(later.checked_sub(1)?)?;
        Some(*from)
    }

    /// Whether a player that decodes `self` goes on into `other` without noticing.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let same_track = |(a, b): (&Track, &Track)| {
            (a.pid, a.codec, a.stream_type) == (b.pid, b.codec, b.stream_type)
                && same_where_known(a.video.as_ref(), b.video.as_ref())
                && same_where_known(a.audio.as_ref(), b.audio.as_ref())
        };
        self.patchable
            && other.patchable
            && self.tables.program_number == other.tables.program_number
            && self.tables.pmt_pid == other.tables.pmt_pid
            && self.tracks.len() == other.tracks.len()
            && self.tracks.iter().zip(other.tracks.iter()).all(same_track)
    }

    /// Moves the run back so that it ends before `next` begins. Of a source that is read faster than
    /// real time, a run ends at the moment it was read, and so does the next.
    pub(crate) fn end_before(&self, next: &Self) -> Option<Self> {
        if self.latest < self.first || next.latest < next.first {
            return None;
        }
        let (end, start) = (self.wall(self.latest), next.wall(next.first));
        (end > start).then(|| {
            let mut moved = self.clone();
            moved.wall.move_back(end.since(start));
            moved
        })
    }

    pub(crate) fn wall(&self, at: Ticks) -> Wall {
        self.wall.wall(at)
    }

    /// Position of a track among the streams of [`Self::program`].
    pub(crate) fn stream_of(&self, track: usize) -> usize {
        match track {
            track if track == self.cut => 0,
            track => track + usize::from(track < self.cut),
        }
    }

    pub(crate) fn program(&self) -> Program {
        // The track that is cut on goes first: OBS seeks on stream 0, whatever it is.
        let order = std::iter::once(self.cut)
            .chain((0..self.tracks.len()).filter(|&track| track != self.cut));
        let order: Vec<usize> = order.collect();
        Program {
            config: MuxerConfig {
                transport_stream_id: 1,
                program_number: self.tables.program_number,
                pmt_pid: self.tables.pmt_pid,
                program_info: self.tables.program_info.clone(),
                streams: order
                    .iter()
                    .map(|&track| self.tracks[track].mux_stream())
                    .collect(),
            },
            codecs: order
                .iter()
                .map(|&track| self.tracks[track].codec)
                .collect(),
            silences: order
                .iter()
                .map(|&track| self.tracks[track].silence.clone())
                .collect(),
            video: self.tracks[self.cut].video.clone(),
            audio: order
                .iter()
                .map(|&track| self.tracks[track].audio.clone())
                .collect(),
        }
    }
}

impl Track {
    fn mux_stream(&self) -> MuxStream {
        MuxStream {
            pid: self.pid,
            stream_type: self.stream_type,
            stream_id: self.stream_id,
            descriptors: self.descriptors.clone(),
        }
    }

    /// How long a picture is shown where nothing tells it better.
    pub(crate) fn nominal_frame(&self) -> Ticks {
        let rate = self.video.as_ref().and_then(|video| video.frame_rate);
        match rate {
            Some((num, den)) if num > 0 && den > 0 => {
                Ticks(90_000 * i64::from(den) / i64::from(num))
            }
            _ => Ticks(3000),
        }
    }
}

fn same_where_known<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// The streams of a clip or of a live channel, as a multiplexer needs them.
#[derive(Clone, Debug)]
pub struct Program {
    config: MuxerConfig,
    codecs: Vec<Codec>,
    silences: Vec<Option<Silence>>,
    video: Option<VideoFormat>,
    audio: Vec<Option<AudioFormat>>,
}

impl Program {
    /// A multiplexer for these streams.
    pub fn muxer(&self) -> Muxer {
        Muxer::new(self.config.clone())
    }

    /// The streams in a form to hand to [`Muxer::set_program`].
    pub fn config(&self) -> &MuxerConfig {
        &self.config
    }

    /// What each stream carries.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// How the pictures of the first stream look, once it is known.
    pub fn video(&self) -> Option<&VideoFormat> {
        self.video.as_ref()
    }

    /// How the sound of a stream is made, once it is known.
    pub fn audio(&self, stream: usize) -> Option<&AudioFormat> {
        self.audio.get(stream)?.as_ref()
    }

    /// A black keyframe for the first stream; `None` where it is not known how to make one.
    pub fn black(&self) -> Option<Bytes> {
        Some(black(self.video.as_ref()?)?.into())
    }

    /// What to send on a stream when there is nothing to be heard; `None` where it is not known.
    pub fn silence(&self, stream: usize) -> Option<&Silence> {
        self.silences.get(stream)?.as_ref()
    }
}

/// A gap in arrival after which a connected source counts as silent.
pub const SILENCE: Duration = Duration::from_secs(2);
