//! Reads a clip as a strict player would, knowing nothing of how it was made, and holds it to what
//! was sent.

use std::collections::{BTreeMap, BTreeSet};

use lookback_mpegts::{
    PACKET_LEN, PTS_WRAP, Packet, Pat, PesHeader, Pid, Pmt, SectionReader, Ticks,
};

use super::synthetic::{DELIMITER, Sent, SentUnit, VIDEO_PID};

/// What may be missing from a clip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Gaps {
    /// Nothing between its first picture and its last.
    None,
    /// Pictures up to the next key, and sound.
    Allowed,
}

/// A unit found in a clip, with its timestamps as they stand there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    pub(crate) pid: u16,
    pub(crate) pts: u64,
    pub(crate) dts: u64,
    pub(crate) payload: Vec<u8>,
}

/// A clip that was found to be in order.
pub(crate) struct Checked {
    /// All units in the order in which they begin.
    pub(crate) found: Vec<Found>,
    /// The same as they were sent.
    pub(crate) sent: Vec<SentUnit>,
}

impl Checked {
    /// Numbers of the pictures, in the order of decoding.
    pub(crate) fn pictures(&self) -> Vec<usize> {
        self.numbers(VIDEO_PID)
    }

    /// Numbers of the units on a PID.
    pub(crate) fn numbers(&self, pid: u16) -> Vec<usize> {
        self.sent
            .iter()
            .filter(|unit| unit.pid == pid)
            .map(|unit| unit.number)
            .collect()
    }

    /// From the first picture's PTS to the last one's.
    pub(crate) fn shown(&self) -> Ticks {
        let pts = || {
            self.found
                .iter()
                .filter(|unit| unit.pid == VIDEO_PID)
                .map(|unit| unit.pts as i64)
        };
        Ticks(pts().max().unwrap_or(0) - pts().min().unwrap_or(0))
    }
}

/// Checks a clip with video.
///
/// # Panics
/// If anything is wrong with it.
#[track_caller]
pub(crate) fn check(clip: &[u8], sent: &Sent, gaps: Gaps) -> Checked {
    let found = demux(clip);
    assert!(!found.is_empty(), "a clip has units");
    let first = &found[0];
    assert_eq!(first.pid, VIDEO_PID, "a clip begins with a picture");
    let matched: Vec<SentUnit> = found
        .iter()
        .enumerate()
        .map(|(at, unit)| match sent.find(&unit.payload) {
            Some(known) => known.clone(),
            None => key_with_parameters(at, unit, &found, sent),
        })
        .collect();
    assert!(
        matched[0].key,
        "a clip begins with a key, not with picture {}",
        matched[0].number
    );
    assert!(
        has_parameters(&first.payload),
        "the first picture has parameter sets"
    );
    check_times(&found);
    check_sync(&found, &matched);
    check_references(&matched, sent);
    if gaps == Gaps::None {
        check_row(&matched, sent);
    }
    Checked {
        found,
        sent: matched,
    }
}

/// Takes a stream apart, and checks all that the transport stream itself promises.
#[track_caller]
pub(crate) fn demux(clip: &[u8]) -> Vec<Found> {
    let (packets, rest) = clip.as_chunks::<PACKET_LEN>();
    assert!(
        rest.is_empty(),
        "whole packets, not {} bytes more",
        rest.len()
    );
    let maps = tables_in_front(packets);
    let mut counters: BTreeMap<Pid, u8> = BTreeMap::new();
    let mut open: BTreeMap<Pid, (usize, Vec<u8>)> = BTreeMap::new();
    let mut done: BTreeMap<usize, Found> = BTreeMap::new();
    let mut clock = 0;
    for (at, bytes) in packets.iter().enumerate() {
        assert_eq!(bytes[0], 0x47, "packet {at} begins with a sync byte");
        let packet = Packet::new(bytes);
        let pid = packet.pid();
        if pid == Pid::NULL {
            continue;
        }
        assert!(
            !packet.transport_error(),
            "packet {at} is marked as damaged"
        );
        let expected = counters
            .get(&pid)
            .map(|last| (last + u8::from(packet.has_payload())) & 0x0f);
        assert!(
            expected.is_none_or(|expected| expected == packet.counter()),
            "packet {at} of {pid} has the counter {}, not {expected:?}",
            packet.counter()
        );
        counters.insert(pid, packet.counter());
        if let Some(pcr) = packet.adaptation().and_then(|field| field.pcr) {
            assert!(
                pcr.value() >= clock,
                "the clock runs backwards at packet {at}"
            );
            clock = pcr.value();
        }
        if !maps.contains(&pid) || packet.payload().is_empty() {
            continue;
        }
        if packet.unit_start()
            && let Some((begun, bytes)) = open.insert(pid, (at, Vec::new()))
        {
            done.insert(begun, unit(pid, &bytes));
        }
        let Some((_, unit)) = open.get_mut(&pid) else {
            panic!("packet {at} of {pid} goes on with a unit that is not there");
        };
        unit.extend_from_slice(packet.payload());
    }
    done.extend(
        open.into_iter()
            .map(|(pid, (at, bytes))| (at, unit(pid, &bytes))),
    );
    done.into_values().collect()
}

/// PAT and PMT are the first packets. Gives the PIDs of the streams.
#[track_caller]
fn tables_in_front(packets: &[[u8; PACKET_LEN]]) -> Vec<Pid> {
    let mut packets = packets.iter().map(Packet::new);
    let pat = packets.next().expect("a clip is not empty");
    assert_eq!(pat.pid(), Pid::PAT, "a clip begins with a PAT");
    let pat = table(&mut [pat].into_iter(), Pat::parse);
    let [(number, map_pid)] = pat.programs[..] else {
        panic!("one program, not {:?}", pat.programs)
    };
    let map = table(
        &mut packets.take_while(|packet| packet.pid() == map_pid),
        Pmt::parse,
    );
    assert_eq!(map.program_number, number);
    map.streams.iter().map(|stream| stream.pid).collect()
}

#[track_caller]
fn table<'a, T>(
    packets: &mut impl Iterator<Item = Packet<'a>>,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> T {
    let mut reader = SectionReader::new();
    let mut table = None;
    for packet in packets {
        reader.push(packet.unit_start(), packet.payload(), &mut |section| {
            table = parse(section)
        });
        if let Some(table) = table.take() {
            return table;
        }
    }
    panic!("a clip begins with a PAT and a PMT")
}

#[track_caller]
fn unit(pid: Pid, bytes: &[u8]) -> Found {
    let header = PesHeader::parse(bytes).expect("a unit begins with a PES header");
    let whole = match header.packet_len {
        0 => bytes.len(),
        len => 6 + usize::from(len),
    };
    assert_eq!(bytes.len(), whole, "a unit of {pid} is as long as it says");
    let pts = header.pts.expect("a unit has a PTS");
    Found {
        pid: pid.value(),
        pts,
        dts: header.dts.unwrap_or(pts),
        payload: bytes[header.header_len..].to_vec(),
    }
}

/// The picture that was sent, if `unit` is it but for the parameter sets put in.
#[track_caller]
fn key_with_parameters(at: usize, unit: &Found, found: &[Found], sent: &Sent) -> SentUnit {
    let known = unit.payload.strip_prefix(&DELIMITER).and_then(|rest| {
        let slice = rest
            .windows(5)
            .position(|bytes| bytes[..4] == [0, 0, 0, 1] && !matches!(bytes[4] & 0x1f, 7 | 8))?;
        sent.find(&[&DELIMITER, &rest[slice..]].concat())
    });
    let Some(known) = known.filter(|known| known.key && !known.has_parameters) else {
        let around: Vec<_> = found[at.saturating_sub(2)..(at + 3).min(found.len())]
            .iter()
            .map(|unit| {
                (
                    unit.pid,
                    unit.pts,
                    unit.payload.len(),
                    sent.find(&unit.payload).map(|unit| unit.number),
                )
            })
            .collect();
        panic!(
            "unit {at} of the clip was never sent: {:?}, around it {around:?}",
            &unit.payload[..unit.payload.len().min(30)]
        );
    };
    known.clone()
}

fn has_parameters(picture: &[u8]) -> bool {
    let kinds: Vec<u8> = picture
        .windows(4)
        .filter(|bytes| bytes[..3] == [0, 0, 1])
        .map(|bytes| bytes[3] & 0x1f)
        .collect();
    let slice = kinds
        .iter()
        .position(|kind| matches!(kind, 1 | 5))
        .unwrap_or(kinds.len());
    [7, 8].iter().all(|set| kinds[..slice].contains(set))
}

/// Timestamps rise, without their wrap, and nothing belongs to the time before the first picture.
#[track_caller]
fn check_times(found: &[Found]) {
    let mut last: BTreeMap<u16, u64> = BTreeMap::new();
    for (at, unit) in found.iter().enumerate() {
        if let Some(last) = last.insert(unit.pid, unit.dts) {
            assert!(
                last < unit.dts,
                "unit {at} on {:#x} comes after {last} at {}",
                unit.pid,
                unit.dts
            );
        }
        assert!(
            unit.pts >= found[0].pts,
            "unit {at} on {:#x} is from before the first picture",
            unit.pid
        );
        let lag = (unit.pts + PTS_WRAP - unit.dts) % PTS_WRAP;
        assert!(
            lag < 90_000,
            "unit {at} is shown {lag} ticks after it is decoded"
        );
    }
}

/// All units of one stream were moved by the same time; by another one only from a key on.
#[track_caller]
fn check_sync(found: &[Found], sent: &[SentUnit]) {
    let mut shifts: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
    let shift = |now: u64, then: Ticks| (now + PTS_WRAP - then.to_raw()) % PTS_WRAP;
    for (unit, sent) in found.iter().zip(sent) {
        assert_eq!(unit.pid, sent.pid, "a unit stays on its PID");
        let by = shift(unit.pts, sent.pts);
        assert_eq!(
            by,
            shift(unit.dts, sent.dts),
            "PTS and DTS of {:#x} {}",
            sent.pid,
            sent.number
        );
        let known = shifts.entry(sent.id).or_default();
        match sent.pid {
            VIDEO_PID if sent.key && known.last() != Some(&by) => known.push(by),
            VIDEO_PID => assert_eq!(known.last(), Some(&by), "picture {}", sent.number),
            _ => assert!(
                known.contains(&by),
                "sound {} by {by}, not {known:?}",
                sent.number
            ),
        }
    }
}

/// A picture needs all those before it, back to a key, but for those that come with the key and are
/// shown before it.
#[track_caller]
fn check_references(found: &[SentUnit], sent: &Sent) {
    let of = |id| sent.pictures().filter(move |picture| picture.id == id);
    let mut key: Option<&SentUnit> = None;
    let mut last: Option<&SentUnit> = None;
    for picture in found.iter().filter(|unit| unit.pid == VIDEO_PID) {
        if picture.key {
            key = Some(picture);
        } else {
            let (Some(key), Some(last)) = (key, last) else {
                panic!("a key comes first")
            };
            let missing = of(picture.id)
                .filter(|other| (last.number + 1..picture.number).contains(&other.number))
                .find(|other| other.pts > key.pts);
            assert!(
                last.id == picture.id && picture.number > last.number && missing.is_none(),
                "picture {} refers to {:?}, which is not there",
                picture.number,
                missing.map(|missing| missing.number)
            );
        }
        last = Some(picture);
    }
}

/// Of each stream, all pictures are there from the first that is shown to the last, and the sound
/// that belongs to them: that was sent after the first of them, and has been sent to its end.
#[track_caller]
fn check_row(found: &[SentUnit], sent: &Sent) {
    let ids: BTreeSet<u8> = found.iter().map(|unit| unit.id).collect();
    let there: BTreeSet<(u8, u16, usize)> = found
        .iter()
        .map(|unit| (unit.id, unit.pid, unit.number))
        .collect();
    for id in ids {
        let pictures = || {
            found
                .iter()
                .filter(|unit| unit.id == id && unit.pid == VIDEO_PID)
        };
        let pts = || pictures().map(|unit| unit.pts);
        let (Some(first), Some(last)) = (pts().min(), pts().max()) else {
            continue;
        };
        let key = pictures().map(|unit| unit.number).min();
        let later = sent
            .units
            .iter()
            .filter(|unit| unit.id == id)
            .skip_while(|unit| unit.pid != VIDEO_PID || Some(unit.number) != key);
        let mut newest: BTreeMap<u16, usize> = BTreeMap::new();
        for unit in later.clone().filter(|unit| unit.pid != VIDEO_PID) {
            newest.insert(unit.pid, unit.number);
        }
        for unit in later.filter(|unit| (first..=last).contains(&unit.pts)) {
            assert!(
                newest.get(&unit.pid) == Some(&unit.number)
                    || there.contains(&(id, unit.pid, unit.number)),
                "{:#x} {} is missing",
                unit.pid,
                unit.number
            );
        }
    }
}
