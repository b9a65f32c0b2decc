//! Streams that were damaged on their way: what comes out is clean all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use lookback_mpegts::{PACKET_LEN, Ticks};
use lookback_replay::{Rendition, RenditionError, Selection};
use proptest::prelude::*;

use crate::support::damage::{Damage, apply};
use crate::support::rig::{BEGINNING, MIB};
use crate::support::{Checked, Gaps, Options, Rig, Synthetic, cases, check, read_all, shapes};

/// Records a damaged stream in pieces, and checks the clip of all of it.
#[track_caller]
fn record(
    options: Options,
    pictures: usize,
    damages: &[(usize, Damage)],
    piece: usize,
) -> (Rig, Option<Checked>) {
    let mut rig = Rig::new(16 * MIB);
    connect(&mut rig, options, pictures, damages, piece);
    let checked = check_all(&rig);
    (rig, checked)
}

fn connect(
    rig: &mut Rig,
    options: Options,
    pictures: usize,
    damages: &[(usize, Damage)],
    piece: usize,
) {
    let mut stream = Synthetic::new(options);
    let bytes = apply(&stream.bytes(pictures), damages);
    rig.sent.extend(&stream.sent);
    let mut writer = rig.connect();
    for piece in bytes.chunks(piece) {
        writer.write(piece, BEGINNING);
    }
}

#[track_caller]
fn check_all(rig: &Rig) -> Option<Checked> {
    let clip = rig.try_clip(Selection::All).ok()?;
    Some(check(&read_all(&clip), &rig.sent, Gaps::Allowed))
}

/// The packets that belong to a picture, and where it begins among all packets.
fn packets_of(options: &Options, picture: usize) -> std::ops::Range<usize> {
    let mut stream = Synthetic::new(options.clone());
    let mut start = stream.bytes(picture).len() / PACKET_LEN;
    let part = stream.part().bytes;
    let is_video = |packet: &[u8]| packet[1] & 0x1f == 1 && packet[2] == 0;
    let before = part
        .chunks(PACKET_LEN)
        .take_while(|packet| !is_video(packet))
        .count();
    start += before;
    let len = part
        .chunks(PACKET_LEN)
        .skip(before)
        .take_while(|packet| is_video(packet))
        .count();
    start..start + len
}

#[test]
fn pictures_behind_a_lost_packet_are_left_out_up_to_the_next_key() {
    for bounded in [false, true] {
        let options = Options {
            bounded,
            ..Options::default()
        };
        let picture = packets_of(&options, 23);
        assert!(picture.len() > 4);
        for lost in picture.clone() {
            let (rig, checked) =
                record(options.clone(), 50, &[(lost, Damage::Drop(1))], usize::MAX);
            let pictures = checked.expect("a clip").pictures();
            assert!(
                pictures.starts_with(&(0..22).collect::<Vec<_>>()),
                "{pictures:?}"
            );
            assert!(
                !pictures.iter().any(|n| (23..30).contains(n)),
                "{pictures:?}"
            );
            assert!((30..49).all(|n| pictures.contains(&n)), "{pictures:?}");
            assert_eq!(rig.problem("lost_packets"), 1);
        }
    }
}

#[test]
fn a_picture_that_is_lost_as_a_whole_takes_those_along_that_refer_to_it() {
    for bounded in [false, true] {
        let options = Options {
            bounded,
            ..Options::default()
        };
        let picture = packets_of(&options, 23);
        let (_, checked) = record(
            options.clone(),
            50,
            &[(picture.start, Damage::Drop(picture.len()))],
            usize::MAX,
        );
        let pictures = checked.expect("a clip").pictures();
        assert!(
            pictures.starts_with(&(0..22).collect::<Vec<_>>()),
            "{pictures:?}"
        );
        assert!(
            !pictures.iter().any(|n| (23..30).contains(n)),
            "{pictures:?}"
        );
    }
}

#[test]
fn a_lost_key_takes_its_group_along() {
    for options in [
        Options::default(),
        Options {
            bounded: true,
            open: true,
            b_pictures: 2,
            ..Options::default()
        },
    ] {
        let key = if options.open { 28 } else { 20 };
        let picture = packets_of(&options, key);
        let (_, checked) = record(
            options,
            100,
            &[(picture.start, Damage::Drop(1))],
            usize::MAX,
        );
        let pictures = checked.expect("a clip").pictures();
        assert!(
            !pictures.contains(&key) && pictures.contains(&(key - 4)) && pictures.contains(&90),
            "{pictures:?}"
        );
    }
}

#[test]
fn a_packet_that_is_sent_twice_is_there_once() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let options = Options {
            picture_len: options.picture_len.min(3000),
            ..options
        };
        let twice: Vec<_> = (0..3000).step_by(7).map(|at| (at, Damage::Twice)).collect();
        let mut stream = Synthetic::new(options.clone());
        let bytes = stream.bytes(60);
        let mut rig = Rig::new(16 * MIB);
        rig.sent = stream.sent;
        let packets = bytes.len() / PACKET_LEN;
        let twice: Vec<_> = twice.into_iter().filter(|(at, _)| *at < packets).collect();
        rig.connect().write(&apply(&bytes, &twice), BEGINNING);
        let (_, checked) = rig.check(Selection::All, Gaps::None);
        assert!(
            checked.pictures().len() >= 59 - 3,
            "{}",
            checked.pictures().len()
        );
        assert_eq!(rig.problem("lost_packets"), 0);
    }
}

#[test]
fn garbage_between_packets_is_counted_and_not_played() {
    let options = Options::default();
    let picture = packets_of(&options, 23);
    for len in [1, 100, 188, 188 * 16, 10_000] {
        let (rig, checked) = record(
            options.clone(),
            50,
            &[(picture.start + 1, Damage::Garbage(len))],
            1000,
        );
        let pictures = checked.expect("a clip").pictures();
        assert!(
            (0..22).all(|n| pictures.contains(&n)) && (30..49).all(|n| pictures.contains(&n)),
            "{pictures:?}"
        );
        assert!(rig.problem("damaged") > 0);
        assert!(rig.channel.status(rig.now).discarded_bytes >= len as u64);
    }
}

#[test]
fn a_clip_may_begin_anywhere_in_a_damaged_stream() {
    let options = Options {
        sound_delay: Ticks(-20_000),
        interleaved: true,
        sound_frames: 8,
        ..Options::default()
    };
    let damages: Vec<_> = (0..40)
        .map(|n| {
            (
                n * 61,
                [
                    Damage::Drop(2),
                    Damage::Garbage(333),
                    Damage::Mark,
                    Damage::Desync,
                ][n % 4]
                    .clone(),
            )
        })
        .collect();
    let (rig, _) = record(options, 400, &damages, 5000);
    let window = rig
        .channel
        .status(rig.now)
        .window
        .expect("something is recorded");
    for n in 0..40 {
        let from = window.start + window.duration * n / 40;
        let to = Some(from + window.duration / 8);
        for selection in [
            Selection::Span {
                from: Some(from),
                to: None,
            },
            Selection::Span {
                from: Some(from),
                to,
            },
        ] {
            rig.check(selection, Gaps::Allowed);
        }
    }
}

/// A packet of no use on a PID.
fn junk(pid: u16, counter: usize) -> [u8; PACKET_LEN] {
    let mut packet = [0xff; PACKET_LEN];
    packet[..2].copy_from_slice(&[0x47, (pid >> 8) as u8]);
    packet[2..4].copy_from_slice(&[pid as u8, 0x10 | counter as u8 & 0x0f]);
    packet
}

#[test]
fn a_stream_is_found_among_packets_of_all_pids() {
    const PIDS: u16 = 1 << 13;
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut stream = Synthetic::new(options);
        let parts = stream.parts(60);
        let pid_of = |packet: &[u8]| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let packets = parts.iter().flat_map(|part| part.bytes.chunks(PACKET_LEN));
        let own: BTreeSet<u16> = packets.map(pid_of).collect();

        let mut rig = Rig::new(32 * MIB);
        let mut writer = rig.connect();
        for pid in 0..PIDS {
            writer.write(&junk(pid, 0), BEGINNING);
        }
        let mut others = (0..).map(|n| (n as u16 % PIDS, 1 + n / usize::from(PIDS)));
        for part in parts {
            writer.write(&part.bytes, BEGINNING);
            let between = others.by_ref().take(300);
            for (pid, counter) in between.filter(|(pid, _)| !own.contains(pid)) {
                writer.write(&junk(pid, counter), BEGINNING);
            }
        }
        drop(writer);
        rig.sent = stream.sent;
        let (_, checked) = rig.check(Selection::All, Gaps::None);
        assert!(checked.found.len() > 40, "{} units", checked.found.len());
    }
}

/// What [`whatever_is_damaged_what_is_played_is_clean`] has found.
#[test]
fn what_was_found_once_stays_found() {
    use Damage::{Cut, Desync, Drop};
    let found: [(&str, &[(usize, Damage)]); 4] = [
        ("plain", &[(1018, Cut(3))]),
        ("plain", &[(1266, Cut(4))]),
        (
            "several programs, open groups",
            &[(978, Desync), (0, Drop(1))],
        ),
        ("lengths told", &[(0, Drop(1)), (876, Cut(54))]),
    ];
    for (name, damages) in found {
        eprintln!("{name}, {damages:?}");
        let shape = shapes().into_iter().find(|(known, _)| *known == name);
        damaged_runs(shape.expect("a shape of that name").1, damages, 1);
    }
}

/// Checks two runs, the first with the first half of the damages.
#[track_caller]
fn damaged_runs(options: Options, damages: &[(usize, Damage)], piece: usize) {
    let options = Options {
        picture_len: options.picture_len.min(3000),
        gop: options.gop.min(5),
        ..options
    };
    let mut rig = Rig::new(16 * MIB);
    let (first, second) = damages.split_at(damages.len() / 2);
    connect(&mut rig, options.clone(), 40, first, piece);
    connect(&mut rig, Options { id: 1, ..options }, 40, second, piece);
    check_all(&rig);
}

fn any_damage() -> impl Strategy<Value = Damage> {
    // Sixteen packets of one PID in a row can be lost without a trace, and so can a packet's length of bytes out
    // of neighbouring ones: all cuts together are shorter.
    prop_oneof![
        (1_usize..5).prop_map(Damage::Drop),
        (1_usize..16).prop_map(Damage::Cut),
        (1_usize..5000).prop_map(Damage::Garbage),
        Just(Damage::Desync),
        Just(Damage::Mark),
        Just(Damage::Twice),
    ]
}

/// Tables go on in those behind damage in front of which a cut has none, also where it follows another.
#[test]
fn a_cut_between_the_last_tables_and_damage_is_clean() {
    for (name, packet) in [
        ("near the wrap", 136),
        ("open groups without B pictures", 231),
    ] {
        let shapes = shapes();
        let (_, options) = shapes
            .iter()
            .find(|(known, _)| *known == name)
            .expect("it is one");
        let mut rig = Rig::new(16 * MIB);
        connect(
            &mut rig,
            options.clone(),
            100,
            &[(packet, Damage::Cut(15))],
            5000,
        );
        let clip = rig.clip(Selection::All);
        let timeline = clip.timeline();
        let at = |hundredths| {
            timeline.start + Ticks((timeline.end - timeline.start).0 * hundredths / 100)
        };
        for start in 0..100 {
            let first = (Arc::clone(&clip), at(0)..at(1));
            let rest = (Arc::clone(&clip), at(start)..timeline.end);
            for pieces in [vec![rest.clone()], vec![first, rest]] {
                let cut = Rendition::new(&pieces).expect("one stream");
                check(&read_all(&cut.clip), &rig.sent, Gaps::Allowed);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn whatever_is_damaged_what_is_played_is_clean(
        shape in 0..shapes().len(),
        damages in prop::collection::vec((0_usize..1000, any_damage()), 1..12),
        piece in 1_usize..20_000,
    ) {
        damaged_runs(shapes()[shape].1.clone(), &damages, piece);
    }

    #[test]
    fn whatever_is_damaged_what_is_cut_and_joined_is_clean(
        shape in 0..shapes().len(),
        damages in prop::collection::vec((0_usize..1000, any_damage()), 1..8),
        spans in prop::collection::vec((0.0..1.0, 0.01..0.6), 1..4),
    ) {
        let options = shapes()[shape].1.clone();
        let mut rig = Rig::new(16 * MIB);
        connect(&mut rig, options, 100, &damages, 5000);
        let Ok(clip) = rig.try_clip(Selection::All) else {
            return Ok(());
        };
        let timeline = clip.timeline();
        let length = (timeline.end - timeline.start).0 as f64;
        let pieces: Vec<_> = spans
            .iter()
            .map(|&(from, part): &(f64, f64)| {
                let start = timeline.start + Ticks((from * length * 0.95) as i64);
                let end = start + Ticks((part * length) as i64 + 1);
                (Arc::clone(&clip), start..end.min(timeline.end))
            })
            .collect();
        match Rendition::new(&pieces) {
            Ok(cut) => {
                check(&read_all(&cut.clip), &rig.sent, Gaps::Allowed);
            }
            // Damage can tear headers apart that would have to be changed.
            Err(error) => prop_assert_eq!(error, RenditionError::FormatsDiffer),
        }
    }

    #[test]
    fn a_flipped_bit_harms_no_packet(
        shape in 0..shapes().len(),
        flips in prop::collection::vec((0_usize..1500, 0_usize..188 * 8), 1..12),
    ) {
        let options = shapes()[shape].1.clone();
        let options = Options { picture_len: options.picture_len.min(3000), ..options };
        let flips: Vec<_> = flips.into_iter().map(|(at, bit)| (at, Damage::Flip(bit))).collect();
        let mut stream = Synthetic::new(options);
        let rig = Rig::new(16 * MIB);
        rig.connect().write(&apply(&stream.bytes(60), &flips), BEGINNING);
        if let Ok(clip) = rig.try_clip(Selection::All) {
            let bytes = read_all(&clip);
            prop_assert!(bytes.len().is_multiple_of(PACKET_LEN) && bytes.chunks(PACKET_LEN).all(|packet| packet[0] == 0x47));
        }
    }
}
