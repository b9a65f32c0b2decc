//! Edits one packet where it lies, so that pieces of several streams make one.
//!
//! Only the bits of the clock, the timestamps or the counter change; everything else stays as it
//! came, wrong or not.

use crate::pes::{TIMESTAMP_LEN, decode_timestamp, encode_timestamp};
use crate::{PACKET_LEN, PTS_WRAP, Packet, PesHeader, Ticks};

/// Where the first timestamp lies in a PES packet.
const PTS_AT: usize = 9;

/// Moves the packet's time by `by`: PCR and OPCR, and PTS and DTS of a PES header that begins here.
///
/// A header whose timestamps do not all lie in this packet keeps them, and so does a scrambled one.
#[inline]
pub fn shift_timestamps(packet: &mut [u8; PACKET_LEN], by: Ticks) {
    shift_clocks(packet, by);
    let view = Packet::new(packet);
    if !view.unit_start() || view.scrambled() {
        return;
    }
    let payload = view.payload();
    let Ok(header) = PesHeader::parse(payload) else {
        return;
    };
    let pts_at = PACKET_LEN - payload.len() + PTS_AT;
    if header.pts.is_some() {
        shift_timestamp(packet, pts_at, by);
    }
    if header.dts.is_some() {
        shift_timestamp(packet, pts_at + TIMESTAMP_LEN, by);
    }
}

/// Adds `delta` to the continuity counter, modulo 16.
///
/// A packet without payload repeats the counter of the one before it, so it moves with the others.
#[inline]
pub fn add_to_counter(packet: &mut [u8; PACKET_LEN], delta: u8) {
    packet[3] = packet[3] & 0xf0 | packet[3].wrapping_add(delta) & 0x0f;
}

/// Shifts the clock references in the adaptation field: PCR, then OPCR, each if its flag says so.
fn shift_clocks(packet: &mut [u8; PACKET_LEN], by: Ticks) {
    let Some(fields) = Packet::new(packet).adaptation_bytes() else {
        return;
    };
    let end = 5 + fields.len();
    let Some(&flags) = fields.first() else {
        return;
    };
    let mut at = 6;
    for flag in [0x10, 0x08] {
        if flags & flag != 0 {
            let Some(clock) = packet[..end]
                .get_mut(at..)
                .and_then(|b| b.first_chunk_mut())
            else {
                return;
            };
            shift_clock(clock, by);
            at += 6;
        }
    }
}

/// Shifts the 33 bits at the top of a clock reference; the extension stays.
fn shift_clock(bytes: &mut [u8; 6], by: Ticks) {
    let [b0, b1, b2, b3, b4, _] = *bytes;
    let bits = u64::from_be_bytes([0, 0, 0, b0, b1, b2, b3, b4]);
    let shifted = shift_raw(bits >> 7, by) << 7 | bits & 0x7f;
    bytes[..5].copy_from_slice(&shifted.to_be_bytes()[3..]);
}

/// Shifts the timestamp at `at`, which the header's parser has found to lie in the packet.
fn shift_timestamp(packet: &mut [u8; PACKET_LEN], at: usize, by: Ticks) {
    let Some(bytes) = packet[at..].first_chunk_mut::<TIMESTAMP_LEN>() else {
        return;
    };
    if let Some(raw) = decode_timestamp(*bytes) {
        *bytes = encode_timestamp(bytes[0] >> 4, shift_raw(raw, by));
    }
}

fn shift_raw(raw: u64, by: Ticks) -> u64 {
    raw.wrapping_add(by.to_raw()) % PTS_WRAP
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{MuxStream, Muxer, MuxerConfig, Pcr, Pid, Unit};

    /// The one packet of a unit, written at `time`.
    fn unit(time: Ticks) -> [u8; PACKET_LEN] {
        let mut muxer = Muxer::new(MuxerConfig {
            streams: vec![MuxStream {
                pid: Pid::new(0x100),
                stream_type: 0x1b,
                stream_id: 0xe0,
                descriptors: Vec::new(),
            }],
            ..MuxerConfig::default()
        });
        let mut out = Vec::new();
        muxer.write_unit(
            &mut out,
            Unit {
                stream: 0,
                pts: time + Ticks(6000),
                dts: time + Ticks(3000),
                random_access: true,
                pcr: Some(Pcr::from(time)),
                payload: &[b"content"],
            },
        );
        *out.first_chunk().expect("a packet")
    }

    /// A packet with PCR, OPCR, PTS and DTS at known places, and everything else as in `noise`.
    fn full(noise: [u8; PACKET_LEN]) -> [u8; PACKET_LEN] {
        let mut packet = noise;
        packet[0] = 0x47;
        packet[1] |= 0x40;
        packet[3] = packet[3] & 0x0f | 0x30;
        packet[4] = 20;
        packet[5] |= 0x18;
        packet[25..28].copy_from_slice(&[0, 0, 1]);
        packet[28] = 0xe0;
        packet[31] = packet[31] & 0x3f | 0x80;
        packet[32] |= 0xc0;
        packet[33] |= 10;
        for marker in [34, 36, 38, 39, 41, 43] {
            packet[marker] |= 1;
        }
        packet
    }

    /// The bits of a full packet that are time.
    fn time_bits() -> [u8; PACKET_LEN] {
        let mut mask = [0; PACKET_LEN];
        for at in [6, 12] {
            mask[at..at + 5].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x80]);
        }
        for at in [34, 39] {
            mask[at..at + 5].copy_from_slice(&[0x0e, 0xff, 0xfe, 0xff, 0xfe]);
        }
        mask
    }

    fn any_packet() -> impl Strategy<Value = [u8; PACKET_LEN]> {
        any::<[u8; PACKET_LEN]>()
    }

    fn any_ticks() -> impl Strategy<Value = Ticks> {
        (-(1_i64 << 40)..1 << 40).prop_map(Ticks)
    }

    #[test]
    fn a_tables_packet_stays_as_it_is() {
        let mut out = Vec::new();
        Muxer::new(MuxerConfig::default()).write_tables(&mut out);
        for packet in out.as_chunks_mut::<PACKET_LEN>().0 {
            let before = *packet;
            shift_timestamps(packet, Ticks(12_345));
            assert_eq!(*packet, before);
        }
    }

    #[test]
    fn a_continued_payload_is_not_taken_for_a_header() {
        let mut packet = unit(Ticks(0));
        packet[1] &= !0x40;
        let before = packet;
        shift_timestamps(&mut packet, Ticks(90_000));
        let clock = 6..11;
        assert_ne!(packet[clock.clone()], before[clock.clone()]);
        assert_eq!(packet[clock.end..], before[clock.end..]);
    }

    #[test]
    fn a_scrambled_payload_stays_as_it_is() {
        let mut packet = unit(Ticks(0));
        packet[3] |= 0x80;
        let before = packet;
        shift_timestamps(&mut packet, Ticks(90_000));
        assert_eq!(packet[12..], before[12..]);
    }

    #[test]
    fn timestamps_cut_off_by_the_packets_end_stay_as_they_are() {
        let noise = full([0; PACKET_LEN]);
        let mut packet = [0xff; PACKET_LEN];
        // The header begins so late that its last byte of time lies in the next packet.
        let start = PACKET_LEN - 18;
        packet[..4].copy_from_slice(&noise[..4]);
        packet[4..6].copy_from_slice(&[(start - 5) as u8, 0]);
        packet[start..].copy_from_slice(&noise[25..43]);
        let before = packet;
        shift_timestamps(&mut packet, Ticks(90_000));
        assert_eq!(packet, before);
    }

    #[test]
    fn a_clock_that_its_field_has_no_room_for_is_left_alone() {
        // Flags for both clocks, room for one and a half.
        let mut packet = full([0; PACKET_LEN]);
        packet[1] &= !0x40;
        packet[4] = 10;
        let before = packet;
        shift_timestamps(&mut packet, Ticks(90_000));
        assert_ne!(packet[6..12], before[6..12]);
        assert_eq!(packet[12..], before[12..]);
    }

    proptest! {
        #[test]
        fn a_shifted_unit_is_as_if_written_later(time in any_ticks(), by in any_ticks()) {
            let mut packet = unit(time);
            shift_timestamps(&mut packet, by);
            prop_assert_eq!(packet, unit(time + by));
        }

        #[test]
        fn time_alone_changes_and_all_of_it(noise in any_packet(), by in any_ticks()) {
            let mut packet = full(noise);
            let before = packet;
            shift_timestamps(&mut packet, by);
            for ((now, then), mask) in packet.iter().zip(before).zip(time_bits()) {
                prop_assert_eq!(now & !mask, then & !mask);
            }
            for at in [6, 12] {
                let [now, then] = [&packet, &before].map(|packet| {
                    Pcr::from_bytes(*packet[at..].first_chunk().expect("six bytes")).base()
                });
                // An illegal extension of 300 or more adds one to the base, before as after.
                prop_assert_eq!(now, shift_raw(then, by));
            }
            let [now, then] = [&packet, &before].map(|packet| {
                PesHeader::parse(&packet[25..]).expect("a header")
            });
            prop_assert_eq!(now.pts, then.pts.map(|raw| shift_raw(raw, by)));
            prop_assert_eq!(now.dts, then.dts.map(|raw| shift_raw(raw, by)));
        }

        #[test]
        fn any_packet_comes_back_when_time_is_shifted_back(
            noise in any_packet(),
            structured: bool,
            by in any_ticks(),
        ) {
            let mut packet = if structured { full(noise) } else { noise };
            let before = packet;
            shift_timestamps(&mut packet, by);
            shift_timestamps(&mut packet, -by);
            prop_assert_eq!(packet, before);
        }

        #[test]
        fn the_counter_alone_is_added_to(noise in any_packet(), delta: u8) {
            let mut packet = noise;
            add_to_counter(&mut packet, delta);
            let sum = (u32::from(noise[3] & 0x0f) + u32::from(delta)) % 16;
            prop_assert_eq!(u32::from(Packet::new(&packet).counter()), sum);
            packet[3] = packet[3] & 0xf0 | noise[3] & 0x0f;
            prop_assert_eq!(packet, noise);
        }
    }
}
