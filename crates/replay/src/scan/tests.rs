//! The short way through the packets of a picture finds what the long one finds; what the tables name
//! has room among whatever else there is.

use lookback_mpegts::{PACKET_LEN, Pat, packetize_section};
use lookback_testcard::{Config, Stream, TestCard};
use proptest::prelude::*;

use super::pids::PIDS_MAX;
use super::programs::PROGRAMS_MAX;
use super::*;

type Packets = Vec<[u8; PACKET_LEN]>;

/// Some seconds of pictures of many packets, with sound.
fn packets() -> Packets {
    let config = Config {
        width: 640,
        height: 360,
        ..Config::default()
    };
    let card = TestCard::new(config).expect("there is such a card");
    let stream = Stream::new(card, 0, Ticks(10 * 90_000));
    let bytes: Vec<u8> = stream.take(100).flat_map(|chunk| chunk.bytes).collect();
    bytes.as_chunks().0.to_vec()
}

/// Sets the priority of every other packet of a PID, which means nothing, but never is what was
/// expected to follow.
fn the_long_way(mut packets: Packets) -> Packets {
    let mut odd = vec![false; 1 << 13];
    for packet in &mut packets {
        let odd = &mut odd[usize::from(Packet::new(packet).pid().value())];
        packet[1] |= if *odd { 0x20 } else { 0 };
        *odd = !*odd;
    }
    packets
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Lost,
    Twice,
    NoPacket,
    Scrambled,
    NoPayload,
}

fn damage(packets: &Packets, damages: &[(usize, Damage)]) -> Vec<u8> {
    let mut out: Vec<Packets> = packets.iter().map(|packet| vec![*packet]).collect();
    for &(at, damage) in damages {
        let at = at % out.len();
        let spoil = |packet: &mut [u8; PACKET_LEN]| match damage {
            Damage::NoPacket => packet[0] = 0,
            Damage::Scrambled => packet[3] |= 0x80,
            Damage::NoPayload => packet[3] &= !0x10,
            Damage::Lost | Damage::Twice => {}
        };
        out[at].iter_mut().for_each(spoil);
        match damage {
            Damage::Lost => out[at].clear(),
            Damage::Twice => out[at].extend_from_within(..),
            _ => {}
        }
    }
    out.into_iter().flatten().flatten().collect()
}

fn scan(bytes: &[u8]) -> impl PartialEq + std::fmt::Debug {
    let mut scanner = Scanner::new(0);
    let batches = [
        scanner.scan(bytes, Wall(0)),
        scanner.finish(bytes.len() as u64),
    ];
    batches.map(|batch| {
        let Batch {
            ended,
            entries,
            faults,
            discarded,
            problems,
        } = batch;
        let ended: Vec<_> = ended.iter().map(|run| (run.start, run.end)).collect();
        (ended, entries, faults, discarded, problems)
    })
}

/// A packet of no use on each PID there is.
fn junk() -> impl Iterator<Item = [u8; PACKET_LEN]> {
    (0..1_u16 << 13).map(|pid| {
        let mut packet = [0xff; PACKET_LEN];
        packet[..2].copy_from_slice(&[0x47, (pid >> 8) as u8]);
        packet[2..4].copy_from_slice(&[pid as u8, 0x10]);
        packet
    })
}

#[test]
fn however_the_tables_change_what_they_name_has_room() {
    let mut demux = Demux::new(0);
    let feed = |demux: &mut Demux, packet: &[u8; PACKET_LEN]| {
        demux.packet(0, Packet::new(packet));
    };
    junk().for_each(|packet| feed(&mut demux, &packet));
    assert_eq!(demux.pids.len(), PIDS_MAX);
    for change in 0..100 {
        let of = |n: u16| Pid::new(0x20 + (change * 61 + n * 7) % 0x1f00);
        let pat = Pat {
            transport_stream_id: 1,
            version: 0,
            current: true,
            programs: (1..=PROGRAMS_MAX as u16).map(|n| (n, of(n))).collect(),
        };
        let mut packets = Vec::new();
        packetize_section(&pat.section(), Pid::PAT, 0, &mut packets);
        for (at, packet) in packets.as_chunks_mut().0.iter_mut().enumerate() {
            packet[3] = packet[3] & 0xf0 | (change as u8 * 2 + at as u8) & 0x0f;
            feed(&mut demux, packet);
        }
        for &(_, pid) in &pat.programs {
            let slot = demux.pids.slot(pid).expect("it has room");
            assert!(matches!(demux.pids.role(slot), Role::Map));
        }
        assert_eq!(demux.pids.len(), PIDS_MAX);
    }
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Lost),
        Just(Damage::Twice),
        Just(Damage::NoPacket),
        Just(Damage::Scrambled),
        Just(Damage::NoPayload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_short_way_finds_what_the_long_one_finds(
        damages in prop::collection::vec((any::<usize>(), any_damage()), 0..12),
    ) {
        let packets = packets();
        let short = damage(&packets, &damages);
        let long = damage(&the_long_way(packets), &damages);
        prop_assert_eq!(scan(&short), scan(&long));
    }
}
