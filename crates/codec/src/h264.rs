//! H.264: pictures and parameter sets in an Annex B byte stream.
//!
//! An access unit is (7.4.1.2.3) an optional delimiter, parameter sets and SEI, then slices. Its
//! first slice is as far as anything here looks.

use crate::bits::Bits;
use crate::format::{Colour, VideoFormat, rate};
use crate::parameter_sets::{Key, Kind, ParameterSets};
use crate::picture::{Access, Picture};
use crate::sei;
use crate::start_code::units;
use crate::stream::Codec;

/// The picture that `head` reaches, if it does.
pub(crate) fn picture(head: &[u8]) -> Option<Picture> {
    let mut insert_at = None;
    let mut recovery = None;
    let (mut has_sps, mut has_pps) = (false, false);
    for unit in units(head) {
        let (&header, content) = unit.rest().split_first()?;
        let behind_delimiter = *insert_at.get_or_insert(unit.start());
        match header & TYPE {
            kind if is_slice(kind) => {
                // Read past the unit's end, as the end may not be there yet: so the answer depends
                // on the same bytes however many follow.
                let mut bits = Bits::escaped(content);
                let _first_macroblock = bits.ue()?;
                let intra = matches!(bits.ue()?, SLICE_I | SLICE_SI | SLICES_I | SLICES_SI);
                return Some(Picture {
                    access: access(kind == SLICE_IDR, intra, recovery),
                    has_parameter_sets: has_sps && has_pps,
                    intra,
                    insert_at: behind_delimiter,
                });
            }
            SEI => recovery = recovery.or(unit.whole().and_then(recovery_frames)),
            SPS => has_sps = true,
            PPS => has_pps = true,
            DELIMITER => insert_at = unit.end(),
            _ => {}
        }
    }
    None
}

/// The parameter sets in front of the first slice.
pub(crate) fn parameter_sets(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    units(head)
        .map_while(|unit| {
            let kind = unit.rest().first()? & TYPE;
            (!is_slice(kind)).then_some((kind, unit))
        })
        .filter(|(kind, _)| matches!(*kind, SPS | PPS))
        .filter_map(|(_, unit)| unit.whole())
}

/// The first slice of a picture, as far as it says where the picture belongs.
pub(crate) fn slice(head: &[u8], sets: &ParameterSets) -> Option<Slice> {
    let (header, content) = units(head).find_map(|unit| {
        let (&header, content) = unit.rest().split_first()?;
        is_slice(header & TYPE).then_some((header, content))
    })?;
    let is_idr = header & TYPE == SLICE_IDR;
    let mut bits = Bits::escaped(content);
    bits.skip_ue(2)?;
    let pps = sets.set(Kind::Picture, bits.ue()?)?;
    let mut of_pps = Bits::escaped(&pps[1..]);
    let _pps_id = of_pps.ue()?;
    let sps = Sps::parse(&sets.set(Kind::Sequence, of_pps.ue()?)?[1..])?;
    let coding = sps.coding?;
    let frame_num = bits.bits(coding.log2_max_frame_num)?;
    if is_idr {
        let _idr_id = bits.ue()?;
    }
    Some(Slice {
        sps: sps.id,
        coding,
        is_idr,
        is_reference: header & REFERENCE != 0,
        frame_num,
        order_count: bits.bits(coding.log2_max_order_count)?,
    })
}

/// Where a picture belongs.
pub(crate) struct Slice {
    pub(crate) sps: u32,
    pub(crate) coding: Coding,
    pub(crate) is_idr: bool,
    pub(crate) is_reference: bool,
    pub(crate) frame_num: u32,
    /// The low bits of its picture order count.
    pub(crate) order_count: u32,
}

/// What slice headers depend on, in streams of whole frames whose order is told in each (pic_order_cnt_type
/// 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coding {
    pub(crate) log2_max_frame_num: u32,
    pub(crate) log2_max_order_count: u32,
    pub(crate) macroblocks: u32,
}

/// What a parameter set is known by; `None` for one that cannot be read.
pub(crate) fn key(set: &[u8]) -> Option<Key> {
    let (&header, content) = set.split_first()?;
    match header & TYPE {
        SPS => Key::new(Kind::Sequence, Sps::parse(content)?.id, 32),
        PPS => {
            let mut bits = Bits::escaped(content);
            let id = bits.ue()?;
            let sps = bits.ue()?;
            Key::new(Kind::Picture, id, 256).filter(|_| sps < 32)
        }
        _ => None,
    }
}

/// The format that an SPS describes.
pub(crate) fn video_format(sps: &[u8]) -> Option<VideoFormat> {
    let sps = Sps::parse(sps.get(1..)?)?;
    let [profile, constraints, level] = sps.profile;
    Some(VideoFormat {
        codec: Codec::H264,
        codec_string: format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
        width: sps.width,
        height: sps.height,
        frame_rate: sps.vui.frame_rate,
        bit_depth: sps.bit_depth,
        colour: sps.vui.look.colour,
        sample_aspect: sps.vui.look.sample_aspect,
    })
}

/// Chroma format, and bits beyond 8 of a luma and of a chroma sample, of an SPS whose profile makes it
/// say so.
pub(crate) fn sample_format(sps: &[u8]) -> Option<[u8; 3]> {
    let mut bits = Bits::escaped(sps.get(1..)?);
    let profile = bits.byte()?;
    let _constraints_and_level = bits.bits(16)?;
    let _id = bits.ue()?;
    if !HAS_CHROMA_FORMAT.contains(&profile) {
        return None;
    }
    let format = bits.ue().filter(|&format| format <= 3)?;
    let _separate_planes = format == 3 && bits.flag()?;
    let mut depth = || bits.ue().filter(|&more| more <= 6);
    Some([format as u8, depth()? as u8, depth()? as u8])
}

fn access(idr: bool, intra: bool, recovery: Option<u16>) -> Access {
    match (idr, recovery) {
        (true, _) => Access::Closed,
        (false, Some(0)) if intra => Access::Open,
        (false, Some(frames)) => Access::Gradual(frames),
        (false, None) => Access::None,
    }
}

/// The frame count of the recovery point in an SEI unit (D.1.8).
fn recovery_frames(unit: &[u8]) -> Option<u16> {
    let frames = sei::recovery_point(&unit[1..])?.ue()?;
    Some(u16::try_from(frames).unwrap_or(u16::MAX))
}

fn is_slice(kind: u8) -> bool {
    matches!(kind, SLICE | SLICE_PARTITION_A | SLICE_IDR)
}

/// The bits of a NAL header that hold its type (7.3.1).
const TYPE: u8 = 0x1f;

/// Those that say that others refer to the picture.
const REFERENCE: u8 = 0x60;

// nal_unit_type (table 7-1)
const SLICE: u8 = 1;
const SLICE_PARTITION_A: u8 = 2;
const SLICE_IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

// slice_type (table 7-6): the second two say it of every slice of the picture.
const SLICE_I: u32 = 2;
const SLICE_SI: u32 = 4;
const SLICES_I: u32 = 7;
const SLICES_SI: u32 = 9;

/// What is of interest in a sequence parameter set (7.3.2.1.1).
struct Sps {
    /// profile_idc, the constraint flags, level_idc.
    profile: [u8; 3],
    id: u32,
    width: u32,
    height: u32,
    bit_depth: u8,
    coding: Option<Coding>,
    vui: Vui,
}

impl Sps {
    /// Reads an SPS from behind its NAL header.
    fn parse(content: &[u8]) -> Option<Self> {
        let mut bits = Bits::escaped(content);
        let profile = [bits.byte()?, bits.byte()?, bits.byte()?];
        let id = bits.ue()?;
        let chroma = if HAS_CHROMA_FORMAT.contains(&profile[0]) {
            Chroma::parse(&mut bits)?
        } else {
            Chroma::DEFAULT
        };
        let log2_max_frame_num = bits.ue()?;
        let log2_max_order_count = picture_order_count(&mut bits)?;
        let _max_num_ref_frames = bits.ue()?;
        let _gaps_allowed = bits.flag()?;
        let size = Size::parse(&mut bits, chroma.format)?;
        // Damage in the VUI leaves a usable SPS.
        let vui = match bits.flag()? {
            true => Vui::parse(&mut bits),
            false => Vui::default(),
        };
        Some(Self {
            profile,
            id,
            width: size.width,
            height: size.height,
            bit_depth: chroma.bit_depth,
            coding: log2_max_order_count
                .filter(|&log2| log2 <= 12 && log2_max_frame_num <= 12)
                .filter(|_| size.frames_only && !chroma.separate_planes)
                .map(|log2| Coding {
                    log2_max_frame_num: 4 + log2_max_frame_num,
                    log2_max_order_count: 4 + log2,
                    macroblocks: size.macroblocks,
                }),
            vui,
        })
    }
}

/// Profiles whose SPS has a chroma format, bit depths and scaling lists.
const HAS_CHROMA_FORMAT: [u8; 13] = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244];

struct Chroma {
    /// ChromaArrayType: 0 for monochrome and for separate planes, 1 to 3 for 4:2:0 to 4:4:4.
    format: u32,
    separate_planes: bool,
    bit_depth: u8,
}

impl Chroma {
    const DEFAULT: Self = Self {
        format: 1,
        separate_planes: false,
        bit_depth: 8,
    };

    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let format = bits.ue().filter(|&format| format <= 3)?;
        let separate_planes = format == 3 && bits.flag()?;
        let bit_depth = 8 + u8::try_from(bits.ue()?).ok().filter(|&more| more <= 6)?;
        let _chroma_bit_depth = bits.ue()?;
        let _transform_bypass = bits.flag()?;
        if bits.flag()? {
            for list in 0..if format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Some(Self {
            format: if separate_planes { 0 } else { format },
            separate_planes,
            bit_depth,
        })
    }
}

/// scaling_list (7.3.2.1.1.1): ends early at a scale of 0.
fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let mut scale = 8;
    for _ in 0..size {
        scale = (scale + i64::from(bits.se()?)).rem_euclid(256);
        if scale == 0 {
            break;
        }
    }
    Some(())
}

/// How many bits more than 4 the picture order count has in slice headers, where it is told there.
fn picture_order_count(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    match bits.ue()? {
        0 => return Some(Some(bits.ue()?)),
        1 => {
            let _delta_always_zero = bits.flag()?;
            let _offsets = (bits.se()?, bits.se()?);
            let cycle = bits.ue()?;
            bits.skip_ue(cycle)?;
        }
        _ => {}
    }
    Some(None)
}

struct Size {
    /// After cropping, like the height.
    width: u32,
    height: u32,
    frames_only: bool,
    macroblocks: u32,
}

impl Size {
    /// 7.4.2.1.1, equations 7-13 to 7-22.
    fn parse(bits: &mut Bits<'_>, chroma_format: u32) -> Option<Self> {
        let mut side = || bits.ue()?.checked_add(1)?.checked_mul(16);
        let width = side()?;
        let map_height = side()?;
        let frames_only = bits.flag()?;
        if !frames_only {
            let _adaptive = bits.flag()?;
        }
        let _direct_8x8 = bits.flag()?;
        let fields = if frames_only { 1 } else { 2 };
        let height = map_height.checked_mul(fields)?;
        let (mut crop_x, mut crop_y) = (0, 0);
        if bits.flag()? {
            let mut cropped = || bits.ue()?.checked_add(bits.ue()?);
            let unit_x = if matches!(chroma_format, 1 | 2) { 2 } else { 1 };
            let unit_y = if chroma_format == 1 { 2 } else { 1 } * fields;
            crop_x = cropped()?.checked_mul(unit_x)?;
            crop_y = cropped()?.checked_mul(unit_y)?;
        }
        Some(Self {
            width: width.checked_sub(crop_x).filter(|&width| width > 0)?,
            height: height.checked_sub(crop_y).filter(|&height| height > 0)?,
            frames_only,
            macroblocks: (width / 16).checked_mul(height / 16)?,
        })
    }
}

/// What is of interest in the video usability information (E.1.1).
#[derive(Default)]
struct Vui {
    look: Look,
    frame_rate: Option<(u32, u32)>,
}

impl Vui {
    fn parse(bits: &mut Bits<'_>) -> Self {
        let mut vui = Self::default();
        vui.fill(bits);
        vui
    }

    /// Fills in what comes before the end of the bits.
    fn fill(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.look = Look::from_vui(bits)?;
        if bits.flag()? {
            let ticks = bits.bits(32)?;
            let time_scale = bits.bits(32)?;
            // A tick is the time of a field, two of which make a frame (E.2.1).
            self.frame_rate = rate(time_scale.into(), 2 * u64::from(ticks));
        }
        Some(())
    }
}

/// The part of the VUI up to the chroma location, which H.264 (E.1.1) and HEVC (E.2.1) share.
#[derive(Default)]
pub(crate) struct Look {
    pub(crate) sample_aspect: Option<(u32, u32)>,
    pub(crate) colour: Option<Colour>,
}

impl Look {
    pub(crate) fn from_vui(bits: &mut Bits<'_>) -> Option<Self> {
        const EXTENDED_SAR: usize = 255;
        let mut look = Self::default();
        if bits.flag()? {
            let sample_aspect = match usize::from(bits.byte()?) {
                EXTENDED_SAR => Some((bits.bits(16)?, bits.bits(16)?)),
                listed => SAMPLE_ASPECTS.get(listed).copied(),
            };
            look.sample_aspect = sample_aspect.filter(|&(width, height)| width > 0 && height > 0);
        }
        if bits.flag()? {
            let _overscan_appropriate = bits.flag()?;
        }
        if bits.flag()? {
            let _video_format = bits.bits(3)?;
            let mut told = Colour::unspecified(bits.flag()?);
            if bits.flag()? {
                told.primaries = bits.byte()?;
                told.transfer = bits.byte()?;
                told.matrix = bits.byte()?;
            }
            look.colour = Some(told);
        }
        if bits.flag()? {
            bits.skip_ue(2)?;
        }
        Some(look)
    }
}

/// Shapes of a sample by aspect_ratio_idc (table E-1); 0 is "unspecified".
const SAMPLE_ASPECTS: [(u32, u32); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];
