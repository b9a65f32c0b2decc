//! Writes a transport stream: tables, units and clock, for feeds and for the test pattern.
//!
//! The writer keeps to the letter of the standard: counters without a gap over its whole life, one
//! unit a PES packet, stuffing in adaptation fields only, reserved bits set. When something is
//! written, and what the clock says, is the caller's to decide.

use std::ops::Deref;
use std::slice;

use crate::pes::encode_timestamp;
use crate::{
    BODY_LEN, PACKET_LEN, Pat, Pcr, Pid, Pmt, PmtStream, SYNC_BYTE, Ticks, packetize_section,
};

/// What a [`Muxer`] writes: one program. The first stream carries the clock; put the video first,
/// since players look there for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuxerConfig {
    /// Number of the multiplex.
    pub transport_stream_id: u16,
    /// Number of the program, not 0.
    pub program_number: u16,
    /// The PID that carries the program map.
    pub pmt_pid: Pid,
    /// Descriptors of the program as a whole.
    pub program_info: Vec<u8>,
    /// The streams, in the order of the program map.
    pub streams: Vec<MuxStream>,
}

/// One stream of a [`MuxerConfig`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuxStream {
    /// The PID that carries it.
    pub pid: Pid,
    /// What it holds (table 2-34), such as 0x1b for H.264.
    pub stream_type: u8,
    /// Kind and number in PES headers: 0xe0 on for video, 0xc0 on for audio, 0xbd for private data.
    pub stream_id: u8,
    /// What else the program map says of it.
    pub descriptors: Vec<u8>,
}

impl Default for MuxerConfig {
    /// Program 1 with its map on PID 0x1000, as most writers have it; no streams yet.
    fn default() -> Self {
        Self {
            transport_stream_id: 1,
            program_number: 1,
            pmt_pid: Pid::new(0x1000),
            program_info: Vec::new(),
            streams: Vec::new(),
        }
    }
}

/// One PES packet's worth: a picture, or one or more whole audio frames.
#[derive(Debug, Clone, Copy)]
pub struct Unit<'a> {
    /// Index of the stream in [`MuxerConfig::streams`].
    pub stream: usize,
    /// When it is shown.
    pub pts: Ticks,
    /// When it is decoded; written only if it differs from `pts`.
    pub dts: Ticks,
    /// Whether decoding can start here.
    pub random_access: bool,
    /// The clock at the unit's first packet, for the stream that carries it.
    pub pcr: Option<Pcr>,
    /// The content, in as many pieces as it lies in.
    pub payload: &'a [&'a [u8]],
}

/// Writes the packets of one program.
#[derive(Debug, Clone)]
pub struct Muxer {
    config: MuxerConfig,
    pat: Pat,
    pmt: Pmt,
    pat_section: Vec<u8>,
    pmt_section: Vec<u8>,
    /// The counter of the next packet with payload, of each PID that was ever written.
    counters: Vec<(Pid, u8)>,
    /// The first packet of each stream says that counters begin there.
    is_spliced: bool,
}

impl Muxer {
    /// A writer of the program that `config` describes, with version 0 of its tables.
    ///
    /// # Panics
    ///
    /// If the descriptors do not fit a program map of 1024 bytes.
    pub fn new(config: MuxerConfig) -> Self {
        let (pat, pmt) = tables(&config);
        Self {
            pat_section: pat.section(),
            pmt_section: pmt.section(),
            config,
            pat,
            pmt,
            counters: Vec::new(),
            is_spliced: false,
        }
    }

    /// What is written stands behind packets that another one wrote: the first packet of each stream has the
    /// discontinuity indicator (13818-1 2.4.3.5), so that nobody misses any between.
    #[must_use]
    pub fn spliced(self) -> Self {
        Self {
            is_spliced: true,
            ..self
        }
    }

    /// What is written now.
    pub const fn config(&self) -> &MuxerConfig {
        &self.config
    }

    /// Writes another program from here on. A table that changes by this gets its next version;
    /// counters go on.
    ///
    /// # Panics
    ///
    /// If the descriptors do not fit a program map of 1024 bytes.
    pub fn set_program(&mut self, config: MuxerConfig) {
        let (mut pat, mut pmt) = tables(&config);
        pat.version = self.pat.version;
        if pat != self.pat {
            pat.version = (pat.version + 1) % 32;
        }
        pmt.version = self.pmt.version;
        if pmt != self.pmt {
            pmt.version = (pmt.version + 1) % 32;
        }
        self.pat_section = pat.section();
        self.pmt_section = pmt.section();
        self.pat = pat;
        self.pmt = pmt;
        self.config = config;
    }

    /// Appends the tables, PAT and PMT: due at the start, before each keyframe, and every 100 ms.
    pub fn write_tables(&mut self, out: &mut Vec<u8>) {
        let counter = counter_of(&mut self.counters, Pid::PAT);
        *counter = packetize_section(&self.pat_section, Pid::PAT, *counter, out);
        let pmt_pid = self.config.pmt_pid;
        let counter = counter_of(&mut self.counters, pmt_pid);
        *counter = packetize_section(&self.pmt_section, pmt_pid, *counter, out);
    }

    /// Appends one unit as one PES packet.
    ///
    /// The PES packet tells its length when that fits the field. A longer one leaves it open, which
    /// the standard allows for video only: longer units of other streams are the caller's to split.
    ///
    /// # Panics
    ///
    /// If there is no stream with the index `unit.stream`.
    pub fn write_unit(&mut self, out: &mut Vec<u8>, unit: Unit<'_>) {
        let stream = &self.config.streams[unit.stream];
        let is_splice = self.is_splice(stream.pid);
        let counter = counter_of(&mut self.counters, stream.pid);
        let payload_len = unit.payload.iter().map(|piece| piece.len()).sum();
        let header = pes_header(stream.stream_id, unit.pts, unit.dts, payload_len);
        let mut source = Source {
            head: &header,
            pieces: unit.payload.iter(),
            left: header.len() + payload_len,
        };
        let mut adaptation = adaptation_fields(is_splice, unit.random_access, unit.pcr);
        let mut unit_start = true;
        out.reserve((source.left / BODY_LEN + 2) * PACKET_LEN);
        while source.left > 0 {
            let head = header_bytes(stream.pid, unit_start, *counter);
            write_packet(out, head, &adaptation, &mut source);
            *counter = (*counter + 1) & 0x0f;
            unit_start = false;
            adaptation.clear();
        }
    }

    /// Appends a packet with nothing but the clock, for when no unit is due to carry it.
    pub fn write_pcr(&mut self, out: &mut Vec<u8>, pcr: Pcr) {
        let pid = self.pmt.pcr_pid;
        let is_splice = self.is_splice(pid);
        // Without payload, the counter stays that of the packet before.
        let counter = counter_of(&mut self.counters, pid).wrapping_sub(1) & 0x0f;
        let head = header_bytes(pid, false, counter);
        write_packet(
            out,
            head,
            &adaptation_fields(is_splice, false, Some(pcr)),
            &mut Source::default(),
        );
    }

    /// Whether the next packet on `pid` follows one that another has written.
    fn is_splice(&self, pid: Pid) -> bool {
        self.is_spliced && self.counters.iter().all(|&(known, _)| known != pid)
    }
}

/// The tables of a program, version 0.
fn tables(config: &MuxerConfig) -> (Pat, Pmt) {
    let pat = Pat {
        transport_stream_id: config.transport_stream_id,
        version: 0,
        current: true,
        programs: vec![(config.program_number, config.pmt_pid)],
    };
    let streams = config.streams.iter().map(|stream| PmtStream {
        stream_type: stream.stream_type,
        pid: stream.pid,
        descriptors: stream.descriptors.clone(),
    });
    let pmt = Pmt {
        program_number: config.program_number,
        version: 0,
        current: true,
        pcr_pid: config.streams.first().map_or(Pid::NULL, |first| first.pid),
        program_info: config.program_info.clone(),
        streams: streams.collect(),
    };
    (pat, pmt)
}

/// The counter of the next packet on `pid`.
fn counter_of(counters: &mut Vec<(Pid, u8)>, pid: Pid) -> &mut u8 {
    let at = counters
        .iter()
        .position(|&(known, _)| known == pid)
        .unwrap_or_else(|| {
            counters.push((pid, 0));
            counters.len() - 1
        });
    &mut counters[at].1
}

/// A few bytes on the stack: the longest are a PES header's.
#[derive(Default)]
struct Short {
    bytes: [u8; 19],
    len: usize,
}

impl Short {
    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn clear(&mut self) {
        self.len = 0;
    }
}

impl Deref for Short {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What the payloads of packets are filled from.
#[derive(Default)]
struct Source<'a> {
    head: &'a [u8],
    pieces: slice::Iter<'a, &'a [u8]>,
    /// Bytes in `head` and `pieces`.
    left: usize,
}

impl Source<'_> {
    /// Appends the next `len` bytes, at most those left.
    fn copy(&mut self, mut len: usize, out: &mut Vec<u8>) {
        self.left -= len;
        loop {
            let (now, later) = self.head.split_at(len.min(self.head.len()));
            out.extend_from_slice(now);
            self.head = later;
            len -= now.len();
            if len == 0 {
                return;
            }
            self.head = self.pieces.next().expect("`left` counts their bytes");
        }
    }
}

/// The header of a PES packet with a payload of `payload_len` bytes.
fn pes_header(stream_id: u8, pts: Ticks, dts: Ticks, payload_len: usize) -> Short {
    let mut stamps = Short::default();
    let contents = if pts == dts {
        stamps.extend(&encode_timestamp(2, pts.to_raw()));
        0x80
    } else {
        stamps.extend(&encode_timestamp(3, pts.to_raw()));
        stamps.extend(&encode_timestamp(1, dts.to_raw()));
        0xc0
    };
    let packet_len = u16::try_from(3 + stamps.len + payload_len).unwrap_or(0);
    let mut header = Short::default();
    header.extend(&[0, 0, 1, stream_id]);
    header.extend(&packet_len.to_be_bytes());
    header.extend(&[0x80, contents, stamps.len as u8]);
    header.extend(&stamps);
    header
}

/// The flags of an adaptation field and what follows them; nothing, if they say nothing.
fn adaptation_fields(discontinuity: bool, random_access: bool, pcr: Option<Pcr>) -> Short {
    let mut fields = Short::default();
    let flags =
        u8::from(discontinuity) << 7 | u8::from(random_access) << 6 | u8::from(pcr.is_some()) << 4;
    if flags != 0 {
        fields.extend(&[flags]);
    }
    if let Some(pcr) = pcr {
        fields.extend(&pcr.to_bytes());
    }
    fields
}

/// The four bytes before a packet's body, which do not tell yet what the body holds.
fn header_bytes(pid: Pid, unit_start: bool, counter: u8) -> [u8; 4] {
    let [pid_high, pid_low] = pid.value().to_be_bytes();
    let unit_start = u8::from(unit_start) << 6;
    [SYNC_BYTE, unit_start | pid_high, pid_low, counter]
}

/// Appends a packet: adaptation field, and as much of `source` as fits behind it. What the source
/// leaves empty is stuffed.
fn write_packet(out: &mut Vec<u8>, header: [u8; 4], fields: &[u8], source: &mut Source<'_>) {
    let fields_len = if fields.is_empty() {
        0
    } else {
        1 + fields.len()
    };
    let payload_len = source.left.min(BODY_LEN - fields_len);
    let [sync, b1, b2, counter] = header;
    let has_payload = u8::from(payload_len > 0) << 4;
    let has_adaptation = u8::from(payload_len < BODY_LEN) << 5;
    out.extend([sync, b1, b2, has_adaptation | has_payload | counter]);
    if let Some(len) = (BODY_LEN - payload_len).checked_sub(1) {
        let payload_at = out.len() + 1 + len;
        out.push(len as u8);
        if len > 0 {
            // Stuffing follows at least the flags.
            out.extend_from_slice(if fields.is_empty() { &[0] } else { fields });
        }
        out.resize(payload_at, 0xff);
    }
    source.copy(payload_len, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Adaptation, Packet, PesHeader, SectionReader};

    const VIDEO: Pid = Pid::new(0x100);
    const AUDIO: Pid = Pid::new(0x101);

    fn config() -> MuxerConfig {
        MuxerConfig {
            streams: vec![
                MuxStream {
                    pid: VIDEO,
                    stream_type: 0x1b,
                    stream_id: 0xe0,
                    descriptors: Vec::new(),
                },
                MuxStream {
                    pid: AUDIO,
                    stream_type: 0x06,
                    stream_id: 0xbd,
                    descriptors: b"\x05\x04Opus".to_vec(),
                },
            ],
            ..MuxerConfig::default()
        }
    }

    fn unit<'a>(payload: &'a [&'a [u8]]) -> Unit<'a> {
        Unit {
            stream: 0,
            pts: Ticks(6000),
            dts: Ticks(3000),
            random_access: false,
            pcr: None,
            payload,
        }
    }

    fn packets(bytes: &[u8]) -> Vec<Packet<'_>> {
        let (packets, rest) = bytes.as_chunks();
        assert!(rest.is_empty());
        let packets: Vec<_> = packets.iter().map(Packet::new).collect();
        assert!(packets.iter().all(|packet| packet.bytes()[0] == SYNC_BYTE));
        packets
    }

    /// The PES packet in the packets of one unit.
    fn pes(bytes: &[u8]) -> Vec<u8> {
        packets(bytes)
            .iter()
            .flat_map(|packet| packet.payload())
            .copied()
            .collect()
    }

    fn tables(muxer: &mut Muxer) -> (Pat, Pmt) {
        let mut out = Vec::new();
        muxer.write_tables(&mut out);
        let (mut pat, mut pmt) = (SectionReader::new(), SectionReader::new());
        let (mut pats, mut pmts) = (Vec::new(), Vec::new());
        for packet in packets(&out) {
            if packet.pid() == Pid::PAT {
                pat.push(packet.unit_start(), packet.payload(), &mut |section| {
                    pats.extend(Pat::parse(section));
                });
            } else {
                assert_eq!(packet.pid(), muxer.config().pmt_pid);
                pmt.push(packet.unit_start(), packet.payload(), &mut |section| {
                    pmts.extend(Pmt::parse(section));
                });
            }
        }
        assert_eq!((pats.len(), pmts.len()), (1, 1));
        (pats.remove(0), pmts.remove(0))
    }

    #[test]
    fn tables_describe_the_program() {
        let (pat, pmt) = tables(&mut Muxer::new(config()));
        assert_eq!(pat.programs, [(1, Pid::new(0x1000))]);
        assert_eq!((pmt.program_number, pmt.pcr_pid), (1, VIDEO));
        let streams: Vec<_> = pmt.streams.iter().map(|s| (s.stream_type, s.pid)).collect();
        assert_eq!(streams, [(0x1b, VIDEO), (0x06, AUDIO)]);
        assert_eq!(pmt.streams[1].registration(), Some(*b"Opus"));
        assert!(pat.current && pmt.current);
    }

    #[test]
    fn only_a_table_that_changes_gets_a_new_version() {
        let mut muxer = Muxer::new(config());
        let versions = |muxer: &mut Muxer| {
            let (pat, pmt) = tables(muxer);
            (pat.version, pmt.version)
        };
        assert_eq!(versions(&mut muxer), (0, 0));
        muxer.set_program(config());
        assert_eq!(versions(&mut muxer), (0, 0));
        let mut changed = config();
        changed.streams.truncate(1);
        muxer.set_program(changed.clone());
        assert_eq!(versions(&mut muxer), (0, 1));
        assert_eq!(tables(&mut muxer).1.streams.len(), 1);
        changed.pmt_pid = Pid::new(0x20);
        muxer.set_program(changed);
        assert_eq!(versions(&mut muxer), (1, 1));
        for _ in 0..31 {
            let mut next = muxer.config().clone();
            next.program_info.extend([0x80, 0]);
            muxer.set_program(next);
        }
        assert_eq!(versions(&mut muxer), (1, 0));
    }

    #[test]
    fn counters_go_on_over_units_tables_and_programs() {
        let mut muxer = Muxer::new(config());
        let mut out = Vec::new();
        for round in 0..40 {
            muxer.write_tables(&mut out);
            muxer.write_pcr(&mut out, Pcr::new(0));
            muxer.write_unit(&mut out, unit(&[&[1; 1000]]));
            let audio = Unit {
                stream: 1,
                ..unit(&[&[2; 100]])
            };
            muxer.write_unit(&mut out, audio);
            let mut config = config();
            config.program_info = vec![0x80, 1, round];
            muxer.set_program(config);
        }
        for pid in [Pid::PAT, Pid::new(0x1000), VIDEO, AUDIO] {
            // Before its first payload, a PID's counter stands where zero is next.
            let mut last = 15;
            for packet in packets(&out).iter().filter(|packet| packet.pid() == pid) {
                last = (last + u8::from(packet.has_payload())) % 16;
                assert_eq!(packet.counter(), last, "{pid}");
            }
        }
    }

    #[test]
    fn a_unit_begins_with_its_clock_and_flags() {
        let mut out = Vec::new();
        let keyframe = Unit {
            random_access: true,
            pcr: Some(Pcr::new(302)),
            ..unit(&[&[1; 1000]])
        };
        Muxer::new(config()).write_unit(&mut out, keyframe);
        let packets = packets(&out);
        let adaptation = Adaptation {
            discontinuity: false,
            random_access: true,
            pcr: Some(Pcr::new(302)),
        };
        assert_eq!(packets[0].adaptation(), Some(adaptation));
        assert!(packets[0].unit_start());
        for packet in &packets[1..] {
            assert!(!packet.unit_start());
            let adaptation = packet.adaptation().unwrap_or_default();
            assert_eq!(adaptation, Adaptation::default());
        }
    }

    #[test]
    fn a_spliced_stream_begins_with_a_discontinuity() {
        let unit = Unit {
            stream: 0,
            pts: Ticks(900),
            dts: Ticks(900),
            random_access: false,
            pcr: None,
            payload: &[&[7; 400]],
        };
        let mut out = Vec::new();
        let mut muxer = Muxer::new(config()).spliced();
        muxer.write_pcr(&mut out, Pcr::new(5));
        muxer.write_unit(&mut out, unit);
        muxer.write_unit(&mut out, Unit { stream: 1, ..unit });
        let indicated: Vec<(Pid, bool)> = packets(&out)
            .iter()
            .map(|packet| {
                let field = packet.adaptation();
                (packet.pid(), field.is_some_and(|field| field.discontinuity))
            })
            .collect();
        for pid in config().streams.iter().map(|stream| stream.pid) {
            let mut of_pid = indicated.iter().filter(|(other, _)| *other == pid);
            assert_eq!(of_pid.next(), Some(&(pid, true)), "the first");
            assert!(
                of_pid.all(|(_, is_indicated)| !is_indicated),
                "and no other"
            );
        }
    }

    #[test]
    fn dts_is_written_only_when_it_differs() {
        let mut muxer = Muxer::new(config());
        let mut header = |pts, dts| {
            let mut out = Vec::new();
            let (pts, dts) = (Ticks(pts), Ticks(dts));
            muxer.write_unit(
                &mut out,
                Unit {
                    pts,
                    dts,
                    ..unit(&[&[1]])
                },
            );
            let header = PesHeader::parse(&pes(&out)).expect("a header");
            (header.pts, header.dts)
        };
        assert_eq!(header(6000, 3000), (Some(6000), Some(3000)));
        assert_eq!(header(6000, 6000), (Some(6000), None));
        assert_eq!(header(1 << 33, -1), (Some(0), Some((1 << 33) - 1)));
    }

    #[test]
    fn the_length_is_told_when_it_fits() {
        // Three bytes of flags and ten of timestamps count as well.
        for (payload_len, packet_len) in [(0, 13), (65_522, 65_535), (65_523, 0), (300_000, 0)] {
            let mut out = Vec::new();
            Muxer::new(config()).write_unit(&mut out, unit(&[&vec![1; payload_len]]));
            let header = PesHeader::parse(&pes(&out)).expect("a header");
            assert_eq!(header.packet_len, packet_len, "{payload_len} bytes");
        }
    }

    #[test]
    fn a_clock_alone_fills_its_packet_with_stuffing() {
        let mut out = Vec::new();
        Muxer::new(config()).write_pcr(&mut out, Pcr::new(123_456_789));
        let packet = packets(&out)[0];
        assert_eq!(packet.pid(), VIDEO);
        assert!(!packet.has_payload() && !packet.unit_start());
        let adaptation = packet.adaptation().expect("a field");
        assert_eq!(adaptation.pcr, Some(Pcr::new(123_456_789)));
        assert_eq!(packet.bytes()[4], 183);
        assert!(packet.bytes()[12..].iter().all(|&byte| byte == 0xff));
    }

    proptest! {
        #[test]
        fn a_unit_of_any_size_in_any_pieces_comes_back(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..8),
            random_access: bool,
            pcr in prop::option::of((0..crate::PCR_WRAP).prop_map(Pcr::new)),
        ) {
            let slices: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let mut out = Vec::new();
            let unit = Unit { random_access, pcr, ..unit(&slices) };
            Muxer::new(config()).write_unit(&mut out, unit);
            let pes = pes(&out);
            let header = PesHeader::parse(&pes).expect("a header");
            prop_assert_eq!(&pes[header.header_len..], pieces.concat());
            prop_assert_eq!(usize::from(header.packet_len) + 6, pes.len());
            // Nothing but the last packet is stuffed.
            let packets = packets(&out);
            let (first, later) = packets.split_first().expect("a packet");
            let room = match (random_access, pcr) {
                (_, Some(_)) => 176,
                (true, None) => 182,
                (false, None) => 184,
            };
            prop_assert!(first.payload().len() == room || later.is_empty());
            for packet in later.iter().rev().skip(1) {
                prop_assert_eq!(packet.payload().len(), 184);
            }
        }
    }
}
