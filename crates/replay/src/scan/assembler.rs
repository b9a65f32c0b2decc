//! Puts the access units of one track together, packet by packet.
//!
//! Of a unit's bytes only the first are looked at: the PES header, and for video what comes up to the
//! first slice. Only these are copied.

use std::mem;

use lookback_codec::{Codec, Head, ParameterSets, Picture, inspect};
use lookback_mpegts::{PACKET_LEN, Packet, PesError, PesHeader};

/// Bytes in which the timestamps of a PES header must lie.
const HEADER_MAX: usize = 2 * PACKET_LEN;

/// Bytes of a unit that are searched for its picture.
const HEAD_MAX: usize = 16 << 10;

/// Bytes of payload in a packet that has nothing else.
const PAYLOAD_LEN: usize = PACKET_LEN - 4;

/// A unit that grows beyond this is given up.
const UNIT_BYTES_MAX: u64 = 64 << 20;

/// What a packet did to a track's unit.
pub(super) struct Assembler {
    codec: Codec,
    pub(super) parameters: ParameterSets,
    pub(super) open: Option<Open>,
    /// Packets were lost since the newest unit began.
    pub(super) lost: bool,
    /// The first bytes of the open unit; with its PES header as long as that is not whole.
    head: Vec<u8>,
}

/// A unit that is not complete yet.
pub(super) struct Open {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) first_counter: u8,
    /// Its packet says that decoding can start here; on video only a help.
    pub(super) random_access: bool,
    /// Packets of it were lost.
    pub(super) damaged: bool,
    /// Packets were lost between the beginning of the unit before and its own.
    pub(super) behind_loss: bool,
    /// Its PES header went over more than one packet.
    pub(super) split_header: bool,
    /// Counters that PAT and PMT had last when it began.
    pub(super) table_counters: [u8; 2],
    pub(super) header: Option<PesHeader>,
    pub(super) picture: Option<Picture>,
    pub(super) parameters_changed: bool,
    /// Bytes of the PES packet still to come, where its length was given.
    missing: Option<usize>,
    /// The last packet was stuffed, as only the last packet of a PES packet is.
    stuffed: bool,
    /// The timestamps as the run counts them, once they were accepted.
    pub(super) time: Option<super::timeline::Time>,
}

impl Open {
    /// Whether all bytes have come, as far as can be told before the next unit begins.
    pub(super) fn is_whole(&self) -> bool {
        match self.missing {
            Some(missing) => missing == 0,
            None => self.stuffed,
        }
    }

    pub(super) fn length_reached(&self) -> bool {
        self.missing == Some(0)
    }

    /// Whether bytes are missing for the length that was given.
    pub(super) fn is_short(&self) -> bool {
        self.missing.is_some_and(|missing| missing > 0)
    }
}

/// What [`Assembler::push`] has found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nothing to act upon.
    More,
    /// The header of the open unit is known now.
    Header,
    /// The unit is no PES packet, or too large.
    Unusable,
}

impl Assembler {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            parameters: ParameterSets::new(codec),
            open: None,
            lost: false,
            head: Vec::new(),
        }
    }

    /// Whether `packet` begins a new unit: one with a PTS, or one whose header cannot be seen yet.
    /// A PES packet without a PTS goes on with the unit before it.
    pub(super) fn begins_unit(packet: Packet<'_>) -> bool {
        packet.unit_start()
            && !matches!(
                PesHeader::parse(packet.payload()),
                Ok(PesHeader { pts: None, .. })
            )
    }

    pub(super) fn begin(&mut self, offset: u64, packet: Packet<'_>, table_counters: [u8; 2]) {
        self.head.clear();
        self.open = Some(Open {
            start: offset,
            end: offset,
            first_counter: packet.counter(),
            random_access: packet.adaptation().is_some_and(|field| field.random_access),
            damaged: false,
            behind_loss: mem::take(&mut self.lost),
            split_header: false,
            table_counters,
            header: None,
            picture: None,
            parameters_changed: false,
            missing: None,
            stuffed: false,
            time: None,
        });
    }

    /// Adds a packet to the open unit, if there is one.
    pub(super) fn push(&mut self, offset: u64, packet: Packet<'_>) -> Step {
        let Some(open) = &mut self.open else {
            return Step::More;
        };
        let payload = packet.payload();
        open.end = offset + PACKET_LEN as u64;
        open.stuffed = is_stuffed(packet);
        if open.end - open.start > UNIT_BYTES_MAX {
            return Step::Unusable;
        }
        if open.header.is_none() {
            return self.read_header(payload);
        }
        let elementary = if packet.unit_start() {
            let header_len = PesHeader::parse(payload).map_or(0, |header| header.header_len);
            payload.get(header_len..).unwrap_or_default()
        } else {
            payload
        };
        if let Some(missing) = &mut open.missing {
            *missing = missing.saturating_sub(payload.len());
        }
        if self.searching() {
            self.head.extend_from_slice(elementary);
            self.search();
        }
        Step::More
    }

    /// Does what [`Self::push`] does with a packet of nothing but payload from the middle of a unit
    /// whose picture is known. `false` if this may not be one, and then nothing was done.
    #[inline]
    pub(super) fn goes_on(&mut self, offset: u64) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let end = offset + PACKET_LEN as u64;
        if open.picture.is_none() || end - open.start > UNIT_BYTES_MAX {
            return false;
        }
        match &mut open.missing {
            Some(missing) if *missing <= PAYLOAD_LEN => return false,
            Some(missing) => *missing -= PAYLOAD_LEN,
            None => {}
        }
        open.end = end;
        open.stuffed = false;
        true
    }

    /// Tries to read the PES header from what came so far, `payload` being the newest of it.
    fn read_header(&mut self, payload: &[u8]) -> Step {
        let Some(open) = &mut self.open else {
            return Step::More;
        };
        open.split_header = !self.head.is_empty();
        self.head.extend_from_slice(payload);
        match PesHeader::parse(&self.head) {
            Ok(header) => {
                let len = 6 + usize::from(header.packet_len);
                open.missing = (header.packet_len > 0).then(|| len.saturating_sub(self.head.len()));
                open.header = Some(header);
                self.head.drain(..header.header_len.min(self.head.len()));
                self.search();
                Step::Header
            }
            Err(PesError::Truncated) if self.head.len() < HEADER_MAX => Step::More,
            Err(_) => Step::Unusable,
        }
    }

    pub(super) fn is_video(&self) -> bool {
        self.codec.is_video()
    }

    fn searching(&self) -> bool {
        self.is_video()
            && self
                .open
                .as_ref()
                .is_some_and(|open| open.picture.is_none())
            && self.head.len() < HEAD_MAX
    }

    fn search(&mut self) {
        if let Some(open) = &mut self.open
            && let Head::Found(picture) = inspect(self.codec, &self.head)
        {
            open.parameters_changed = self.parameters.update(&self.head);
            open.picture = Some(picture);
        }
    }

    /// The first bytes of the open unit behind its PES header.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }
}

/// Whether the adaptation field holds stuffing bytes (13818-1, 2.4.3.5).
fn is_stuffed(packet: Packet<'_>) -> bool {
    let bytes = packet.bytes();
    if bytes[3] & 0x20 == 0 {
        return false;
    }
    let len = usize::from(bytes[4]);
    if len == 0 {
        return true;
    }
    let flags = bytes[5];
    let mut used = 1;
    used += if flags & 0x10 != 0 { 6 } else { 0 };
    used += if flags & 0x08 != 0 { 6 } else { 0 };
    used += usize::from(flags & 0x04 != 0);
    for variable in [0x02, 0x01] {
        if flags & variable != 0 {
            used += 1 + usize::from(bytes.get(5 + used).copied().unwrap_or(0));
        }
    }
    used < len
}
