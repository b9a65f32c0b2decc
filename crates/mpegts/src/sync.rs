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
            && let Some(start) = (0..rest.len()).find(|&start| headers_fit(&rest[start..]))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame without its bytes: whether it is a packet, where it starts, how long it is.
    type Piece = (bool, u64, u64);

    /// Pushes a stream in chunks of these lengths, over and over. Checks that the pieces follow each
    /// other and that packets have the bytes of their offset; joins neighbouring skipped pieces.
    fn frames(stream: &[u8], base: u64, chunk_lens: &[usize]) -> Vec<Piece> {
        let mut framer = Framer::new(base);
        let mut pieces: Vec<Piece> = Vec::new();
        let mut next = base;
        let mut sink = |frame: Frame<'_>| {
            let (packet, offset, len) = match frame {
                Frame::Packet { offset, bytes } => {
                    let at = (offset - base) as usize;
                    assert_eq!(bytes[..], stream[at..at + PACKET_LEN]);
                    (true, offset, PACKET_LEN as u64)
                }
                Frame::Skipped { offset, len } => (false, offset, len),
            };
            assert_eq!(offset, next, "each byte once, in order");
            assert!(len > 0);
            next += len;
            match pieces.last_mut() {
                Some((false, _, before)) if !packet => *before += len,
                _ => pieces.push((packet, offset, len)),
            }
        };
        let mut rest = stream;
        for &len in chunk_lens.iter().cycle() {
            let (chunk, later) = rest.split_at(len.min(rest.len()));
            framer.push(chunk, &mut sink);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        framer.finish(&mut sink);
        assert_eq!(next, base + stream.len() as u64, "every byte");
        assert_eq!(framer.offset(), next);
        pieces
    }

    /// The rule itself, over a stream that lies there as a whole.
    fn frames_by_the_rule(stream: &[u8], base: u64) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut locked = false;
        let mut at = 0;
        while at < stream.len() {
            let rest = &stream[at..];
            let headers: Vec<&[u8]> = (0..=CONFIRMATIONS)
                .filter_map(|n| rest.get(n * PACKET_LEN..))
                .filter(|header| !header.is_empty())
                .collect();
            let fit = headers.iter().all(|header| {
                header[0] == SYNC_BYTE && header.get(3).is_none_or(|byte| byte & 0x30 != 0)
            });
            let whole = rest.len() >= PACKET_LEN;
            locked = if locked {
                rest[0] == SYNC_BYTE
            } else {
                fit && whole
            };
            let offset = base + at as u64;
            if locked && whole {
                pieces.push((true, offset, PACKET_LEN as u64));
                at += PACKET_LEN;
                continue;
            }
            let len = if locked { rest.len() } else { 1 };
            match pieces.last_mut() {
                Some((false, _, before)) => *before += len as u64,
                _ => pieces.push((false, offset, len as u64)),
            }
            at += len;
        }
        pieces
    }

    fn packet(pid: u8, counter: usize, fill: u8) -> [u8; PACKET_LEN] {
        let mut bytes = [fill; PACKET_LEN];
        bytes[..4].copy_from_slice(&[SYNC_BYTE, 1, pid, 0x10 | counter as u8 & 0x0f]);
        bytes
    }

    fn packets(count: usize, fill: u8) -> Vec<u8> {
        (0..count).flat_map(|n| packet(0, n, fill)).collect()
    }

    fn expect(pieces: &[(bool, u64)]) -> Vec<Piece> {
        let mut next = 0;
        let place = |&(packet, len)| {
            next += len;
            (packet, next - len, len)
        };
        pieces.iter().map(place).collect()
    }

    const PACKET: (bool, u64) = (true, PACKET_LEN as u64);

    #[test]
    fn a_clean_stream_is_all_packets_however_short() {
        assert!(frames(&[], 0, &[1]).is_empty());
        for count in 1..8 {
            assert_eq!(
                frames(&packets(count, 0), 0, &[5000]),
                expect(&vec![PACKET; count])
            );
        }
    }

    #[test]
    fn a_stream_that_begins_within_a_packet_is_found() {
        for start in 1..PACKET_LEN {
            let stream = &packets(5, 0)[start..];
            let mut pieces = vec![PACKET; 5];
            pieces[0] = (false, (PACKET_LEN - start) as u64);
            assert_eq!(
                frames(stream, 0, &[5000]),
                expect(&pieces),
                "cut at {start}"
            );
        }
    }

    #[test]
    fn payload_of_sync_bytes_does_not_mislead() {
        for start in 1..PACKET_LEN {
            let stream = &packets(8, SYNC_BYTE)[start..];
            let mut pieces = vec![PACKET; 8];
            pieces[0] = (false, (PACKET_LEN - start) as u64);
            assert_eq!(
                frames(stream, 0, &[5000]),
                expect(&pieces),
                "cut at {start}"
            );
        }
    }

    #[test]
    fn a_payload_that_looks_like_headers_is_seen_through() {
        // Three headers at packet distance, one fewer than are believed, and then a real stream.
        let mut stream = vec![0; 100];
        for _ in 0..CONFIRMATIONS {
            stream.extend([SYNC_BYTE, 1, 0, 0x10]);
            stream.resize(stream.len() + PACKET_LEN - 4, 0);
        }
        stream.extend([0; 50]);
        let gap = stream.len() as u64;
        stream.extend(packets(4, 0));
        assert_eq!(
            frames(&stream, 0, &[5000]),
            expect(&[(false, gap), PACKET, PACKET, PACKET, PACKET])
        );
    }

    #[test]
    fn a_broken_sync_byte_costs_its_packet_only() {
        let mut stream = packets(9, 0);
        stream[4 * PACKET_LEN] = 0x46;
        let mut pieces = vec![PACKET; 9];
        pieces[4].0 = false;
        assert_eq!(frames(&stream, 0, &[5000]), expect(&pieces));
    }

    #[test]
    fn lost_and_added_bytes_are_found_behind() {
        let mut stream = packets(9, 0);
        stream.drain(3 * PACKET_LEN + 50..3 * PACKET_LEN + 90);
        // The damaged packet is taken for whole; only the next one's sync byte is missed.
        let mut pieces = vec![PACKET; 9];
        pieces[4] = (false, (PACKET_LEN - 40) as u64);
        assert_eq!(frames(&stream, 0, &[5000]), expect(&pieces));

        let mut stream = packets(4, 0);
        stream.extend([0xaa; 333]);
        stream.extend(packets(4, 0));
        let mut pieces = vec![PACKET; 9];
        pieces[4] = (false, 333);
        assert_eq!(frames(&stream, 0, &[5000]), expect(&pieces));
    }

    #[test]
    fn what_follows_the_last_packet_is_skipped() {
        let mut stream = packets(2, 0);
        stream.extend(&packets(1, 0)[..99]);
        assert_eq!(
            frames(&stream, 0, &[5000]),
            expect(&[PACKET, PACKET, (false, 99)])
        );
        // Half a packet alone is none.
        assert_eq!(frames(&stream[..99], 0, &[5000]), expect(&[(false, 99)]));
        // Nor is one followed by something else.
        let mut stream = packets(1, 0);
        stream.push(0);
        assert_eq!(frames(&stream, 0, &[5000]), expect(&[(false, 189)]));
    }

    #[test]
    fn packets_within_a_chunk_are_not_copied() {
        let stream = packets(20, 0);
        let (first, second) = stream.split_at(1000);
        let mut framer = Framer::new(0);
        let mut copies = 0;
        for chunk in [first, second] {
            framer.push(chunk, &mut |frame| {
                if let Frame::Packet { bytes, .. } = frame {
                    copies += usize::from(!chunk.as_ptr_range().contains(&bytes.as_ptr()));
                }
            });
        }
        assert_eq!(copies, 1, "the packet that lies across");
    }

    #[test]
    fn skipped_bytes_show_up_while_the_gap_lasts() {
        let mut framer = Framer::new(7);
        let mut seen = Vec::new();
        framer.push(&[0; 3000], &mut |frame| seen.push(format!("{frame:?}")));
        assert_eq!(seen, ["Skipped { offset: 7, len: 3000 }"]);
        assert_eq!(framer.offset(), 3007);
        assert!(!framer.locked());
    }

    #[test]
    fn a_finished_framer_takes_another_stream() {
        let mut framer = Framer::new(0);
        let mut pieces = Vec::new();
        for gap in [0, 200] {
            // A sync byte in front, which only a framer that still believes the last stream takes.
            let stream = [&[SYNC_BYTE; 200][..gap], &packets(5, 0)[..]].concat();
            let mut sink = |frame: Frame<'_>| {
                pieces.push(match frame {
                    Frame::Packet { offset, .. } => (true, offset, PACKET_LEN as u64),
                    Frame::Skipped { offset, len } => (false, offset, len),
                });
            };
            framer.push(&stream, &mut sink);
            framer.finish(&mut sink);
        }
        let mut expected = vec![PACKET; 11];
        expected[5] = (false, 200);
        assert_eq!(pieces, expect(&expected));
    }

    /// Pieces of streams: packets, damaged packets, noise, and all that looks like sync bytes.
    fn any_part() -> impl Strategy<Value = Vec<u8>> {
        let fill = prop_oneof![Just(SYNC_BYTE), Just(0x10), any::<u8>()];
        let run = (1_usize..9, any::<u8>(), fill).prop_map(|(count, pid, fill)| {
            (0..count)
                .flat_map(|n| packet(pid, n, fill))
                .collect::<Vec<_>>()
        });
        let noise = prop::collection::vec(any::<u8>(), 0..700);
        let trap = prop::collection::vec(prop_oneof![Just(SYNC_BYTE), Just(0x30)], 0..700);
        prop_oneof![
            4 => run.clone(),
            2 => (run.clone(), 0_usize..188).prop_map(|(run, cut)| run[cut..].to_vec()),
            2 => (run, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut run, at, byte)| {
                let at = at.index(run.len());
                run[at] = byte;
                run[at / PACKET_LEN * PACKET_LEN] ^= byte & 1;
                run
            }),
            1 => noise,
            1 => trap,
        ]
    }

    proptest! {
        #[test]
        fn frames_follow_the_rule_however_the_stream_is_cut(
            parts in prop::collection::vec(any_part(), 0..8),
            base in 0_u64..1 << 40,
            chunk_lens in prop::collection::vec(
                prop_oneof![1_usize..8, 1_usize..400, 100_usize..3000], 1..12),
        ) {
            let stream = parts.concat();
            let expected = frames_by_the_rule(&stream, base);
            prop_assert_eq!(&frames(&stream, base, &[usize::MAX]), &expected);
            prop_assert_eq!(&frames(&stream, base, &[1]), &expected);
            prop_assert_eq!(&frames(&stream, base, &chunk_lens), &expected);
        }
    }
}
