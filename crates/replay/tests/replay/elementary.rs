//! Units that are found by their place are those that are handed out with their bytes.

use lookback_mpegts::Pid;
use lookback_replay::{Clip, Elementary, Selection, Units};

use crate::support::rig::MIB;
use crate::support::{Rig, VIDEO_PID, shapes};

/// All bytes from where it stands.
fn rest(source: &mut Elementary<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let more = source.peek().expect("the clip is there").to_vec();
        if more.is_empty() {
            return bytes;
        }
        source.consume(more.len());
        bytes.extend(more);
    }
}

#[test]
fn every_unit_has_the_same_bytes_in_its_place() {
    for (name, options) in shapes() {
        let mut rig = Rig::new(32 * MIB);
        rig.run(options, 300);
        let clip = rig.clip(Selection::All);
        let pids = |clip: &Clip| clip.program().config().streams.clone();
        let pids: Vec<Pid> = pids(&clip).iter().map(|stream| stream.pid).collect();
        let (mut units, mut places): (Units, Units) = (clip.units(), clip.units());
        let mut source = clip.elementary();
        let mut is_first = true;
        while let Some(unit) = units.next().expect("the clip is there") {
            let placed = places.next_placed().expect("the clip is there");
            let placed = placed.expect("as many places as units");
            assert_eq!(
                (placed.stream, placed.pts),
                (unit.stream, unit.pts),
                "{name}"
            );
            assert_eq!(
                (placed.dts, placed.random_access),
                (unit.dts, unit.random_access)
            );
            source.stand(pids[placed.stream], placed.packets.clone());
            let bytes = rest(&mut source);
            let mut expected = unit.payload.concat();
            // What a clip puts into its first picture is not in the log.
            let is_first_picture = placed.stream == 0 && std::mem::take(&mut is_first);
            let inserted = placed.parameters.filter(|_| is_first_picture);
            if let Some(sets) = inserted {
                let at = expected
                    .windows(sets.len())
                    .position(|bytes| bytes == &sets[..]);
                let at = at.expect("they are in the unit");
                expected.drain(at..at + sets.len());
            }
            assert!(bytes == expected, "{name}: the unit at {:?}", unit.pts);
        }
        assert!(places.next_placed().expect("the clip is there").is_none());
    }
}

#[test]
fn reading_is_taken_up_in_any_packet() {
    let mut rig = Rig::new(32 * MIB);
    rig.run(crate::support::Options::default(), 60);
    let clip = rig.clip(Selection::All);
    let mut units = clip.units();
    let placed = std::iter::from_fn(|| units.next_placed().expect("the clip is there"));
    let placed = placed.into_iter().find(|placed| placed.stream == 0);
    let placed = placed.expect("a picture");
    let pid = Pid::new(VIDEO_PID);
    let mut source = clip.elementary();
    source.stand(pid, placed.packets.clone());
    let whole = rest(&mut source);
    source.stand(pid, placed.packets.clone());
    let mut at = 0;
    while !source.peek().expect("the clip is there").is_empty() {
        let packet = source.packet().expect("PES headers lie in one packet here");
        let mut other = clip.elementary();
        other.stand(pid, packet..placed.packets.end);
        assert!(rest(&mut other) == whole[at..], "from {at} on");
        let mut skipped = clip.elementary();
        skipped.stand(pid, placed.packets.clone());
        skipped.skip(at as u64).expect("there are as many");
        let mut copied = Vec::new();
        skipped
            .copy(whole.len() - at, &mut copied)
            .expect("there are as many");
        assert!(copied == whole[at..], "behind {at} bytes");
        assert!(skipped.skip(1).is_err(), "there are no more");
        let len = source.peek().expect("the clip is there").len();
        source.consume(len);
        at += len;
    }
    assert_eq!(at, whole.len());
    let free = source.is_free_of(pid, placed.packets.clone());
    assert!(!free.expect("the clip is there"));
    let free = source.is_free_of(Pid::NULL, placed.packets.clone());
    assert!(free.expect("the clip is there"));
    let odd = placed.packets.start..placed.packets.end - 1;
    assert!(
        !source
            .is_free_of(Pid::NULL, odd)
            .expect("the clip is there")
    );
}
