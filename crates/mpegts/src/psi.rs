//! Program specific information: the tables that say what a stream holds (13818-1, 2.4.4).
//!
//! A table travels as sections, which [`SectionReader`] puts together from the packets of one PID
//! and passes on only when their checksum is right. [`Pat`] lists the programs, [`Pmt`] the streams
//! of one of them.

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

const PAT_TABLE_ID: u8 = 0x00;
const PMT_TABLE_ID: u8 = 0x02;
const STUFFING: u8 = 0xff;
const REGISTRATION_TAG: u8 = 0x05;

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

/// Program association table: which PID carries the map of each program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pat {
    /// Number of the multiplex.
    pub transport_stream_id: u16,
    /// Counts changes of the table, modulo 32.
    pub version: u8,
    /// Whether the table applies now; otherwise it announces the next one.
    pub current: bool,
    /// Number of each program, never 0, and the PID of its map.
    pub programs: Vec<(u16, Pid)>,
}

impl Pat {
    /// Reads a section as [`SectionReader`] hands it out; `None` if it is no sound PAT.
    pub fn parse(section: &[u8]) -> Option<Self> {
        let (header, body) = open_section(section, PAT_TABLE_ID)?;
        let programs = body
            .as_chunks()
            .0
            .iter()
            .map(|&[n0, n1, p0, p1]| (u16::from_be_bytes([n0, n1]), pid(p0, p1)))
            // Program 0 is the network information, which is no program.
            .filter(|&(number, _)| number != 0)
            .collect();
        Some(Self {
            transport_stream_id: header.id,
            version: header.version,
            current: header.current,
            programs,
        })
    }

    /// The table as one section.
    ///
    /// # Panics
    ///
    /// If there are more programs than one section holds, which is 253.
    pub fn section(&self) -> Vec<u8> {
        let header = Header {
            id: self.transport_stream_id,
            version: self.version,
            current: self.current,
        };
        build_section(PAT_TABLE_ID, header, |out| {
            for &(number, pid) in &self.programs {
                out.extend(number.to_be_bytes());
                out.extend(pid_bytes(pid));
            }
        })
    }
}

/// Program map table: the streams of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pmt {
    /// The program that this is the map of.
    pub program_number: u16,
    /// Counts changes of the table, modulo 32.
    pub version: u8,
    /// Whether the table applies now; otherwise it announces the next one.
    pub current: bool,
    /// The stream whose packets carry the clock; [`Pid::NULL`] if none does.
    pub pcr_pid: Pid,
    /// Descriptors of the program as a whole.
    pub program_info: Vec<u8>,
    /// The streams, in the order of the table.
    pub streams: Vec<PmtStream>,
}

/// One stream in a [`Pmt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PmtStream {
    /// What the stream holds (table 2-34), such as 0x1b for H.264.
    pub stream_type: u8,
    /// The PID that carries it.
    pub pid: Pid,
    /// What else is said of it; see [`Descriptors`].
    pub descriptors: Vec<u8>,
}

impl Pmt {
    /// Reads a section as [`SectionReader`] hands it out; `None` if it is no sound PMT.
    pub fn parse(section: &[u8]) -> Option<Self> {
        let (header, body) = open_section(section, PMT_TABLE_ID)?;
        let (&[p0, p1], body) = body.split_first_chunk()?;
        let (program_info, mut body) = split_descriptors(body)?;
        let mut streams = Vec::new();
        while let Some((&[stream_type, p0, p1], rest)) = body.split_first_chunk() {
            let (descriptors, rest) = split_descriptors(rest)?;
            streams.push(PmtStream {
                stream_type,
                pid: pid(p0, p1),
                descriptors: descriptors.to_vec(),
            });
            body = rest;
        }
        Some(Self {
            program_number: header.id,
            version: header.version,
            current: header.current,
            pcr_pid: pid(p0, p1),
            program_info: program_info.to_vec(),
            streams,
        })
    }

    /// The table as one section.
    ///
    /// # Panics
    ///
    /// If it does not fit a section of 1024 bytes; one that was parsed does.
    pub fn section(&self) -> Vec<u8> {
        let header = Header {
            id: self.program_number,
            version: self.version,
            current: self.current,
        };
        build_section(PMT_TABLE_ID, header, |out| {
            out.extend(pid_bytes(self.pcr_pid));
            push_descriptors(out, &self.program_info);
            for stream in &self.streams {
                out.push(stream.stream_type);
                out.extend(pid_bytes(stream.pid));
                push_descriptors(out, &stream.descriptors);
            }
        })
    }
}

impl PmtStream {
    /// The format identifier of the registration descriptor (2.6.8), such as `Opus`.
    pub fn registration(&self) -> Option<[u8; 4]> {
        Descriptors::new(&self.descriptors)
            .find(|&(tag, _)| tag == REGISTRATION_TAG)
            .and_then(|(_, content)| content.first_chunk().copied())
    }
}

/// Walks over a list of descriptors: the tag and the content of each. Ends at one that is cut off.
#[derive(Debug, Clone)]
pub struct Descriptors<'a>(&'a [u8]);

impl<'a> Descriptors<'a> {
    /// The descriptors in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Descriptors<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[tag, len], rest) = self.0.split_first_chunk()?;
        let (content, rest) = rest.split_at_checked(len.into())?;
        self.0 = rest;
        Some((tag, content))
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
struct Header {
    id: u16,
    version: u8,
    current: bool,
}

/// The header of a section of the table `table_id`, and what lies between it and the checksum.
fn open_section(section: &[u8], table_id: u8) -> Option<(Header, &[u8])> {
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

fn build_section(table_id: u8, header: Header, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
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

fn pid(high: u8, low: u8) -> Pid {
    Pid::new(u16::from_be_bytes([high, low]))
}

/// A PID in a table, under three reserved bits.
fn pid_bytes(pid: Pid) -> [u8; 2] {
    (0xe000 | pid.value()).to_be_bytes()
}

/// Splits off descriptors that stand behind their length.
fn split_descriptors(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[high, low], rest) = bytes.split_first_chunk()?;
    let len = u16::from_be_bytes([high, low]) & 0x0fff;
    rest.split_at_checked(len.into())
}

/// Appends descriptors behind their length. One that does not fit fails the check on the section.
fn push_descriptors(out: &mut Vec<u8>, descriptors: &[u8]) {
    let len = 0xf000 | (descriptors.len() & 0x0fff) as u16;
    out.extend(len.to_be_bytes());
    out.extend_from_slice(descriptors);
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
