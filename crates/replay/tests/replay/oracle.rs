//! Streams that ffmpeg makes: an independent demultiplexer finds the same units in them, and ffmpeg
//! itself finds nothing wrong with clips of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use lookback_mpegts::PTS_WRAP;
use lookback_replay::Selection;
use mpeg2ts_reader::demultiplex::{
    Demultiplex, DemuxContext, FilterChangeset, FilterRequest, NullPacketFilter, PacketFilter,
    PatPacketFilter, PmtPacketFilter,
};
use mpeg2ts_reader::pes::{
    ElementaryStreamConsumer, PesContents, PesHeader, PesPacketFilter, PtsDts,
};
use mpeg2ts_reader::{packet, psi};

use crate::support::rig::{BEGINNING, MIB};
use crate::support::{Rig, read_all, seconds};

/// PTS, DTS and content.
type Unit = (u64, u64, Vec<u8>);

/// Gathers what the other demultiplexer reads, by PID.
#[derive(Default)]
struct Oracle {
    changes: FilterChangeset<Switch>,
    units: BTreeMap<u16, Vec<Unit>>,
}

/// What it does with the packets of one PID.
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
            FilterRequest::ByStream { stream_info, .. } => {
                let pid = u16::from(stream_info.elementary_pid());
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
            PtsDts::PtsOnly(pts) => {
                let pts = pts.expect("a PTS");
                (pts, pts)
            }
            PtsDts::Both { pts, dts } => (pts.expect("a PTS"), dts.expect("a DTS")),
            other => panic!("{other:?}"),
        };
        let unit = (pts.value(), dts.value(), contents.payload().to_vec());
        oracle.units.entry(self.pid).or_default().push(unit);
    }

    fn continue_packet(&mut self, oracle: &mut Oracle, data: &[u8]) {
        let unit = oracle
            .units
            .get_mut(&self.pid)
            .and_then(|units| units.last_mut());
        unit.expect("it was begun").2.extend(data);
    }

    fn end_packet(&mut self, _: &mut Oracle) {}

    fn continuity_error(&mut self, _: &mut Oracle) {
        panic!("the counters have a gap");
    }
}

fn demultiplex(stream: &[u8]) -> BTreeMap<u16, Vec<Unit>> {
    let mut oracle = Oracle::default();
    Demultiplex::new(&mut oracle).push(&mut oracle, stream);
    oracle.units
}

/// Arguments for the encoders of ten seconds of picture and sound.
const STREAMS: [(&str, &str); 8] = [
    (
        "h264",
        "-c:v libx264 -preset ultrafast -bf 3 -g 25 -c:a aac",
    ),
    (
        "h264, open groups",
        "-c:v libx264 -preset veryfast -x264-params open-gop=1:bframes=3:keyint=20 -c:a aac",
    ),
    (
        "h264, intra refresh",
        "-c:v libx264 -preset veryfast -x264-params intra-refresh=1:keyint=25 -c:a mp2",
    ),
    (
        "h264, sets once",
        "-c:v libx264 -preset ultrafast -g 25 -x264-params repeat-headers=0 -flags +global_header -bsf:v h264_mp4toannexb -c:a aac",
    ),
    (
        "hevc, open groups",
        "-c:v libx265 -preset ultrafast -x265-params log-level=none:open-gop=1:keyint=20:bframes=3 -c:a ac3",
    ),
    (
        "hevc, closed groups",
        "-c:v libx265 -preset ultrafast -x265-params log-level=none:open-gop=0:keyint=25 -c:a libopus",
    ),
    ("mpeg2", "-c:v mpeg2video -g 15 -bf 2 -c:a mp2"),
    ("sound alone", "-vn -c:a aac"),
];

fn encode(arguments: &str) -> Vec<u8> {
    let source = "-v error -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440:sample_rate=48000";
    let output = Command::new("ffmpeg")
        .args(source.split(' '))
        .args(["-t", "10", "-threads", "1"])
        .args(arguments.split(' '))
        .args(["-f", "mpegts", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// What ffmpeg finds wrong with a stream.
fn complaints(stream: &[u8]) -> String {
    let mut ffmpeg = Command::new("ffmpeg")
        .args("-v error -xerror -f mpegts -i - -map 0 -f null -".split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg can be started");
    let mut stdin = ffmpeg.stdin.take().expect("it is piped");
    thread::scope(|scope| {
        // It stops reading at its first complaint.
        scope.spawn(move || stdin.write_all(stream).is_ok());
        let output = ffmpeg.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stderr).into_owned()
    })
}

#[test]
fn an_independent_reader_finds_the_same_units() {
    for (name, arguments) in STREAMS {
        eprintln!("{name}");
        let stream = encode(arguments);
        let expected = demultiplex(&stream);
        let rig = Rig::new(32 * MIB);
        rig.connect().write(&stream, BEGINNING);
        let clip = rig.clip(Selection::All);
        let program = clip.program();
        let mut found: BTreeMap<u16, Vec<Unit>> = BTreeMap::new();
        let mut units = clip.units();
        while let Some(unit) = units.next().expect("the clip is there") {
            let pid = program.config().streams[unit.stream].pid.value();
            let payload = unit.payload.concat();
            found
                .entry(pid)
                .or_default()
                .push((unit.pts.to_raw(), unit.dts.to_raw(), payload));
        }
        assert_eq!(
            expected.keys().collect::<Vec<_>>(),
            found.keys().collect::<Vec<_>>()
        );
        for (pid, expected) in expected {
            let found = &found[&pid];
            // Sound may begin before the first picture, and end after the last.
            let missing = expected
                .iter()
                .position(|unit| unit.2 == found[0].2)
                .expect("the first unit");
            assert!(
                missing < 12,
                "{missing} units are missing at the beginning of {pid:#x}"
            );
            assert!(
                found.len() + missing + 12 > expected.len(),
                "{} of {}",
                found.len(),
                expected.len()
            );
            let shift = (found[0].0 + PTS_WRAP - expected[missing].0) % PTS_WRAP;
            for (found, expected) in found.iter().zip(&expected[missing..]) {
                let moved = |time: u64| (time + shift) % PTS_WRAP;
                assert_eq!(
                    (found.0, found.1),
                    (moved(expected.0), moved(expected.1)),
                    "on {pid:#x}"
                );
                assert!(
                    found.2 == expected.2,
                    "the content of a unit on {pid:#x} differs"
                );
            }
        }
    }
}

#[test]
fn ffmpeg_finds_nothing_wrong_with_a_clip() {
    for (name, arguments) in STREAMS {
        let stream = encode(arguments);
        let rig = Rig::new(32 * MIB);
        // Read twice, so that there is a join.
        rig.connect().write(&stream, BEGINNING);
        rig.connect().write(&stream, BEGINNING + seconds(20.0));
        let window = rig
            .channel
            .status(BEGINNING + seconds(20.0))
            .window
            .expect("something is recorded");
        let at = |place: f64| Some(window.start + seconds(place));
        for selection in [
            Selection::All,
            Selection::Span {
                from: at(3.3),
                to: at(5.7),
            },
            Selection::Span {
                from: at(7.1),
                to: None,
            },
            Selection::Last(seconds(4.0)),
        ] {
            let clip = rig.clip(selection);
            assert_eq!(complaints(&read_all(&clip)), "", "{name}, {selection:?}");
        }
    }
}
