//! Decoder configuration records (14496-15): parameter sets as MP4 keeps them, beside the pictures.

use crate::bits::Bits;
use crate::parameter_sets::{Kind, ParameterSets};
use crate::{Codec, h264};

impl ParameterSets {
    /// The content of an `avcC` box (14496-15 5.3.3.1) or an `hvcC` box (8.3.3.1), for NAL units with
    /// lengths of four bytes in front. `in_band` says that pictures may bring sets of their own.
    ///
    /// `None` where a set is missing that every decoder needs, and for other codecs.
    #[must_use]
    pub fn decoder_configuration(&self, in_band: bool) -> Option<Vec<u8>> {
        if !self.is_complete() {
            return None;
        }
        match self.codec() {
            Codec::H264 => self.avc_configuration(),
            Codec::Hevc => self.hevc_configuration(in_band),
            _ => None,
        }
    }

    fn avc_configuration(&self) -> Option<Vec<u8>> {
        let sps = self.of(Kind::Sequence).next()?;
        let &[_, profile, compatibility, level, ..] = sps else {
            return None;
        };
        let reserved_and_lengths = [0b1111_1100 | LENGTH_BYTES_LESS_ONE];
        let mut record = vec![1, profile, compatibility, level];
        record.extend(reserved_and_lengths);
        let sequences: Vec<&[u8]> = self.of(Kind::Sequence).take(31).collect();
        record.push(0b1110_0000 | sequences.len() as u8);
        sequences
            .iter()
            .for_each(|set| with_length(&mut record, set));
        let pictures: Vec<&[u8]> = self.of(Kind::Picture).take(255).collect();
        record.push(pictures.len() as u8);
        pictures
            .iter()
            .for_each(|set| with_length(&mut record, set));
        if let Some([chroma_format, luma_depth, chroma_depth]) = h264::sample_format(sps) {
            let extensions = 0;
            record.extend([
                0b1111_1100 | chroma_format,
                0b1111_1000 | luma_depth,
                0b1111_1000 | chroma_depth,
                extensions,
            ]);
        }
        Some(record)
    }

    fn hevc_configuration(&self, in_band: bool) -> Option<Vec<u8>> {
        let sps = self.of(Kind::Sequence).next()?;
        let mut bits = Bits::escaped(sps.get(2..)?);
        let _vps = bits.bits(4)?;
        let temporal_layers = bits.bits(3)? + 1;
        let is_nested = bits.bits(1)?;
        let mut record = vec![1];
        // Profile, tier, compatibility, constraints and level stand here as they do in the set.
        for _ in 0..12 {
            record.push(bits.byte()?);
        }
        let format = self.video_format()?;
        let (chroma_format, chroma_depth) = crate::hevc::chroma(sps)?;
        let no_segmentation = 0xf000u16;
        record.extend(no_segmentation.to_be_bytes());
        let any_parallelism = 0b1111_1100;
        let average_rate_unknown = [0, 0];
        record.extend([
            any_parallelism,
            0b1111_1100 | chroma_format,
            0b1111_1000 | (format.bit_depth - 8),
            0b1111_1000 | chroma_depth,
        ]);
        record.extend(average_rate_unknown);
        record.push((temporal_layers << 3 | is_nested << 2) as u8 | LENGTH_BYTES_LESS_ONE);
        let kinds = [(Kind::Video, 32), (Kind::Sequence, 33), (Kind::Picture, 34)];
        record.push(kinds.len() as u8);
        for (kind, nal_type) in kinds {
            let is_all = u8::from(!in_band) << 7;
            record.push(is_all | nal_type);
            let sets: Vec<&[u8]> = self.of(kind).collect();
            record.extend((sets.len() as u16).to_be_bytes());
            sets.iter().for_each(|set| with_length(&mut record, set));
        }
        Some(record)
    }
}

const LENGTH_BYTES_LESS_ONE: u8 = 3;

/// A set is never longer than 8 KiB.
fn with_length(record: &mut Vec<u8>, set: &[u8]) {
    record.extend((set.len() as u16).to_be_bytes());
    record.extend_from_slice(set);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libavformat makes of the same sets.
    #[test]
    fn an_avc_record_is_as_the_standard_has_it() {
        let sps = [
            0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x5f, 0x88, 0x88, 0xc0, 0x44,
        ];
        let pps = [0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
        let mut sets = ParameterSets::new(Codec::H264);
        sets.update(&[&[0, 0, 1][..], &sps, &[0, 0, 1], &pps, &[0, 0, 1]].concat());
        let expected = [
            &[1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, sps.len() as u8][..],
            &sps,
            &[1, 0, pps.len() as u8],
            &pps,
            &[0xfd, 0xf8, 0xf8, 0],
        ]
        .concat();
        assert_eq!(sets.decoder_configuration(false), Some(expected));
    }

    #[test]
    fn no_record_without_every_kind_of_set() {
        let sps = [
            0x67, 0x64, 0x00, 0x0a, 0xac, 0xd9, 0x5f, 0x88, 0x88, 0xc0, 0x44,
        ];
        let mut sets = ParameterSets::new(Codec::H264);
        sets.update(&[&[0, 0, 1][..], &sps, &[0, 0, 1]].concat());
        assert_eq!(sets.decoder_configuration(false), None);
        assert_eq!(
            ParameterSets::new(Codec::Opus).decoder_configuration(false),
            None
        );
    }
}
