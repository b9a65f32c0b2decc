//! The short way through the packets of a picture finds what the long one finds.

use lookback_mpegts::PACKET_LEN;
use lookback_testcard::{Config, Stream, TestCard};
use proptest::prelude::*;

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
