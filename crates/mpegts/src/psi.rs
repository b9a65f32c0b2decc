//! Program specific information: the tables that say what a stream holds (13818-1, 2.4.4).
//!
//! [`Pat`] lists the programs, [`Pmt`] the streams of one of them. Both are read from sections as
//! [`SectionReader`](crate::SectionReader) hands them out, and build such sections.

use crate::Pid;
use crate::section::{Header, build_section, open_section};

const PAT_TABLE_ID: u8 = 0x00;
const PMT_TABLE_ID: u8 = 0x02;
const REGISTRATION_TAG: u8 = 0x05;

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
    /// Reads a section whose checksum is right; `None` if it is no PAT.
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
    /// Reads a section whose checksum is right; `None` if it is no PMT. A stream whose entry is cut
    /// off ends the list.
    pub fn parse(section: &[u8]) -> Option<Self> {
        let (header, body) = open_section(section, PMT_TABLE_ID)?;
        let (&[p0, p1], body) = body.split_first_chunk()?;
        let (program_info, mut body) = split_descriptors(body)?;
        let mut streams = Vec::new();
        while let Some((&[stream_type, p0, p1], rest)) = body.split_first_chunk() {
            let Some((descriptors, rest)) = split_descriptors(rest) else {
                break;
            };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packetize_section;
    use crate::section::tests::read_packets;

    /// The PAT that libavformat writes: program 1, map on PID 0x1000.
    const LIBAV_PAT: [u8; 16] = [
        0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, 0x00, 0x01, 0xf0, 0x00, 0x2a, 0xb1, 0x04,
        0xb2,
    ];

    #[test]
    fn pat_of_libavformat_is_read_and_built_alike() {
        let pat = Pat::parse(&LIBAV_PAT).expect("it is sound");
        assert_eq!(pat.transport_stream_id, 1);
        assert_eq!(pat.version, 0);
        assert!(pat.current);
        assert_eq!(pat.programs, [(1, Pid::new(0x1000))]);
        assert_eq!(pat.section(), LIBAV_PAT);
    }

    #[test]
    fn pmt_of_libavformat_is_read_and_built_alike() {
        let section = [
            0x02, 0xb0, 0x12, 0x00, 0x01, 0xc1, 0x00, 0x00, 0xe1, 0x00, 0xf0, 0x00, 0x1b, 0xe1,
            0x00, 0xf0, 0x00, 0x15, 0xbd, 0x4d, 0x56,
        ];
        let pmt = Pmt::parse(&section).expect("it is sound");
        let video = PmtStream {
            stream_type: 0x1b,
            pid: Pid::new(0x100),
            descriptors: Vec::new(),
        };
        assert_eq!(pmt.program_number, 1);
        assert_eq!(pmt.pcr_pid, Pid::new(0x100));
        assert_eq!(pmt.streams, [video]);
        assert_eq!(pmt.section(), section);
    }

    #[test]
    fn streams_before_a_cut_off_entry_are_kept() {
        let stream = |pid, descriptors: &[u8]| PmtStream {
            stream_type: 0x1b,
            pid: Pid::new(pid),
            descriptors: descriptors.to_vec(),
        };
        let pmt = Pmt {
            program_number: 1,
            version: 0,
            current: true,
            pcr_pid: Pid::new(0x100),
            program_info: Vec::new(),
            streams: vec![stream(0x100, b""), stream(0x101, b"\x0a\x04eng\0")],
        };
        let mut section = pmt.section();
        // The length of the second stream's descriptors.
        let at = section.len() - 4 - 6 - 1;
        assert_eq!(section[at], 6);
        section[at] = 7;
        let parsed = Pmt::parse(&section).expect("the rest is fine");
        assert_eq!(parsed.streams, pmt.streams[..1]);
    }

    #[test]
    fn network_information_is_no_program() {
        let pat = Pat {
            transport_stream_id: 7,
            version: 3,
            current: true,
            programs: vec![(0, Pid::new(0x10)), (5, Pid::new(0x50))],
        };
        let parsed = Pat::parse(&pat.section()).expect("it is sound");
        assert_eq!(parsed.programs, [(5, Pid::new(0x50))]);
    }

    #[test]
    fn one_table_is_not_taken_for_another() {
        assert_eq!(Pmt::parse(&LIBAV_PAT), None);
        let mut pmt = LIBAV_PAT;
        pmt[0] = PMT_TABLE_ID;
        assert_eq!(Pat::parse(&pmt), None);
    }

    #[test]
    fn registration_is_found_among_other_descriptors() {
        let stream = PmtStream {
            stream_type: 6,
            pid: Pid::new(0x101),
            descriptors: b"\x0a\x04eng\0\x05\x04Opus\x7f\x02\x80\x02".to_vec(),
        };
        assert_eq!(stream.registration(), Some(*b"Opus"));
        let tags: Vec<_> = Descriptors::new(&stream.descriptors).collect();
        let content: [(u8, &[u8]); 3] = [(10, b"eng\0"), (5, b"Opus"), (0x7f, &[0x80, 2])];
        assert_eq!(tags, content);
        let cut_off = PmtStream {
            descriptors: b"\x05\x04Opu".to_vec(),
            ..stream
        };
        assert_eq!(cut_off.registration(), None);
    }

    fn any_pid() -> impl Strategy<Value = Pid> {
        (0_u16..0x2000).prop_map(Pid::new)
    }

    prop_compose! {
        fn any_pat()(
            transport_stream_id: u16,
            version in 0_u8..32,
            current: bool,
            programs in prop::collection::vec((1_u16.., any_pid()), 0..=253),
        ) -> Pat {
            Pat { transport_stream_id, version, current, programs }
        }
    }

    prop_compose! {
        fn any_stream()(
            stream_type: u8,
            pid in any_pid(),
            descriptors in prop::collection::vec(any::<u8>(), 0..40),
        ) -> PmtStream {
            PmtStream { stream_type, pid, descriptors }
        }
    }

    prop_compose! {
        fn any_pmt()(
            program_number: u16,
            version in 0_u8..32,
            current: bool,
            pcr_pid in any_pid(),
            program_info in prop::collection::vec(any::<u8>(), 0..60),
            streams in prop::collection::vec(any_stream(), 0..20),
        ) -> Pmt {
            Pmt { program_number, version, current, pcr_pid, program_info, streams }
        }
    }

    proptest! {
        #[test]
        fn tables_come_back_through_packets(pat in any_pat(), pmt in any_pmt()) {
            let (pat_section, pmt_section) = (pat.section(), pmt.section());
            let mut packets = Vec::new();
            packetize_section(&pat_section, Pid::PAT, 0, &mut packets);
            packetize_section(&pmt_section, Pid::PAT, 0, &mut packets);
            let sections = read_packets(&packets);
            prop_assert_eq!(&sections, &[pat_section, pmt_section]);
            prop_assert_eq!(Pat::parse(&sections[0]), Some(pat));
            prop_assert_eq!(Pmt::parse(&sections[1]), Some(pmt));
        }

        #[test]
        fn no_bytes_upset_the_tables(mut bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
            let _ = (Pat::parse(&bytes), Pmt::parse(&bytes));
            let _ = Descriptors::new(&bytes).count();
            // Once more with a head that leads further in.
            for table_id in [PAT_TABLE_ID, PMT_TABLE_ID] {
                if let Some(head) = bytes.first_chunk_mut::<2>() {
                    *head = [table_id, head[1] & 0x03 | 0xb0];
                }
                let _ = (Pat::parse(&bytes), Pmt::parse(&bytes));
            }
        }
    }
}
