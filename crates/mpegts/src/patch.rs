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
