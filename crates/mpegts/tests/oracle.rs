//! What the writer writes, read by a demultiplexer that knows nothing of it: mpeg2ts-reader.

use std::collections::BTreeMap;

use lookback_mpegts::{
    Frame, Framer, MuxStream, Muxer, MuxerConfig, Packet, Pcr, Pid, Ticks, Unit, Unwrapper,
};
use mpeg2ts_reader::demultiplex::{
    Demultiplex, DemuxContext, FilterChangeset, FilterRequest, NullPacketFilter, PacketFilter,
    PatPacketFilter, PmtPacketFilter,
};
use mpeg2ts_reader::pes::{
    ElementaryStreamConsumer, PesContents, PesHeader, PesLength, PesPacketFilter, PtsDts,
};
use mpeg2ts_reader::{packet, psi};
use proptest::prelude::*;

/// A unit as the oracle sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    pts: u64,
    dts: Option<u64>,
    bounded: bool,
    payload: Vec<u8>,
}

/// What the oracle does with the packets of one PID.
enum Switch {
    Pes(PesPacketFilter<Oracle, Stream>),
    Pat(PatPacketFilter<Oracle>),
    Pmt(PmtPacketFilter<Oracle>),
    Null(NullPacketFilter<Oracle>),
}

impl PacketFilter for Switch {
    type Ctx = Oracle;

    fn consume(&mut self, oracle: &mut Oracle, packet: &packet::Packet<'_>) {
        match self {
            Self::Pes(filter) => filter.consume(oracle, packet),
            Self::Pat(filter) => filter.consume(oracle, packet),
            Self::Pmt(filter) => filter.consume(oracle, packet),
            Self::Null(filter) => filter.consume(oracle, packet),
        }
    }
}

/// Gathers what the oracle reads.
#[derive(Default)]
struct Oracle {
    changes: FilterChangeset<Switch>,
    /// Type of each stream by PID, as the program map has it.
    types: BTreeMap<u16, u8>,
    pcr_pid: Option<u16>,
    units: BTreeMap<u16, Vec<Seen>>,
    continuity_errors: usize,
}

impl DemuxContext for Oracle {
    type F = Switch;

    fn filter_changeset(&mut self) -> &mut FilterChangeset<Switch> {
        &mut self.changes
    }

    fn construct(&mut self, request: FilterRequest<'_, '_>) -> Switch {
        match request {
            FilterRequest::ByPid(psi::pat::PAT_PID) => Switch::Pat(PatPacketFilter::default()),
            FilterRequest::Pmt {
                pid,
                program_number,
            } => Switch::Pmt(PmtPacketFilter::new(pid, program_number)),
            FilterRequest::ByStream {
                stream_type,
                pmt,
                stream_info,
                ..
            } => {
                let pid = u16::from(stream_info.elementary_pid());
                self.types.insert(pid, stream_type.into());
                self.pcr_pid = Some(pmt.pcr_pid().into());
                Switch::Pes(PesPacketFilter::new(Stream { pid }))
            }
            FilterRequest::ByPid(_) | FilterRequest::Nit { .. } => {
                Switch::Null(NullPacketFilter::default())
            }
        }
    }
}

struct Stream {
    pid: u16,
}

impl ElementaryStreamConsumer<Oracle> for Stream {
    fn start_stream(&mut self, _: &mut Oracle) {}

    fn begin_packet(&mut self, oracle: &mut Oracle, header: PesHeader<'_>) {
        let PesContents::Parsed(Some(contents)) = header.contents() else {
            panic!("a header that tells no time");
        };
        let (pts, dts) = match contents.pts_dts().expect("timestamps") {
            PtsDts::PtsOnly(pts) => (pts.expect("a sound PTS"), None),
            PtsDts::Both { pts, dts } => {
                (pts.expect("a sound PTS"), Some(dts.expect("a sound DTS")))
            }
            other => panic!("{other:?}"),
        };
        oracle.units.entry(self.pid).or_default().push(Seen {
            pts: pts.value(),
            dts: dts.map(|dts| dts.value()),
            bounded: matches!(header.pes_packet_length(), PesLength::Bounded(_)),
            payload: contents.payload().to_vec(),
        });
    }

    fn continue_packet(&mut self, oracle: &mut Oracle, data: &[u8]) {
        let units = oracle.units.get_mut(&self.pid).expect("begun before");
        units.last_mut().expect("begun before").payload.extend(data);
    }

    fn end_packet(&mut self, _: &mut Oracle) {}

    fn continuity_error(&mut self, oracle: &mut Oracle) {
        oracle.continuity_errors += 1;
    }
}

/// What is written, before it is.
#[derive(Debug, Clone)]
struct Written {
    stream: usize,
    pts: Ticks,
    dts: Ticks,
    pcr: Option<Pcr>,
    payload: Vec<u8>,
}

const STREAMS: [(u16, u8, u8); 3] = [
    (0x100, 0x1b, 0xe0),
    (0x101, 0x0f, 0xc0),
    (0x1ffe, 0x06, 0xbd),
];

fn write(units: &[Written]) -> Vec<u8> {
    let mut muxer = Muxer::new(MuxerConfig {
        streams: STREAMS
            .map(|(pid, stream_type, stream_id)| MuxStream {
                pid: Pid::new(pid),
                stream_type,
                stream_id,
                descriptors: vec![0x0a, 4, b'e', b'n', b'g', 0],
            })
            .to_vec(),
        ..MuxerConfig::default()
    });
    let mut out = Vec::new();
    for (n, unit) in units.iter().enumerate() {
        if n % 3 == 0 {
            muxer.write_tables(&mut out);
            muxer.write_pcr(&mut out, Pcr::from(unit.dts));
        }
        let (start, end) = unit.payload.split_at(unit.payload.len() / 3);
        muxer.write_unit(
            &mut out,
            Unit {
                stream: unit.stream,
                pts: unit.pts,
                dts: unit.dts,
                random_access: n % 5 == 0,
                pcr: unit.pcr,
                payload: &[start, end],
            },
        );
    }
    out
}

fn any_unit() -> impl Strategy<Value = Written> {
    let time = -(1_i64 << 34)..1 << 34;
    let lag = prop_oneof![Just(0), 0_i64..20_000];
    let len = prop_oneof![0_usize..500, 0_usize..5000, 60_000_usize..70_000];
    (0_usize..3, time, lag, any::<bool>(), len, any::<u8>()).prop_map(
        |(stream, dts, lag, clock, len, seed)| Written {
            stream,
            pts: Ticks(dts + lag),
            dts: Ticks(dts),
            pcr: (clock && stream == 0).then(|| Pcr::from(Ticks(dts - 9000))),
            // Audio is split by the caller, so that its length always fits.
            payload: (0..if stream == 0 { len } else { len % 5000 })
                .map(|n| (n as u8).wrapping_mul(7) ^ seed)
                .collect(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_oracle_reads_what_was_written(units in prop::collection::vec(any_unit(), 1..20)) {
        let bytes = write(&units);
        let mut oracle = Oracle::default();
        Demultiplex::new(&mut oracle).push(&mut oracle, &bytes);

        prop_assert_eq!(oracle.continuity_errors, 0);
        prop_assert_eq!(oracle.pcr_pid, Some(0x100));
        let types: Vec<_> = STREAMS.iter().map(|&(pid, stream_type, _)| (pid, stream_type)).collect();
        prop_assert_eq!(oracle.types.into_iter().collect::<Vec<_>>(), types);
        for (stream, (pid, ..)) in STREAMS.into_iter().enumerate() {
            let expected: Vec<_> = units
                .iter()
                .filter(|unit| unit.stream == stream)
                .map(|unit| Seen {
                    pts: unit.pts.to_raw(),
                    dts: (unit.dts != unit.pts).then(|| unit.dts.to_raw()),
                    bounded: unit.payload.len() <= 65_535 - 3 - if unit.dts == unit.pts { 5 } else { 10 },
                    payload: unit.payload.clone(),
                })
                .collect();
            prop_assert_eq!(oracle.units.remove(&pid).unwrap_or_default(), expected);
        }
    }

    #[test]
    fn the_oracle_and_the_views_agree_on_each_packet(units in prop::collection::vec(any_unit(), 1..20)) {
        let bytes = write(&units);
        let mut framer = Framer::new(0);
        let mut count = 0;
        let mut check = |frame: Frame<'_>| {
            let Frame::Packet { bytes, .. } = frame else {
                panic!("{frame:?}");
            };
            count += 1;
            let (ours, theirs) = (Packet::new(bytes), packet::Packet::new(bytes));
            assert_eq!(ours.pid().value(), u16::from(theirs.pid()));
            assert_eq!(ours.counter(), theirs.continuity_counter().count());
            assert_eq!(ours.unit_start(), theirs.payload_unit_start_indicator());
            assert_eq!(ours.payload(), theirs.payload().unwrap_or_default());
            let ours = ours.adaptation().unwrap_or_default();
            let field = theirs.adaptation_field();
            let flag = |ask: fn(&packet::AdaptationField<'_>) -> bool| {
                field.as_ref().is_some_and(ask)
            };
            assert_eq!(ours.random_access, flag(|f| f.random_access_indicator()));
            assert_eq!(ours.discontinuity, flag(|f| f.discontinuity_indicator()));
            let clock = field.and_then(|field| field.pcr().ok()).map(u64::from);
            assert_eq!(ours.pcr.map(Pcr::value), clock);
        };
        framer.push(&bytes, &mut check);
        framer.finish(&mut check);
        prop_assert_eq!(count, bytes.len() / 188);
    }
}

#[test]
fn a_day_and_a_half_of_time_is_followed_through_the_wrap() {
    let step = Ticks::SECOND.0 * 600;
    let units: Vec<_> = (0..216)
        .map(|n| Written {
            stream: 0,
            pts: Ticks(n * step),
            dts: Ticks(n * step),
            pcr: None,
            payload: vec![0; 10],
        })
        .collect();
    let mut oracle = Oracle::default();
    Demultiplex::new(&mut oracle).push(&mut oracle, &write(&units));
    let mut unwrapper = Unwrapper::new();
    let times: Vec<_> = oracle.units[&0x100]
        .iter()
        .map(|seen| unwrapper.unwrap(seen.pts))
        .collect();
    let expected: Vec<_> = units.iter().map(|unit| unit.pts).collect();
    assert_eq!(times, expected);
}
