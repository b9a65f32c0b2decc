//! What a recorder must know of the codecs that travel in MPEG-TS, and no more: where a stream can
//! be cut, which parameter sets a decoder needs first, and how the format is called.
//!
//! | question | answer |
//! |---|---|
//! | what is this entry of the PMT? | [`codec_of_stream`] |
//! | can decoding start at this picture? | [`inspect`] on the first bytes of its access unit |
//! | what goes in front of a picture that has no parameter sets? | [`ParameterSets`] |
//! | what does the viewer see and hear? | [`VideoFormat`], [`AudioFormat`] |
//! | how long does this sound last? | [`audio_duration`] |
//! | what makes a decoder show a picture at once? | [`Flush`] |
//! | what does a file say of it? | [`ParameterSets::decoder_configuration`], [`hdr`], [`audio_configuration`] |
//! | where are the frames of sound? | [`audio_frames`] |
//!
//! Nothing here decodes. Video is read from the start of an access unit to its first slice, audio
//! from frame header to frame header. Every function takes any bytes at all: damage gives `None` or
//! "not an access point", never a panic, and nothing allocates more than its input.
//!
//! The standards, with the editions that the section numbers refer to:
//!
//! * H.264: ITU-T H.264 (08/2021), syntax in 7.3, meaning in 7.4, SEI in Annex D, VUI in Annex E
//! * HEVC: ITU-T H.265 (08/2021), the same layout, NAL unit types in table 7-1
//! * MPEG-2 video: ISO/IEC 13818-2, syntax in 6.2, meaning in 6.3; MPEG-1 video: ISO/IEC 11172-2
//! * AAC: ISO/IEC 14496-3, ADTS in 1.A, LATM and LOAS in 1.7
//! * Opus: RFC 6716 3, and the ETSI draft "Opus in MPEG-TS" for its control header
//! * AC-3 and E-AC-3: ATSC A/52, 5.3 and Annex E
//! * MPEG audio: ISO/IEC 11172-3 and 13818-3, 2.4
//! * descriptors: ISO/IEC 13818-1 2.6, ETSI EN 300 468 Annex D
//! * decoder configurations: ISO/IEC 14496-15 5.3 and 8.3, ETSI TS 102 366 Annex F, "Encapsulation of
//!   Opus in ISO Base Media File Format"
//! * codec strings: RFC 6381, ISO/IEC 14496-15 Annex E

#![forbid(unsafe_code)]

mod audio;
mod bits;
mod black;
mod flush;
mod format;
mod h264;
mod hevc;
mod mpeg2;
mod parameter_sets;
mod picture;
mod record;
mod sei;
mod start_code;
mod stream;

pub use audio::{
    AudioFormat, AudioFrame, Silence, audio_configuration, audio_duration, audio_format,
    audio_frames, silence,
};
pub use black::black;
pub use flush::Flush;
pub use format::{Colour, VideoFormat};
pub use parameter_sets::ParameterSets;
pub use picture::{Access, Head, Picture, inspect};
pub use sei::{Hdr, hdr};
pub use stream::{Codec, codec_of_stream};
