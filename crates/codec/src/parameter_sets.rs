//! Parameter sets, remembered as they last came.
//!
//! An encoder may send them once. Whoever joins later, at a cut, needs them in front of the first
//! picture, so the sets of a stream are kept by their kind and id: SPS and PPS for H.264, VPS, SPS
//! and PPS for HEVC, the sequence header with its extensions for MPEG-2.

use crate::format::VideoFormat;
use crate::{Codec, h264, hevc, mpeg2};

/// The parameter sets of one video stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSets {
    codec: Codec,
    /// Sorted by key, which is the order they are sent in.
    sets: Vec<Set>,
}

impl ParameterSets {
    /// None known yet. For an audio codec there never are any.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            sets: Vec::new(),
        }
    }

    /// Takes over the parameter sets in the head of an access unit, and says whether any was new or
    /// different.
    ///
    /// Only sets that are whole are taken, that is, followed by another start code; so a head is
    /// long enough when [`inspect`](crate::inspect) finds its picture.
    pub fn update(&mut self, head: &[u8]) -> bool {
        match self.codec {
            Codec::H264 => self.store_all(h264::parameter_sets(head)),
            Codec::Hevc => self.store_all(hevc::parameter_sets(head)),
            Codec::Mpeg2Video => self.store_all(mpeg2::sequence_headers(head)),
            _ => false,
        }
    }

    /// Whether there is one of each kind that a decoder needs.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let kinds: &[Kind] = match self.codec {
            Codec::H264 => &[Kind::Sequence, Kind::Picture],
            Codec::Hevc => &[Kind::Video, Kind::Sequence, Kind::Picture],
            _ => &[Kind::Sequence],
        };
        kinds.iter().all(|&kind| self.first(kind).is_some())
    }

    /// All of them with start codes, in the order that a decoder needs them.
    #[must_use]
    pub fn annex_b(&self) -> Vec<u8> {
        self.sets
            .iter()
            .flat_map(|set| [&START_CODE[..], &set.bytes])
            .flatten()
            .copied()
            .collect()
    }

    /// What they say of the pictures, from the sequence parameter set with the lowest id.
    #[must_use]
    pub fn video_format(&self) -> Option<VideoFormat> {
        let sequence = self.first(Kind::Sequence)?;
        match self.codec {
            Codec::H264 => h264::video_format(sequence),
            Codec::Hevc => hevc::video_format(sequence),
            Codec::Mpeg2Video => mpeg2::video_format(sequence),
            _ => None,
        }
    }

    /// The set that is known by this now.
    pub(crate) fn set(&self, kind: Kind, id: u32) -> Option<&[u8]> {
        let at = self
            .sets
            .binary_search_by_key(&Key { kind, id }, |set| set.key);
        Some(&self.sets[at.ok()?].bytes)
    }

    /// Each of them from its NAL header, or MPEG-2's start code value, on, in the order that a decoder
    /// needs them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.sets.iter().map(|set| &set.bytes[..])
    }

    /// The codec of the stream.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        let sets = self.sets.iter().filter(move |set| set.key.kind == kind);
        sets.map(|set| &set.bytes[..])
    }

    fn first(&self, kind: Kind) -> Option<&[u8]> {
        self.of(kind).next()
    }

    fn store_all<'a>(&mut self, sets: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut changed = false;
        for set in sets {
            changed |= self.store(set);
        }
        changed
    }

    /// Stores a set, unless it is known, and says whether that changed anything.
    fn store(&mut self, bytes: &[u8]) -> bool {
        // Most pictures repeat what is known: finding the same bytes spares parsing them.
        if bytes.len() > SET_BYTES_MAX || self.sets.iter().any(|set| set.bytes == bytes) {
            return false;
        }
        let key = match self.codec {
            Codec::H264 => h264::key(bytes),
            Codec::Hevc => hevc::key(bytes),
            _ => mpeg2::key(bytes),
        };
        let Some(key) = key else {
            return false;
        };
        let held: usize = self.sets.iter().map(|set| set.bytes.len()).sum();
        if held + bytes.len() > TOTAL_BYTES_MAX {
            // No encoder sends this much: it was damage, and the stream's own sets come again.
            self.sets.clear();
        }
        let set = Set {
            key,
            bytes: bytes.to_vec(),
        };
        match self.sets.binary_search_by_key(&key, |set| set.key) {
            Ok(at) => self.sets[at] = set,
            Err(at) => self.sets.insert(at, set),
        }
        true
    }
}

/// What a set is known by: a later one with the same key takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) id: u32,
}

impl Key {
    /// A key whose id lies below `ids`, the number of ids that the standard has for the kind.
    pub(crate) fn new(kind: Kind, id: u32, ids: u32) -> Option<Self> {
        (id < ids).then_some(Self { kind, id })
    }
}

/// The kinds in the order that they refer to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Video,
    Sequence,
    Picture,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    key: Key,
    /// From the NAL header, or MPEG-2's start code value, on.
    bytes: Vec<u8>,
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Real sets are well below 1 KiB; the longest an SPS can sensibly be, with every list in it, is a few.
const SET_BYTES_MAX: usize = 8 * 1024;

/// A bound for one stream, far above 32 SPS and 256 PPS of usual size.
const TOTAL_BYTES_MAX: usize = 64 * 1024;
