//! HEVC: pictures and parameter sets in an Annex B byte stream.
//!
//! Only the base layer (nuh_layer_id 0) is looked at; what other layers add, a decoder may ignore.

use crate::bits::Bits;
use crate::parameter_sets::{Key, Kind};
use crate::picture::{Access, Picture};
use crate::sei;
use crate::start_code::{Unit, units};

mod sequence;

pub(crate) use sequence::{Coding, Planes, chroma, coding, video_format};

/// The picture that `head` reaches, if it does.
pub(crate) fn picture(head: &[u8]) -> Option<Picture> {
    let mut insert_at = None;
    let mut recovery = None;
    let (mut has_vps, mut has_sps, mut has_pps) = (false, false, false);
    for unit in units(head) {
        let behind_delimiter = *insert_at.get_or_insert(unit.start());
        match base_layer_type(&unit)? {
            Some(kind) if kind <= LAST_SLICE => {
                return Some(Picture {
                    access: access(kind, recovery),
                    has_parameter_sets: has_vps && has_sps && has_pps,
                    intra: (BLA_FIRST..=IRAP_LAST).contains(&kind),
                    insert_at: behind_delimiter,
                });
            }
            Some(VPS) => has_vps = true,
            Some(SPS) => has_sps = true,
            Some(PPS) => has_pps = true,
            Some(DELIMITER) => insert_at = unit.end(),
            Some(SEI) => recovery = recovery.or(unit.whole().and_then(recovery_steps)),
            _ => {}
        }
    }
    None
}

/// The parameter sets in front of the first slice.
pub(crate) fn parameter_sets(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    units(head)
        .map_while(|unit| {
            let kind = base_layer_type(&unit)?;
            kind.is_none_or(|kind| kind > LAST_SLICE)
                .then_some((kind, unit))
        })
        .filter(|(kind, _)| matches!(kind, Some(VPS | SPS | PPS)))
        .filter_map(|(_, unit)| unit.whole())
}

/// The type of the first slice, and the id of its PPS.
pub(crate) fn slice(head: &[u8]) -> Option<(u8, u32)> {
    units(head).find_map(|unit| {
        let kind = base_layer_type(&unit)??;
        if kind > LAST_SLICE {
            return None;
        }
        let mut bits = Bits::escaped(unit.rest().get(HEADER_LENGTH..)?);
        let _first = bits.flag()?;
        if (BLA_FIRST..=IRAP_LAST).contains(&kind) {
            let _no_output_of_prior_pictures = bits.flag()?;
        }
        Some((kind, bits.ue()?))
    })
}

/// The id of the SPS that a PPS refers to.
pub(crate) fn sequence_of(pps: &[u8]) -> Option<u32> {
    let mut bits = Bits::escaped(pps.get(HEADER_LENGTH..)?);
    let _id = bits.ue()?;
    bits.ue()
}

/// What a parameter set is known by; `None` for one that cannot be read.
pub(crate) fn key(set: &[u8]) -> Option<Key> {
    let (&[header, _], content) = set.split_first_chunk()?;
    let mut bits = Bits::escaped(content);
    match kind_of(header) {
        VPS => Key::new(Kind::Video, bits.bits(4)?, 16),
        SPS => Key::new(Kind::Sequence, sequence::id(content)?, 16),
        PPS => {
            let id = bits.ue()?;
            let sps = bits.ue()?;
            Key::new(Kind::Picture, id, 64).filter(|_| sps < 16)
        }
        _ => None,
    }
}

fn access(kind: u8, recovery: Option<u16>) -> Access {
    match (kind, recovery) {
        (IDR_FIRST..=IDR_LAST, _) => Access::Closed,
        (BLA_FIRST..=IRAP_LAST, _) => Access::Open,
        (_, Some(steps)) => Access::Gradual(steps),
        (_, None) => Access::None,
    }
}

/// The picture order count of the recovery point in an SEI unit (D.2.8); one that lies at or before
/// the picture itself counts as 0.
fn recovery_steps(unit: &[u8]) -> Option<u16> {
    let steps = sei::recovery_point(&unit[HEADER_LENGTH..])?.se()?;
    Some(u16::try_from(steps.max(0)).unwrap_or(u16::MAX))
}

/// The unit's type, `Some(None)` for one of another layer, `None` when its header is not there yet.
fn base_layer_type(unit: &Unit<'_>) -> Option<Option<u8>> {
    let &[first, second] = unit.rest().first_chunk()?;
    let layer = (first & 1) << 5 | second >> 3;
    Some((layer == 0).then_some(kind_of(first)))
}

fn kind_of(header: u8) -> u8 {
    (header >> 1) & 0x3f
}

const HEADER_LENGTH: usize = 2;

// nal_unit_type (table 7-1): slices lie below 32, and those at which decoding can begin (IRAP) from
// 16 to 23, the last two of which are reserved.
pub(crate) const BLA_FIRST: u8 = 16;
const IDR_FIRST: u8 = 19;
pub(crate) const IDR_LAST: u8 = 20;
pub(crate) const CRA: u8 = 21;
const IRAP_LAST: u8 = 23;
const LAST_SLICE: u8 = 31;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const DELIMITER: u8 = 35;
const SEI: u8 = 39;
