//! Access units taken out of the log again, for what plays them one by one.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use lookback_codec::{Codec, Head, inspect};
use lookback_mpegts::{PACKET_LEN, Packet, PesHeader, Pid, Ticks};

use crate::blocks::Blocks;
use crate::clip::{Clip, Gone};
use crate::index::{Cursor, Entry};
use crate::log::block_of;
use crate::plan::Part;
use crate::segment::Segment;

/// Longest PES header: 9 bytes and as many as one byte can count.
const PES_HEADER_MAX: usize = 9 + 255;

/// Bytes of a picture that are searched for its first slice.
const HEAD_MAX: usize = 16 << 10;

/// One access unit, as a multiplexer takes it.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Position of its stream in the [`Program`](crate::Program).
    pub stream: usize,
    /// When it is shown.
    pub pts: Ticks,
    /// When it is decoded.
    pub dts: Ticks,
    /// Whether decoding can start here.
    pub random_access: bool,
    /// Its bytes without PES header, in the pieces in which they lie in the log.
    pub payload: Vec<Bytes>,
}

/// Where an access unit lies, for who reads its bytes later, through an
/// [`Elementary`](crate::Elementary).
#[derive(Clone, Debug)]
pub struct Placed {
    /// Position of its stream in the [`Program`](crate::Program).
    pub stream: usize,
    /// When it is shown.
    pub pts: Ticks,
    /// When it is decoded.
    pub dts: Ticks,
    /// Whether decoding can start here.
    pub random_access: bool,
    /// The bytes of the log in which its packets lie, among those of other streams.
    pub packets: Range<u64>,
    /// For a keyframe that comes without them, the parameter sets that hold for it.
    pub parameters: Option<Bytes>,
}

/// The access units of a clip, on one timeline, in the order of the stream.
pub struct Units {
    clip: Arc<Clip>,
    part: usize,
    next: Cursor,
    /// The keyframe that was sought, while what belongs before it may still come.
    from: Option<Entry>,
    /// The segment that is wanted of the clip.
    within: Option<Segment>,
}

impl Units {
    pub(crate) fn new(clip: Arc<Clip>) -> Self {
        let next = start_of(&clip, 0);
        Self {
            clip,
            part: 0,
            next,
            from: None,
            within: None,
        }
    }

    /// The units of a segment of the channel.
    pub(crate) fn within(clip: Arc<Clip>, segment: Segment) -> Self {
        Self {
            within: Some(segment),
            ..Self::new(clip)
        }
    }

    /// Goes to the last keyframe at or before `to`, or to the first there is.
    pub fn seek(&mut self, to: Ticks) {
        let clip = Arc::clone(&self.clip);
        let parts = clip.parts();
        let at = parts.partition_point(|part| part.key.pts + part.shift <= to);
        self.part = at.saturating_sub(1);
        self.next = start_of(&clip, self.part);
        self.from = None;
        if let Some((_, key)) = clip.key_before(self.part, to) {
            // Sound that comes with the key may have become complete before it.
            self.next = Cursor {
                block: block_of(key.offset),
                entry: 0,
            };
            self.from = Some(key);
        }
    }

    /// The next unit; `None` at the end of the clip.
    ///
    /// # Errors
    /// If the clip had to be let go.
    #[expect(
        clippy::should_implement_trait,
        reason = "fallible, and None is final only without an error"
    )]
    pub fn next(&mut self) -> Result<Option<Unit>, Gone> {
        self.next_where(|_, _| true)
    }

    /// The next keyframe; `None` at the end of the clip.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn next_key(&mut self) -> Result<Option<Unit>, Gone> {
        self.next_where(|entry, part| entry.track() == part.run.cut && entry.is(Entry::KEY))
    }

    /// Where the next unit lies; `None` at the end of the clip.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn next_placed(&mut self) -> Result<Option<Placed>, Gone> {
        let Some((at, entry)) = self.next_entry(|_, _| true)? else {
            return Ok(None);
        };
        let part = &self.clip.parts()[at];
        let track = &part.run.tracks[entry.track()];
        let is_picture = entry.track() == part.run.cut && track.codec.is_video();
        let parameters = (is_picture && entry.is(Entry::KEY) && !entry.is(Entry::PARAMETERS))
            .then(|| part.run.parameters_at(entry.offset).cloned());
        Ok(Some(Placed {
            stream: part.run.stream_of(entry.track()),
            pts: entry.pts + part.shift,
            dts: entry.dts() + part.shift,
            random_access: entry.is(Entry::KEY) || track.codec.is_audio(),
            packets: entry.bytes(),
            parameters: parameters.flatten(),
        }))
    }

    fn next_where(&mut self, wanted: impl Fn(&Entry, &Part) -> bool) -> Result<Option<Unit>, Gone> {
        let Some((at, entry)) = self.next_entry(wanted)? else {
            return Ok(None);
        };
        let part = &self.clip.parts()[at];
        let track = &part.run.tracks[entry.track()];
        let mut blocks = Blocks::new(self.clip.source());
        let mut payload = payload(&mut blocks, &entry, track.pid).ok_or(Gone)?;
        let first = self.within.as_ref().map(|within| within.offsets.start);
        let first = first.or(self.from.map(|from| from.offset));
        let is_start = entry.offset == first.unwrap_or(part.key.offset);
        let is_picture = entry.track() == part.run.cut && track.codec.is_video();
        if is_start && is_picture && !entry.is(Entry::PARAMETERS) {
            let sets = part.run.parameters_at(entry.offset);
            insert_parameters(&mut payload, track.codec, sets);
        }
        Ok(Some(Unit {
            stream: part.run.stream_of(entry.track()),
            pts: entry.pts + part.shift,
            dts: entry.dts() + part.shift,
            random_access: entry.is(Entry::KEY) || track.codec.is_audio(),
            payload,
        }))
    }

    /// The next entry that is wanted, and the part that it is in.
    fn next_entry(
        &mut self,
        wanted: impl Fn(&Entry, &Part) -> bool,
    ) -> Result<Option<(usize, Entry)>, Gone> {
        let clip = Arc::clone(&self.clip);
        clip.touch();
        while let (Some(part), Some(selected)) = (
            clip.parts().get(self.part),
            clip.layout().selections().get(self.part),
        ) {
            let mut blocks = Blocks::new(clip.source());
            let mut found = None;
            let last_block = selected.last_block;
            blocks.entries(self.next, |cursor, entry| {
                if cursor.block > last_block {
                    return false;
                }
                self.next = Cursor {
                    block: cursor.block,
                    entry: cursor.entry + 1,
                };
                let first = entry.offset == part.key.offset;
                let here = (first || selected.contains(entry)) && self.is_from_here(entry, part);
                if here && wanted(entry, part) {
                    found = Some(*entry);
                }
                found.is_none()
            });
            if clip.is_revoked() {
                return Err(Gone);
            }
            if let Some(entry) = found {
                return Ok(Some((self.part, entry)));
            }
            self.part += 1;
            self.from = None;
            if self.part < clip.parts().len() {
                self.next = start_of(&clip, self.part);
            }
        }
        Ok(None)
    }

    /// Whether a unit belongs to what comes after the keyframe that was sought.
    fn is_from_here(&self, entry: &Entry, part: &Part) -> bool {
        if let Some(within) = &self.within {
            return if entry.track() == part.run.cut {
                within.offsets.contains(&entry.offset)
            } else {
                within.span.contains(&entry.pts)
            };
        }
        let Some(from) = self.from else { return true };
        if entry.track() == part.run.cut {
            // Leading pictures lack what they refer to; behind the next key there are none of them.
            entry.offset == from.offset
                || entry.offset > from.offset && !(from.is(Entry::OPEN) && entry.pts < from.pts)
        } else {
            entry.pts >= from.pts
        }
    }
}

fn start_of(clip: &Clip, part: usize) -> Cursor {
    Cursor {
        block: block_of(clip.parts()[part].key.offset),
        entry: 0,
    }
}

/// The elementary stream bytes of a unit; `None` if the log has lost them.
pub(crate) fn payload(blocks: &mut Blocks<'_>, entry: &Entry, pid: Pid) -> Option<Vec<Bytes>> {
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut at = entry.offset;
    // A packet that was sent twice has the counter of the one before it.
    let mut last_counter = None;
    while at < entry.end() {
        let bytes = match blocks.view(at, entry.end(), PACKET_LEN) {
            Some(bytes) if bytes.len() == PACKET_LEN => bytes,
            _ => blocks.copy(at..at + PACKET_LEN as u64)?.freeze(),
        };
        at += PACKET_LEN as u64;
        let Some(packet) = bytes.first_chunk().map(Packet::new) else {
            continue;
        };
        if packet.pid() != pid
            || !packet.has_payload()
            || last_counter.replace(packet.counter()) == Some(packet.counter())
        {
            continue;
        }
        let payload = bytes.slice(PACKET_LEN - packet.payload().len()..);
        let continues = packet.unit_start() && !pieces.is_empty();
        pieces.push(if continues {
            without_header(payload)
        } else {
            payload
        });
    }
    strip_header(&mut pieces);
    Some(pieces)
}

/// Puts parameter sets where they belong in a picture that lacks them.
pub(crate) fn insert_parameters(payload: &mut Vec<Bytes>, codec: Codec, sets: Option<&Bytes>) {
    let (Some(sets), Some(first)) = (sets, payload.first().cloned()) else {
        return;
    };
    let mut head = Vec::new();
    let mut found = Head::NeedMore;
    for piece in payload.iter() {
        head.extend_from_slice(piece);
        found = inspect(codec, &head);
        if found != Head::NeedMore || head.len() > HEAD_MAX {
            break;
        }
    }
    let at = match found {
        // A delimiter is a few bytes: it lies in the first piece.
        Head::Found(picture) => picture.insert_at.min(first.len()),
        Head::NeedMore => 0,
    };
    payload.splice(0..1, [first.slice(..at), sets.clone(), first.slice(at..)]);
}

/// A PES packet that goes on with the unit of the one before it.
fn without_header(payload: Bytes) -> Bytes {
    let header_len = PesHeader::parse(&payload).map_or(0, |header| header.header_len);
    payload.slice(header_len.min(payload.len())..)
}

/// Takes the PES header off, which may reach over several packets.
fn strip_header(pieces: &mut Vec<Bytes>) {
    let mut head = Vec::new();
    for piece in pieces.iter() {
        if head.len() >= PES_HEADER_MAX {
            break;
        }
        head.extend_from_slice(piece);
    }
    let mut left = PesHeader::parse(&head).map_or(0, |header| header.header_len);
    pieces.retain_mut(|piece| {
        let off = left.min(piece.len());
        left -= off;
        *piece = piece.slice(off..);
        !piece.is_empty()
    });
}
