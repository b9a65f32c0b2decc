//! The bytes of one stream as they lie in the log, without the packets around them.
//!
//! [`Units`](crate::Units) hands out what is played: each unit with its bytes, in as many pieces as
//! there are packets. Who makes a file of a clip needs something else: to look at every unit once,
//! to remember where it lies, and to copy its bytes when they are asked for. That is an
//! [`Elementary`]: it stands in a packet and goes on from there, and what it gives are plain slices
//! of the slabs.

use std::ops::Range;
use std::sync::Arc;

use lookback_mpegts::{PACKET_LEN, Packet, PesError, PesHeader, Pid};

use crate::blocks::Blocks;
use crate::clip::{Clip, Gone};
use crate::log::{Block, block_of};
use crate::slab::SLAB_LEN;

const PACKET: u64 = PACKET_LEN as u64;

/// Longest PES header: 9 bytes and as many as one byte can count.
const HEADER_MAX: usize = 9 + 255;

/// See the module's documentation. PES headers are taken off, packets that were sent twice are taken
/// once.
pub struct Elementary<'a> {
    clip: &'a Clip,
    blocks: Blocks<'a>,
    pid: Pid,
    /// Log offsets of the next packet and of the end.
    left: Range<u64>,
    /// The block in which the packet lies, if it lies in one.
    block: Option<(u64, Arc<Block>)>,
    /// A packet that lies in two.
    over_edge: [u8; PACKET_LEN],
    /// What is left of the packet's payload, in its bytes, and where it began.
    payload: Range<usize>,
    begin: usize,
    source: Source,
    last_counter: Option<u8>,
    /// The beginning of a PES header that goes on in the next packet.
    header: Vec<u8>,
    /// Where the packet begins, and whether reading can be taken up there again.
    packet: u64,
    begins_clean: bool,
}

#[derive(Clone, Copy)]
enum Source {
    /// Offset of the packet in its slab.
    Slab(usize),
    OverEdge,
}

impl Clip {
    /// The bytes of a stream of its, none yet: see [`Elementary::stand`].
    pub fn elementary(&self) -> Elementary<'_> {
        self.touch();
        Elementary {
            clip: self,
            blocks: Blocks::new(self.source()),
            pid: Pid::NULL,
            left: 0..0,
            block: None,
            over_edge: [0; PACKET_LEN],
            payload: 0..0,
            begin: 0,
            source: Source::OverEdge,
            last_counter: None,
            header: Vec::new(),
            packet: 0,
            begins_clean: true,
        }
    }
}

impl Elementary<'_> {
    /// Goes to the packets of `pid` in these bytes of the log.
    pub fn stand(&mut self, pid: Pid, packets: Range<u64>) {
        self.pid = pid;
        self.left = packets;
        self.payload = 0..0;
        self.begin = 0;
        self.last_counter = None;
        self.header.clear();
    }

    /// The next bytes, at least one; none at the end.
    ///
    /// # Errors
    /// If the clip had to be let go.
    #[inline]
    pub fn peek(&mut self) -> Result<&[u8], Gone> {
        if self.payload.is_empty() {
            self.next_packet()?;
        }
        Ok(match (self.source, &self.block) {
            (Source::Slab(at), Some((_, block))) => {
                &block.slab.filled()[at..][self.payload.clone()]
            }
            _ => &self.over_edge[self.payload.clone()],
        })
    }

    /// Goes on behind the next `len` of the bytes that [`Self::peek`] gave.
    #[inline]
    pub fn consume(&mut self, len: usize) {
        self.payload.start = self.payload.end.min(self.payload.start + len);
    }

    /// Steps over the next `len` bytes.
    ///
    /// # Errors
    /// If there are not so many: the clip had to be let go.
    pub fn skip(&mut self, mut len: u64) -> Result<(), Gone> {
        while len > 0 {
            let here = self.peek()?.len();
            if here == 0 {
                return Err(Gone);
            }
            let step = usize::try_from(len).map_or(here, |len| len.min(here));
            self.consume(step);
            len -= step as u64;
        }
        Ok(())
    }

    /// Copies the next `len` bytes behind what is in `out`.
    ///
    /// # Errors
    /// If there are not so many: the clip had to be let go.
    pub fn copy(&mut self, mut len: usize, out: &mut Vec<u8>) -> Result<(), Gone> {
        while len > 0 {
            let here = self.peek()?;
            if here.is_empty() {
                return Err(Gone);
            }
            let step = len.min(here.len());
            append(out, &here[..step]);
            self.consume(step);
            len -= step;
        }
        Ok(())
    }

    /// The log offset of the packet in which the bytes of [`Self::peek`] lie, if one can stand there
    /// to read the same bytes again. It is not so where a PES header ends in the packet that began
    /// in the one before.
    pub fn packet(&self) -> Option<u64> {
        self.begins_clean.then_some(self.packet)
    }

    /// The bytes of that packet that were consumed, of those that [`Self::peek`] gives.
    pub fn consumed(&self) -> u16 {
        // A packet is far shorter.
        (self.payload.start - self.begin) as u16
    }

    /// Whether these bytes of the log are whole packets, none of which is of `pid`.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn is_free_of(&mut self, pid: Pid, mut bytes: Range<u64>) -> Result<bool, Gone> {
        while bytes.start + PACKET <= bytes.end {
            let copy = self.blocks.copy(bytes.start..bytes.start + PACKET);
            let copy = copy.ok_or(Gone)?;
            let packet = copy.first_chunk().map(Packet::new).ok_or(Gone)?;
            if packet.bytes()[0] != lookback_mpegts::SYNC_BYTE || packet.pid() == pid {
                return Ok(false);
            }
            bytes.start += PACKET;
        }
        Ok(bytes.is_empty())
    }

    /// Copies all that is left behind what is in `out`.
    ///
    /// # Errors
    /// If the clip had to be let go.
    pub fn copy_rest(&mut self, out: &mut Vec<u8>) -> Result<(), Gone> {
        loop {
            let here = self.peek()?;
            if here.is_empty() {
                return Ok(());
            }
            append(out, here);
            self.payload.start = self.payload.end;
        }
    }

    fn next_packet(&mut self) -> Result<(), Gone> {
        while self.left.start < self.left.end {
            let at = self.left.start;
            let number = block_of(at);
            if self
                .block
                .as_ref()
                .is_none_or(|(known, _)| *known != number)
            {
                let block = self.blocks.block(number).cloned();
                if self.clip.is_revoked() {
                    return Err(Gone);
                }
                self.block = Some((number, block.ok_or(Gone)?));
            }
            let Some((_, block)) = &self.block else {
                return Err(Gone);
            };
            let from = (at % SLAB_LEN as u64) as usize;
            let filled = block.slab.filled();
            let payload = match filled.get(from..).and_then(|bytes| bytes.first_chunk()) {
                Some(bytes) => {
                    // Most packets are of another stream, or in the middle of a unit of this one.
                    let packet = Packet::new(bytes);
                    let wanted = packet.pid() == self.pid && packet.has_payload();
                    self.source = Source::Slab(from);
                    wanted.then(|| {
                        (
                            packet.counter(),
                            packet.unit_start(),
                            packet.payload().len(),
                        )
                    })
                }
                None => {
                    let copy = self.blocks.copy(at..at + PACKET).ok_or(Gone)?;
                    self.over_edge.copy_from_slice(&copy);
                    let packet = Packet::new(&self.over_edge);
                    let wanted = packet.pid() == self.pid && packet.has_payload();
                    self.source = Source::OverEdge;
                    wanted.then(|| {
                        (
                            packet.counter(),
                            packet.unit_start(),
                            packet.payload().len(),
                        )
                    })
                }
            };
            self.left.start += PACKET;
            let Some((counter, unit_start, len)) = payload else {
                continue;
            };
            if self.last_counter.replace(counter) == Some(counter) {
                continue;
            }
            self.packet = at;
            self.payload = PACKET_LEN - len..PACKET_LEN;
            self.begins_clean = true;
            if unit_start || !self.header.is_empty() {
                self.take_header_off(unit_start);
            }
            self.begin = self.payload.start;
            if !self.payload.is_empty() {
                return Ok(());
            }
        }
        self.payload = 0..0;
        Ok(())
    }

    /// Takes off the packet's payload what of it is PES header.
    #[cold]
    fn take_header_off(&mut self, unit_start: bool) {
        let bytes = match (self.source, &self.block) {
            (Source::Slab(at), Some((_, block))) => &block.slab.filled()[at..][..PACKET_LEN],
            _ => &self.over_edge[..],
        };
        let payload = &bytes[self.payload.clone()];
        if unit_start {
            self.header.clear();
        }
        self.begins_clean = self.header.is_empty();
        let before = self.header.len();
        self.header.extend_from_slice(payload);
        let len = match PesHeader::parse(&self.header) {
            Ok(header) => header.header_len,
            Err(PesError::Truncated) if self.header.len() < HEADER_MAX => usize::MAX,
            Err(_) => 0,
        };
        if len <= self.header.len() {
            self.header.clear();
        }
        let off = len.saturating_sub(before).min(payload.len());
        self.payload.start += off;
    }
}

/// Most pieces are the whole payload of a packet: how long that is the compiler knows.
#[inline]
fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    const PAYLOAD_LEN: usize = PACKET_LEN - 4;
    match <&[u8; PAYLOAD_LEN]>::try_from(bytes) {
        Ok(payload) => out.extend_from_slice(payload),
        Err(_) => out.extend_from_slice(bytes),
    }
}
