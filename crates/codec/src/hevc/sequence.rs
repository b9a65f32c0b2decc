//! The HEVC sequence parameter set (7.3.2.2), as far as its size, depth, rate and colour, and what
//! slice headers depend on.

use std::fmt::Write;

use crate::bits::Bits;
use crate::format::{VideoFormat, rate};
use crate::h264::Look;
use crate::stream::Codec;

/// The format that an SPS, with its NAL header, describes.
pub(crate) fn video_format(sps: &[u8]) -> Option<VideoFormat> {
    let mut bits = Bits::escaped(sps.get(super::HEADER_LENGTH..)?);
    let head = Head::parse(&mut bits)?;
    // Damage behind the picture's size leaves a usable answer.
    let vui = Vui::after(&head, &mut bits).unwrap_or_default();
    Some(VideoFormat {
        codec: Codec::Hevc,
        codec_string: head.profile.codec_string(),
        width: head.width,
        height: head.height,
        frame_rate: vui.frame_rate,
        bit_depth: head.bit_depth,
        colour: vui.look.colour,
        sample_aspect: vui.look.sample_aspect,
    })
}

/// What the slice headers of its pictures depend on, from an SPS with its NAL header.
pub(crate) fn coding(sps: &[u8]) -> Option<Coding> {
    let mut bits = Bits::escaped(sps.get(super::HEADER_LENGTH..)?);
    let head = Head::parse(&mut bits)?;
    Some(Coding {
        id: head.id,
        planes: head.planes,
        tools: Tools::parse(&mut bits, head.max_sub_layers_minus1)?,
    })
}

/// What slice headers depend on.
pub(crate) struct Coding {
    pub(crate) id: u32,
    pub(crate) planes: Planes,
    pub(crate) tools: Tools,
}

/// How luma and chroma lie together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planes {
    Joint,
    Monochrome,
    /// Each is coded as if it were monochrome.
    Separate,
}

/// The chroma format of an SPS with its NAL header, and the bits beyond 8 of a chroma sample.
pub(crate) fn chroma(sps: &[u8]) -> Option<(u8, u8)> {
    let head = Head::parse(&mut Bits::escaped(sps.get(super::HEADER_LENGTH..)?))?;
    Some((head.chroma_format, head.chroma_depth_less_8))
}

/// The id of an SPS from behind its NAL header; `None` when its head cannot be read.
pub(crate) fn id(content: &[u8]) -> Option<u32> {
    Some(Head::parse(&mut Bits::escaped(content))?.id)
}

/// The SPS up to its bit depths.
struct Head {
    max_sub_layers_minus1: u32,
    profile: Profile,
    id: u32,
    planes: Planes,
    width: u32,
    height: u32,
    bit_depth: u8,
    chroma_format: u8,
    chroma_depth_less_8: u8,
}

impl Head {
    fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let _vps = bits.bits(4)?;
        let max_sub_layers_minus1 = bits.bits(3)?;
        let _temporal_nesting = bits.flag()?;
        let profile = Profile::parse(bits, max_sub_layers_minus1)?;
        let id = bits.ue()?;
        let chroma_format = bits.ue().filter(|&format| format <= 3)?;
        let separate_planes = chroma_format == 3 && bits.flag()?;
        let (width, height) = (bits.ue()?, bits.ue()?);
        let (mut crop_x, mut crop_y) = (0, 0);
        if bits.flag()? {
            // Offsets count in chroma samples (table 6-1, equations 7-66 and on).
            let (unit_x, unit_y) = match chroma_format {
                1 if !separate_planes => (2, 2),
                2 => (2, 1),
                _ => (1, 1),
            };
            let mut cropped = || bits.ue()?.checked_add(bits.ue()?);
            crop_x = cropped()?.checked_mul(unit_x)?;
            crop_y = cropped()?.checked_mul(unit_y)?;
        }
        let bit_depth = 8 + u8::try_from(bits.ue()?).ok().filter(|&more| more <= 8)?;
        let chroma_depth_less_8 = u8::try_from(bits.ue()?).ok().filter(|&more| more <= 8)?;
        Some(Self {
            max_sub_layers_minus1,
            profile,
            id,
            planes: match chroma_format {
                0 => Planes::Monochrome,
                _ if separate_planes => Planes::Separate,
                _ => Planes::Joint,
            },
            width: width.checked_sub(crop_x).filter(|&width| width > 0)?,
            height: height.checked_sub(crop_y).filter(|&height| height > 0)?,
            bit_depth,
            chroma_format: chroma_format as u8,
            chroma_depth_less_8,
        })
    }
}

/// The general part of profile_tier_level (7.3.3).
struct Profile {
    space: u32,
    high_tier: bool,
    idc: u32,
    compatibility: u32,
    constraints: [u8; 6],
    level: u8,
}

impl Profile {
    fn parse(bits: &mut Bits<'_>, max_sub_layers_minus1: u32) -> Option<Self> {
        let profile = Self {
            space: bits.bits(2)?,
            high_tier: bits.flag()?,
            idc: bits.bits(5)?,
            compatibility: bits.bits(32)?,
            constraints: {
                let mut constraints = [0; 6];
                for byte in &mut constraints {
                    *byte = bits.byte()?;
                }
                constraints
            },
            level: bits.byte()?,
        };
        skip_sub_layers(bits, max_sub_layers_minus1)?;
        Some(profile)
    }

    /// As ISO/IEC 14496-15 Annex E.3 writes it.
    fn codec_string(&self) -> String {
        let space = ["", "A", "B", "C"][self.space as usize];
        let tier = if self.high_tier { 'H' } else { 'L' };
        let mut string = format!(
            "hvc1.{space}{}.{:X}.{tier}{}",
            self.idc,
            self.compatibility.reverse_bits(),
            self.level
        );
        let used = self
            .constraints
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        for byte in &self.constraints[..used] {
            write!(string, ".{byte:X}").expect("writing to a string succeeds");
        }
        string
    }
}

fn skip_sub_layers(bits: &mut Bits<'_>, max_sub_layers_minus1: u32) -> Option<()> {
    if max_sub_layers_minus1 == 0 {
        return Some(());
    }
    let mut length = 0;
    for _ in 0..max_sub_layers_minus1 {
        let (has_profile, has_level) = (bits.flag()?, bits.flag()?);
        length += if has_profile { 88 } else { 0 } + if has_level { 8 } else { 0 };
    }
    // Two reserved bits for each of the 8 layers that is not there.
    bits.skip(2 * (8 - max_sub_layers_minus1) + length)
}

/// What is of interest in the video usability information (E.2.1).
#[derive(Default)]
struct Vui {
    look: Look,
    frame_rate: Option<(u32, u32)>,
}

impl Vui {
    /// Reads on from behind the head; `None` when the SPS cannot be read as far as its VUI.
    fn after(head: &Head, bits: &mut Bits<'_>) -> Option<Self> {
        let _tools = Tools::parse(bits, head.max_sub_layers_minus1)?;
        let mut vui = Self::default();
        if bits.flag()? {
            // What comes before the end of the bits is filled in.
            let _read_to_the_end = vui.fill(bits);
        }
        Some(vui)
    }

    fn fill(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        self.look = Look::from_vui(bits)?;
        let _neutral_chroma = bits.flag()?;
        let _fields = bits.flag()?;
        let _frame_field_info = bits.flag()?;
        if bits.flag()? {
            bits.skip_ue(4)?;
        }
        if bits.flag()? {
            let ticks = bits.bits(32)?;
            let time_scale = bits.bits(32)?;
            self.frame_rate = rate(time_scale.into(), ticks.into());
        }
        Some(())
    }
}

/// What lies between the bit depths and the VUI.
pub(crate) struct Tools {
    pub(crate) log2_max_order_count: u32,
    /// How many pictures may come before one that is shown earlier.
    pub(crate) reordered_max: u32,
    pub(crate) adaptive_offset: bool,
    /// Whether there are short-term reference picture sets.
    pub(crate) reference_sets: bool,
    /// How many long-term pictures are told here, where there are such pictures.
    pub(crate) long_term: Option<u32>,
    pub(crate) temporal_vectors: bool,
}

impl Tools {
    fn parse(bits: &mut Bits<'_>, max_sub_layers_minus1: u32) -> Option<Self> {
        let log2_max_order_count = 4 + bits.ue().filter(|&more| more <= 12)?;
        let layers = if bits.flag()? {
            max_sub_layers_minus1 + 1
        } else {
            1
        };
        let mut reordered_max = 0;
        for _ in 0..layers {
            let _buffered = bits.ue()?;
            reordered_max = bits.ue()?;
            let _latency = bits.ue()?;
        }
        // Block sizes and depths.
        bits.skip_ue(6)?;
        if bits.flag()? && bits.flag()? {
            skip_scaling_lists(bits)?;
        }
        let _asymmetric_partitions = bits.flag()?;
        let adaptive_offset = bits.flag()?;
        if bits.flag()? {
            let _pcm_bit_depths = bits.byte()?;
            bits.skip_ue(2)?;
            let _pcm_loop_filter = bits.flag()?;
        }
        let reference_sets = skip_reference_sets(bits)? > 0;
        let mut long_term = None;
        if bits.flag()? {
            let pictures = bits.ue().filter(|&pictures| pictures <= 32)?;
            bits.skip(pictures * (log2_max_order_count + 1))?;
            long_term = Some(pictures);
        }
        let temporal_vectors = bits.flag()?;
        let _strong_intra_smoothing = bits.flag()?;
        Some(Self {
            log2_max_order_count,
            reordered_max,
            adaptive_offset,
            reference_sets,
            long_term,
            temporal_vectors,
        })
    }
}

/// scaling_list_data (7.3.4).
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        let matrices = if size == 3 { 2 } else { 6 };
        for _ in 0..matrices {
            if bits.flag()? {
                let has_direct_coefficient = u32::from(size > 1);
                let coefficients = 64.min(1 << (4 + (size << 1)));
                bits.skip_ue(has_direct_coefficient + coefficients)?;
            } else {
                let _copied_from = bits.ue()?;
            }
        }
    }
    Some(())
}

/// The short-term reference picture sets (7.3.7), each of which may be told as a change of the last.
/// Gives how many there are.
fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<u32> {
    const PICTURES_MAX: u32 = 16;
    let sets = bits.ue().filter(|&sets| sets <= 64)?;
    let mut pictures = 0;
    for set in 0..sets {
        if set > 0 && bits.flag()? {
            let _sign = bits.flag()?;
            let _distance = bits.ue()?;
            let candidates = pictures + 1;
            pictures = 0;
            for _ in 0..candidates {
                let used_by_current = bits.flag()?;
                if used_by_current || bits.flag()? {
                    pictures += 1;
                }
            }
        } else {
            pictures = bits.ue()?.checked_add(bits.ue()?)?;
            if pictures > PICTURES_MAX {
                return None;
            }
            for _ in 0..pictures {
                let _distance = bits.ue()?;
                let _used_by_current = bits.flag()?;
            }
        }
    }
    Some(sets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bits::Written;
    use crate::format::Colour;

    /// The NAL header of an SPS, and its VPS id, sub-layers and nesting.
    fn begun(max_sub_layers_minus1: u32) -> Written {
        Written::default().fields(&[(16, 0x4201), (4, 0), (3, max_sub_layers_minus1), (1, 1)])
    }

    /// Profile space, tier, profile, its compatibility, 48 bits of constraints, level.
    fn profile(written: Written, high: (u32, u32, u32), constraints: (u32, u32)) -> Written {
        let (space, tier, level) = high;
        written
            .fields(&[(2, space), (1, tier), (5, 1), (32, 0x6000_0000)])
            .fields(&[(32, constraints.0), (16, constraints.1), (8, level)])
    }

    /// Id, format, size, a cropping window, depths, and the picture order count of 8 bits.
    fn size(written: Written, chroma: u32) -> Written {
        let written = written.ue(&[3, chroma]);
        let written = if chroma == 3 {
            written.fields(&[(1, 1)])
        } else {
            written
        };
        written
            .ue(&[1920, 1088])
            .fields(&[(1, 1)])
            .ue(&[1, 2, 3, 4])
            .ue(&[2, 0, 4])
    }

    /// A VUI with an extended aspect ratio, colours, a display window and 50 pictures per second.
    fn vui(written: Written) -> Written {
        written
            .fields(&[(1, 1), (1, 1), (8, 255), (16, 4), (16, 3), (1, 1), (1, 0)])
            .fields(&[(1, 1), (3, 5), (1, 1), (1, 1), (8, 9), (8, 18), (8, 10)])
            .fields(&[(1, 1)])
            .ue(&[2, 2])
            .fields(&[(1, 0), (1, 0), (1, 0), (1, 1)])
            .ue(&[0, 0, 0, 4])
            .fields(&[(1, 1), (32, 1), (32, 50), (1, 0), (1, 0), (1, 0)])
    }

    /// No more than what must be there between the depths and the VUI.
    fn plain_tools(written: Written) -> Written {
        written
            .fields(&[(1, 0)])
            .ue(&[4, 0, 0, 0, 3, 0, 3, 0, 0])
            .fields(&[(1, 0), (1, 0), (1, 1), (1, 0)])
            .ue(&[0])
            .fields(&[(1, 0), (1, 1), (1, 1)])
    }

    fn plain(chroma: u32) -> Written {
        size(profile(begun(0), (0, 0, 93), (0x9000_0000, 0)), chroma)
    }

    fn format(sps: Written) -> VideoFormat {
        video_format(&sps.fields(&[(1, 0)]).nal()).expect("the SPS can be read")
    }

    fn assert_has_vui(format: &VideoFormat) {
        assert_eq!(format.frame_rate, Some((50, 1)));
        let colour = Colour {
            primaries: 9,
            transfer: 18,
            matrix: 10,
            full_range: true,
        };
        assert_eq!(format.colour, Some(colour));
    }

    #[test]
    fn every_tool_is_stepped_over() {
        let tools = plain(1)
            .fields(&[(1, 0)])
            .ue(&[4, 0, 0, 0, 3, 0, 3, 0, 0])
            // No scaling lists of its own, PCM with its depths and sizes.
            .fields(&[(1, 1), (1, 0), (1, 1), (1, 1), (1, 1), (4, 7), (4, 7)])
            .ue(&[0, 2])
            .fields(&[(1, 1)])
            // Four reference picture sets: one of 2 + 1 pictures; one told as its change, which
            // keeps two of the three and adds itself; one that changes those three; one of none.
            .ue(&[4])
            .ue(&[2, 1, 0])
            .fields(&[(1, 1)])
            .ue(&[1])
            .fields(&[(1, 1)])
            .ue(&[0])
            .fields(&[(1, 0)])
            .fields(&[(1, 1), (1, 0)])
            .ue(&[1])
            .fields(&[(1, 1), (1, 0), (1, 0), (1, 0), (1, 1), (1, 1)])
            .fields(&[(1, 1), (1, 1)])
            .ue(&[0])
            .fields(&[(1, 1), (1, 1), (1, 1), (1, 1)])
            .fields(&[(1, 0)])
            .ue(&[0, 0])
            // Two long-term pictures of 8 bits each.
            .fields(&[(1, 1)])
            .ue(&[2])
            .fields(&[(8, 0xaa), (1, 1), (8, 0x55), (1, 0)])
            .fields(&[(1, 1), (1, 1)]);
        assert_has_vui(&format(vui(tools)));
    }

    #[test]
    fn sub_layers_are_stepped_over() {
        let layers = profile(begun(2), (0, 0, 93), (0x9000_0000, 0))
            // One layer with a profile and a level, one with a level, six reserved pairs.
            .fields(&[(2, 3), (2, 1), (12, 0)])
            .fields(&[
                (32, 0x0160_0000),
                (32, 0x0090_0000),
                (24, 0),
                (8, 90),
                (8, 63),
            ]);
        let tools = size(layers, 1)
            .fields(&[(1, 1)])
            .ue(&[1, 0, 0, 2, 0, 0, 4, 0, 0])
            .ue(&[0, 3, 0, 3, 0, 0])
            .fields(&[(1, 0), (1, 0), (1, 1), (1, 0)])
            .ue(&[0])
            .fields(&[(1, 0), (1, 1), (1, 1)]);
        let format = format(vui(tools));
        assert_has_vui(&format);
        assert_eq!(format.codec_string, "hvc1.1.6.L93.90");
    }

    #[test]
    fn cropping_counts_in_chroma_samples() {
        for (chroma, width, height) in [
            (0, 1920 - 3, 1088 - 7),
            (1, 1920 - 6, 1088 - 14),
            (2, 1920 - 6, 1088 - 7),
            (3, 1920 - 3, 1088 - 7),
        ] {
            let format = format(vui(plain_tools(plain(chroma))));
            assert_eq!((format.width, format.height), (width, height));
            assert_eq!(format.bit_depth, 10);
            assert_has_vui(&format);
        }
    }

    #[test]
    fn codec_strings() {
        let of = |high, constraints| {
            let sps = size(profile(begun(0), high, constraints), 1);
            format(plain_tools(sps).fields(&[(1, 0)])).codec_string
        };
        // The examples of 14496-15 E.3 and others: trailing zero bytes fall away, inner ones stay.
        assert_eq!(of((0, 0, 93), (0xb000_0000, 0)), "hvc1.1.6.L93.B0");
        assert_eq!(of((1, 1, 123), (0, 0)), "hvc1.A1.6.H123");
        assert_eq!(
            of((2, 0, 30), (0x9000_0000, 8)),
            "hvc1.B1.6.L30.90.0.0.0.0.8"
        );
    }

    /// A reference picture set as it is written: on its own, or as a change of the one before.
    #[derive(Debug, Clone)]
    enum ReferenceSet {
        Own { before: u32, after: u32 },
        Change { flags: Vec<(bool, bool)> },
    }

    fn reference_set() -> impl Strategy<Value = ReferenceSet> {
        let flags = prop::collection::vec(any::<(bool, bool)>(), 1..20);
        prop_oneof![
            (0u32..=8, 0u32..=8).prop_map(|(before, after)| ReferenceSet::Own { before, after }),
            flags.prop_map(|flags| ReferenceSet::Change { flags }),
        ]
    }

    /// Writes a set, and returns how many pictures it has; `previous` is how many the last had.
    fn write_set(written: Written, previous: Option<u32>, set: &ReferenceSet) -> (Written, u32) {
        let prediction = |flag| previous.map(|_| (1, flag));
        match (set, previous) {
            (ReferenceSet::Change { flags }, Some(previous)) => {
                let mut written = written.fields(prediction(1).as_slice()).fields(&[(1, 0)]);
                written = written.ue(&[5]);
                let mut pictures = 0;
                // One flag for each picture of the last set, and one for that set's own picture.
                for &(used, kept) in flags.iter().cycle().take(previous as usize + 1) {
                    written = written.fields(&[(1, used.into())]);
                    if !used {
                        written = written.fields(&[(1, kept.into())]);
                    }
                    pictures += u32::from(used || kept);
                }
                (written, pictures)
            }
            (ReferenceSet::Change { .. }, None) => (written.ue(&[0, 0]), 0),
            (&ReferenceSet::Own { before, after }, _) => {
                let mut written = written
                    .fields(prediction(0).as_slice())
                    .ue(&[before, after]);
                for _ in 0..before + after {
                    written = written.ue(&[2]).fields(&[(1, 0)]);
                }
                (written, before + after)
            }
        }
    }

    proptest! {
        #[test]
        fn reference_sets_are_stepped_over(sets in prop::collection::vec(reference_set(), 0..12)) {
            let mut written = Written::default().ue(&[u32::try_from(sets.len()).unwrap()]);
            let mut previous = None;
            for set in &sets {
                let pictures;
                (written, pictures) = write_set(written, previous, set);
                previous = Some(pictures);
            }
            let bytes = written.fields(&[(32, 0xfeed_beef)]).bytes();
            let mut bits = Bits::plain(&bytes);
            prop_assert!(skip_reference_sets(&mut bits).is_some());
            prop_assert_eq!(bits.bits(32), Some(0xfeed_beef));
        }
    }

    #[test]
    fn damage_behind_the_size_leaves_the_size() {
        let whole = vui(plain_tools(plain(1))).nal();
        let sizes: Vec<_> = (0..whole.len())
            .filter_map(|end| video_format(&whole[..end]))
            .map(|format| (format.width, format.height))
            .collect();
        assert!(sizes.len() > 20);
        assert!(sizes.iter().all(|&size| size == (1914, 1074)));
        let too_many_sets = plain(1)
            .fields(&[(1, 0)])
            .ue(&[4, 0, 0, 0, 3, 0, 3, 0, 0])
            .fields(&[(1, 0), (1, 0), (1, 1), (1, 0)])
            .ue(&[65]);
        assert_eq!(format(too_many_sets).frame_rate, None);
    }
}
