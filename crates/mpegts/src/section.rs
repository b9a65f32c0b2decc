//! Sections: the form in which tables travel (13818-1, 2.4.4.1 and 2.4.4.10).
//!
//! A section may lie across packets, and packets may hold several. [`SectionReader`] puts them
//! together again and passes on only those whose checksum is right.

use crate::{BODY_LEN, PACKET_LEN, Pid, SYNC_BYTE};

/// Longest section that any table may have.
const SECTION_LEN_MAX: usize = 4096;

/// Longest section of a PAT or PMT.
const TABLE_LEN_MAX: usize = 1024;

/// Bytes of a section up to and including section_length.
const PREFIX_LEN: usize = 3;

/// Bytes of a section with a version, up to and including last_section_number.
const HEADER_LEN: usize = 8;

const CRC_LEN: usize = 4;

const STUFFING: u8 = 0xff;

/// Puts the sections of one PID together.
///
/// Only sections in the long form (with version and checksum, as PAT and PMT have) are handed out.
/// One that was damaged or lost a packet is dropped; tables are repeated all the time.
#[derive(Debug, Clone, Default)]
pub struct SectionReader {
    /// The section in progress, from its first byte.
    section: Vec<u8>,
    /// Whether `section` is in progress: bytes that belong to no section are not gathered.
    active: bool,
}

impl SectionReader {
    /// A reader that waits for the start of a section.
    pub const fn new() -> Self {
        Self {
            section: Vec::new(),
            active: false,
        }
    }

    /// Takes the payload of the PID's next packet, and hands out the sections that end in it.
    pub fn push(&mut self, unit_start: bool, payload: &[u8], sink: &mut impl FnMut(&[u8])) {
        if !unit_start {
            self.take(payload, sink);
            return;
        }
        let Some((&pointer, rest)) = payload.split_first() else {
            return;
        };
        let Some((end_of_last, mut rest)) = rest.split_at_checked(pointer.into()) else {
            self.active = false;
            return;
        };
        self.take(end_of_last, sink);
        // The pointer says where that section ends, complete or not.
        self.active = false;
        while rest.first().is_some_and(|&byte| byte != STUFFING) {
            self.section.clear();
            self.active = true;
            rest = self.take(rest, sink);
        }
    }

    /// Adds `bytes` to the section in progress until it is complete; gives what is left of them.
    fn take<'b>(&mut self, bytes: &'b [u8], sink: &mut impl FnMut(&[u8])) -> &'b [u8] {
        if !self.active {
            return &[];
        }
        let rest = self.fill(PREFIX_LEN, bytes);
        let Some(len) = section_len(&self.section) else {
            return rest;
        };
        if len > SECTION_LEN_MAX {
            self.active = false;
            return &[];
        }
        let rest = self.fill(len, rest);
        if self.section.len() == len {
            self.active = false;
            if is_sound(&self.section) {
                sink(&self.section);
            }
        }
        rest
    }

    /// Moves bytes to the section until it has `len`; gives what is left of them.
    fn fill<'b>(&mut self, len: usize, bytes: &'b [u8]) -> &'b [u8] {
        let missing = len.saturating_sub(self.section.len());
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.section.extend_from_slice(taken);
        rest
    }
}

/// Appends the packets that carry `section` on `pid`, stuffed to whole packets, and gives the
/// counter for the packet after them.
pub fn packetize_section(section: &[u8], pid: Pid, first_counter: u8, out: &mut Vec<u8>) -> u8 {
    // The pointer field says that the section starts right behind it.
    let mut lead: &[u8] = &[0];
    let mut rest = section;
    let mut counter = first_counter & 0x0f;
    while !rest.is_empty() {
        let [pid_high, pid_low] = pid.value().to_be_bytes();
        let unit_start = if lead.is_empty() { 0 } else { 0x40 };
        let (now, later) = rest.split_at(rest.len().min(BODY_LEN - lead.len()));
        let packet_end = out.len() + PACKET_LEN;
        out.extend([SYNC_BYTE, unit_start | pid_high, pid_low, 0x10 | counter]);
        out.extend_from_slice(lead);
        out.extend_from_slice(now);
        out.resize(packet_end, STUFFING);
        counter = (counter + 1) & 0x0f;
        lead = &[];
        rest = later;
    }
    counter
}

/// What the header of every section in the long form holds.
pub(crate) struct Header {
    pub(crate) id: u16,
    pub(crate) version: u8,
    pub(crate) current: bool,
}

/// The header of a section of the table `table_id`, and what lies between it and the checksum.
pub(crate) fn open_section(section: &[u8], table_id: u8) -> Option<(Header, &[u8])> {
    let len = section_len(section).filter(|&len| len <= TABLE_LEN_MAX)?;
    let section = section.get(..len)?;
    let body = section.get(HEADER_LEN..len.checked_sub(CRC_LEN)?)?;
    let &[id_of_table, syntax, _, id_high, id_low, version, ..] = section else {
        return None;
    };
    let header = Header {
        id: u16::from_be_bytes([id_high, id_low]),
        version: version >> 1 & 0x1f,
        current: version & 1 != 0,
    };
    (id_of_table == table_id && syntax & 0x80 != 0).then_some((header, body))
}

pub(crate) fn build_section(
    table_id: u8,
    header: Header,
    body: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let [id_high, id_low] = header.id.to_be_bytes();
    let version = 0xc0 | (header.version & 0x1f) << 1 | u8::from(header.current);
    // The length follows when it is known; this is the only section of its table.
    let mut section = vec![table_id, 0, 0, id_high, id_low, version, 0, 0];
    body(&mut section);
    let len = section.len() + CRC_LEN;
    assert!(len <= TABLE_LEN_MAX, "a table section of {len} bytes");
    let length_field = 0xb000 | (len - PREFIX_LEN) as u16;
    section[1..PREFIX_LEN].copy_from_slice(&length_field.to_be_bytes());
    section.extend(crc32(&section).to_be_bytes());
    section
}

/// Length of the whole section that begins with `bytes`, as soon as it is known.
fn section_len(bytes: &[u8]) -> Option<usize> {
    let &[_, high, low] = bytes.first_chunk()?;
    Some(PREFIX_LEN + usize::from(u16::from_be_bytes([high, low]) & 0x0fff))
}

/// Whether a whole section is in the long form and its checksum is right.
fn is_sound(section: &[u8]) -> bool {
    // With the checksum itself taken in, the remainder is zero.
    section.len() >= HEADER_LEN + CRC_LEN && section[1] & 0x80 != 0 && crc32(section) == 0
}

/// CRC-32/MPEG-2 (annex A): polynomial 0x04c11db7, high bit first, all ones at the start.
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        crc << 8 ^ CRC_TABLE[usize::from((crc >> 24) as u8 ^ byte)]
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Packet;

    fn read(payloads: &[(bool, &[u8])]) -> Vec<Vec<u8>> {
        let mut reader = SectionReader::new();
        let mut sections = Vec::new();
        for &(unit_start, payload) in payloads {
            reader.push(unit_start, payload, &mut |section| {
                sections.push(section.to_vec());
            });
        }
        sections
    }

    pub(crate) fn read_packets(bytes: &[u8]) -> Vec<Vec<u8>> {
        let packets = bytes.as_chunks().0.iter().map(Packet::new);
        let payloads: Vec<_> = packets.map(|p| (p.unit_start(), p.payload())).collect();
        read(&payloads)
    }

    /// A section in the long form with `body_len` bytes between header and checksum.
    fn long_section(body_len: usize) -> Vec<u8> {
        let [high, low] = ((HEADER_LEN + body_len + CRC_LEN - PREFIX_LEN) as u16).to_be_bytes();
        let mut section = vec![0x42, 0xb0 | high, low, 0, 1, 0xc1, 0, 0];
        section.extend((0..body_len).map(|n| n as u8));
        section.extend(crc32(&section).to_be_bytes());
        section
    }

    #[test]
    fn checksum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn several_sections_in_a_packet_are_all_read() {
        let (first, second) = (long_section(3), long_section(20));
        let payload = [&[0], &first[..], &second[..], &[STUFFING; 9]].concat();
        assert_eq!(read(&[(true, &payload)]), [first, second]);
    }

    #[test]
    fn a_section_ends_and_the_next_begins_in_one_packet() {
        let (first, second) = (long_section(300), long_section(5));
        let (head, tail) = first.split_at(183);
        let start = [&[0], head].concat();
        let turn = [&[tail.len() as u8], tail, &second[..]].concat();
        assert_eq!(read(&[(true, &start), (true, &turn)]), [first, second]);
    }

    #[test]
    fn a_section_may_be_cut_within_its_length() {
        let section = long_section(4);
        let start = [&[0], &section[..2]].concat();
        assert_eq!(read(&[(true, &start), (false, &section[2..])]), [section]);
    }

    #[test]
    fn the_longest_section_is_read_and_a_longer_one_is_not() {
        let longest = long_section(SECTION_LEN_MAX - HEADER_LEN - CRC_LEN);
        let mut packets = Vec::new();
        packetize_section(&longest, Pid::new(0x20), 0, &mut packets);
        assert_eq!(read_packets(&packets), [longest]);

        let longer = long_section(SECTION_LEN_MAX - HEADER_LEN - CRC_LEN + 1);
        packets.clear();
        packetize_section(&longer, Pid::new(0x20), 0, &mut packets);
        assert!(read_packets(&packets).is_empty());
    }

    #[test]
    fn a_damaged_section_is_dropped_and_the_next_one_read() {
        let good = long_section(30);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let (bad, next) = ([&[0], &bad[..]].concat(), [&[0], &good[..]].concat());
            assert_eq!(
                read(&[(true, &bad), (true, &next)]),
                [&good[..]],
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_lost_packet_costs_its_section_only() {
        let (first, second) = (long_section(500), long_section(400));
        let mut packets = Vec::new();
        packetize_section(&first, Pid::new(0x20), 0, &mut packets);
        packetize_section(&second, Pid::new(0x20), 3, &mut packets);
        packets.drain(PACKET_LEN..2 * PACKET_LEN);
        assert_eq!(read_packets(&packets), [second]);
    }

    #[test]
    fn a_section_that_its_successor_cuts_short_is_not_continued() {
        let section = long_section(300);
        let start = [&[0], &section[..183]].concat();
        let stuffing = [0, STUFFING];
        let rest = &section[183..];
        assert!(read(&[(true, &start), (true, &stuffing), (false, rest)]).is_empty());
    }

    #[test]
    fn nothing_is_read_before_the_first_start() {
        let section = long_section(4);
        assert!(read(&[(false, &section)]).is_empty());
    }

    #[test]
    fn packets_of_a_section_are_whole_and_counted() {
        let section = long_section(183 + 184 - HEADER_LEN - CRC_LEN);
        let mut out = Vec::new();
        let next = packetize_section(&section, Pid::new(0x1abc), 15, &mut out);
        let (packets, rest) = out.as_chunks::<PACKET_LEN>();
        assert!(rest.is_empty());
        assert_eq!(next, 1);
        let heads: Vec<_> = packets
            .iter()
            .map(Packet::new)
            .map(|p| (p.pid(), p.unit_start(), p.counter()))
            .collect();
        let pid = Pid::new(0x1abc);
        assert_eq!(heads, [(pid, true, 15), (pid, false, 0)]);
    }

    proptest! {
        #[test]
        fn no_packets_upset_the_reader_or_grow_it(
            payloads in prop::collection::vec(
                (any::<bool>(), prop::collection::vec(any::<u8>(), 0..=184)), 0..100),
        ) {
            let mut reader = SectionReader::new();
            for (unit_start, payload) in &payloads {
                reader.push(*unit_start, payload, &mut |_| {});
                prop_assert!(reader.section.len() <= SECTION_LEN_MAX);
            }
            // What came before does not keep a sound section from being read.
            let section = long_section(9);
            let payload = [&[0], &section[..]].concat();
            let mut found = Vec::new();
            reader.push(true, &payload, &mut |section| found.push(section.to_vec()));
            prop_assert_eq!(found, [section]);
        }
    }
}
