//! Finds the packets in a stream of bytes that may start anywhere and be damaged anywhere.
//!
//! A byte 0x47 alone is no boundary: payloads are full of them. A boundary is believed when the
//! header there and those that follow it at packet distance all begin with 0x47 and announce an
//! adaptation field or a payload, as every legal header does. (Payload filled with 0x47 looks like
//! an endless row of sync bytes, but not like legal headers.) From then on each sync byte confirms
//! the next packet, until one is wrong and the search begins again at that byte.
//!
//! Packets that lie within a chunk are handed out as views of it. What a chunk's end leaves
//! undecided moves to a small carry buffer, so decisions never depend on how the stream was cut:
//! the packets are the same for any split, and each byte is handed out once, in order, either in a
//! packet or as skipped.

use crate::{PACKET_LEN, SYNC_BYTE};

/// Headers that must follow a boundary, at packet distance, before it is believed.
const CONFIRMATIONS: usize = 3;

/// Bytes of a header that are looked at while searching.
const HEADER_LEN: usize = 4;

/// Bytes from a boundary to the end of the last header that confirms it.
const CONFIRMED_LEN: usize = CONFIRMATIONS * PACKET_LEN + HEADER_LEN;

/// Room for undecided bytes, and as many again with which they are surely decided.
const CARRY_LEN: usize = 2 * CONFIRMED_LEN;

/// A stretch of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A transport packet.
    Packet {
        /// Position of its sync byte in the stream.
        offset: u64,
        /// The whole packet.
        bytes: &'a [u8; PACKET_LEN],
    },
    /// Bytes that belong to no packet.
    Skipped {
        /// Position of the first one in the stream.
        offset: u64,
        /// How many there are.
        len: u64,
    },
}

/// Cuts a stream of bytes into packets.
///
/// Skipped bytes are reported at the next packet or at the end of the chunk that decided them,
/// whichever comes first, so a long gap shows up while it lasts.
#[derive(Debug, Clone)]
pub struct Framer {
    cursor: Cursor,
    carry: [u8; CARRY_LEN],
    carry_len: usize,
}

impl Framer {
    /// A framer for a stream whose first byte has the offset `base`.
    pub const fn new(base: u64) -> Self {
        Self {
            cursor: Cursor {
                offset: base,
                skipped: 0,
                locked: false,
            },
            carry: [0; CARRY_LEN],
            carry_len: 0,
        }
    }

    /// Offset of the first byte that has not been handed out yet.
    pub const fn offset(&self) -> u64 {
        self.cursor.offset
    }

    /// Whether packet boundaries are known at the moment.
    pub const fn locked(&self) -> bool {
        self.cursor.locked
    }

    /// Takes the next bytes of the stream and hands out what they decide.
    pub fn push(&mut self, chunk: &[u8], sink: &mut impl FnMut(Frame<'_>)) {
        let chunk = self.decide_carry(chunk, sink);
        let used = self.cursor.advance(chunk, sink);
        let rest = &chunk[used..];
        if !rest.is_empty() {
            self.carry[..rest.len()].copy_from_slice(rest);
            self.carry_len = rest.len();
        }
        self.cursor.report_skipped(sink);
    }

    /// Ends the stream: hands out what was still undecided.
    ///
    /// A stream that ends before a boundary could be confirmed is believed as far as it goes, when
    /// each header that there is fits, and the last packet is whole or followed by another header.
    /// The framer is then ready for another stream that follows at the next offset.
    pub fn finish(&mut self, sink: &mut impl FnMut(Frame<'_>)) {
        let rest = &self.carry[..self.carry_len];
        let mut used = 0;
        if !self.cursor.locked
            && let Some(start) = (0..rest.len()).find(|&start| ends_in_packets(&rest[start..]))
        {
            self.cursor.skip(start);
            used = start + self.cursor.packets(&rest[start..], sink);
        }
        self.cursor.skip(rest.len() - used);
        self.cursor.report_skipped(sink);
        self.cursor.locked = false;
        self.carry_len = 0;
    }

    /// Adds bytes from `chunk` to those carried over until all of these are decided; gives the rest
    /// of the chunk. When the chunk is too short for that, it moves to the carry as a whole.
    fn decide_carry<'c>(
        &mut self,
        mut chunk: &'c [u8],
        sink: &mut impl FnMut(Frame<'_>),
    ) -> &'c [u8] {
        while self.carry_len > 0 && !chunk.is_empty() {
            let old = self.carry_len;
            let full = if self.cursor.locked {
                PACKET_LEN
            } else {
                CARRY_LEN
            };
            let added = chunk.len().min(full - old);
            let len = old + added;
            self.carry[old..len].copy_from_slice(&chunk[..added]);
            let used = self.cursor.advance(&self.carry[..len], sink);
            if used >= old {
                self.carry_len = 0;
                return &chunk[used - old..];
            }
            self.carry.copy_within(used..len, 0);
            self.carry_len = len - used;
            chunk = &chunk[added..];
        }
        chunk
    }
}

/// Where in the stream everything before has been decided, and what is known there.
#[derive(Debug, Clone)]
struct Cursor {
    /// First undecided byte.
    offset: u64,
    /// Bytes just before `offset` that are skipped but not yet reported.
    skipped: u64,
    /// Whether a packet is expected at `offset`.
    locked: bool,
}

impl Cursor {
    /// Decides as much of `bytes`, which begin at the cursor, as they allow; gives how many bytes
    /// that is. Fewer than `CONFIRMED_LEN` stay undecided, and fewer than a packet when locked.
    fn advance(&mut self, bytes: &[u8], sink: &mut impl FnMut(Frame<'_>)) -> usize {
        let mut used = 0;
        loop {
            if self.locked {
                used += self.packets(&bytes[used..], sink);
                match bytes.get(used) {
                    Some(&byte) if byte != SYNC_BYTE => self.locked = false,
                    _ => return used,
                }
            }
            let (gap, found) = search(&bytes[used..]);
            self.skip(gap);
            used += gap;
            if !found {
                return used;
            }
            self.locked = true;
        }
    }

    /// Hands out the packets that follow each other from the cursor on.
    #[inline]
    fn packets(&mut self, bytes: &[u8], sink: &mut impl FnMut(Frame<'_>)) -> usize {
        let mut offset = self.offset;
        let (packets, _) = bytes.as_chunks::<PACKET_LEN>();
        for packet in packets {
            if packet[0] != SYNC_BYTE {
                break;
            }
            self.report_skipped(sink);
            sink(Frame::Packet {
                offset,
                bytes: packet,
            });
            offset += PACKET_LEN as u64;
        }
        let used = offset - self.offset;
        self.offset = offset;
        used as usize
    }

    fn skip(&mut self, len: usize) {
        self.offset += len as u64;
        self.skipped += len as u64;
    }

    #[inline]
    fn report_skipped(&mut self, sink: &mut impl FnMut(Frame<'_>)) {
        if self.skipped > 0 {
            sink(Frame::Skipped {
                offset: self.offset - self.skipped,
                len: self.skipped,
            });
            self.skipped = 0;
        }
    }
}

/// How far it is to the first boundary that is confirmed, or might still be by bytes to come; and
/// whether it is confirmed.
fn search(bytes: &[u8]) -> (usize, bool) {
    let mut from = 0;
    while let Some(step) = bytes[from..].iter().position(|&byte| byte == SYNC_BYTE) {
        let start = from + step;
        let candidate = &bytes[start..];
        if headers_fit(candidate) {
            return (start, candidate.len() >= CONFIRMED_LEN);
        }
        from = start + 1;
    }
    (bytes.len(), false)
}

/// Whether `bytes` begin with a header that those after it confirm, as far as the bytes go.
fn headers_fit(bytes: &[u8]) -> bool {
    bytes
        .chunks(PACKET_LEN)
        .take(1 + CONFIRMATIONS)
        .all(|packet| {
            let announces_nothing = packet.get(3).is_some_and(|byte| byte & 0x30 == 0);
            packet[0] == SYNC_BYTE && !announces_nothing
        })
}

/// Whether the last bytes of a stream are packets, though too few to confirm each other in full.
fn ends_in_packets(bytes: &[u8]) -> bool {
    bytes.len() >= PACKET_LEN && headers_fit(bytes)
}
