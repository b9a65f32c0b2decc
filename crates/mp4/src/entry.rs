//! Sample descriptions: what a track's samples are made of (14496-12 8.5.2, 12.1, 12.2).

use lookback_codec::{AudioFormat, Codec};

use crate::boxes::Boxes;
use crate::picture::Pictures;
use crate::scan::{Media, Track};
use crate::sound::Sound;

/// Writes the `stsd` of a track.
pub(crate) fn write(track: &Track, boxes: &mut Boxes) {
    boxes.full(b"stsd", 0, 0, |boxes| {
        boxes.u32(1);
        match &track.media {
            Media::Pictures(pictures) => video(pictures, boxes),
            Media::Sound(sound) => audio(sound, boxes),
        }
    });
}

/// Width and height as they are shown, in whole pixels.
pub(crate) fn shown_size(pictures: &Pictures) -> (u32, u32) {
    let Some(format) = pictures.format() else {
        return (0, 0);
    };
    let (wide, high) = format.sample_aspect.unwrap_or((1, 1));
    let width = u64::from(format.width) * u64::from(wide) / u64::from(high);
    (u32::try_from(width).unwrap_or(format.width), format.height)
}

/// Which of its two entries a codec has (14496-15 5.4.2.1, 8.4.1): `avc1` and `hvc1` say that all
/// parameter sets stand here, and are the ones that every player knows.
fn video(pictures: &Pictures, boxes: &mut Boxes) {
    let (kind, record) = match (pictures.codec(), pictures.in_band()) {
        (Codec::H264, false) => (b"avc1", b"avcC"),
        (Codec::H264, true) => (b"avc3", b"avcC"),
        (_, false) => (b"hvc1", b"hvcC"),
        (_, true) => (b"hev1", b"hvcC"),
    };
    let format = pictures.format();
    let (width, height) = format
        .as_ref()
        .map_or((0, 0), |format| (format.width, format.height));
    boxes.plain(kind, |boxes| {
        begin(boxes);
        boxes.zeros(16);
        boxes.u16(width as u16).u16(height as u16);
        let dots_per_inch = 72 << 16;
        boxes.u32(dots_per_inch).u32(dots_per_inch).zeros(4);
        let (frames_per_sample, depth) = (1, 24);
        boxes.u16(frames_per_sample).zeros(32).u16(depth);
        let no_colour_table = 0xffff;
        boxes.u16(no_colour_table);
        boxes.plain(record, |boxes| {
            boxes.raw(&pictures.configuration().unwrap_or_default());
        });
        if let Some((wide, high)) = format.as_ref().and_then(|format| format.sample_aspect) {
            boxes.plain(b"pasp", |boxes| {
                boxes.u32(wide).u32(high);
            });
        }
        if let Some(colour) = format.and_then(|format| format.colour) {
            boxes.plain(b"colr", |boxes| {
                boxes.raw(b"nclx");
                for code in [colour.primaries, colour.transfer, colour.matrix] {
                    boxes.u16(code.into());
                }
                boxes.u8(u8::from(colour.full_range) << 7);
            });
        }
        let hdr = pictures.hdr();
        if let Some(mastering) = hdr.mastering {
            boxes.plain(b"mdcv", |boxes| {
                boxes.raw(&mastering);
            });
        }
        if let Some(light) = hdr.light {
            boxes.plain(b"clli", |boxes| {
                boxes.raw(&light);
            });
        }
    });
}

fn audio(sound: &Sound, boxes: &mut Boxes) {
    let Some((format, configuration)) = sound.known() else {
        return;
    };
    let kind = match format.codec {
        Codec::Ac3 => b"ac-3",
        Codec::Eac3 => b"ec-3",
        Codec::Opus => b"Opus",
        _ => b"mp4a",
    };
    boxes.plain(kind, |boxes| {
        begin(boxes);
        let sample_bits = 16;
        boxes.zeros(8);
        boxes.u16(format.channels.into()).u16(sample_bits).zeros(4);
        // 16.16; what does not fit stands in the track's scale.
        boxes.u32(u32::from(u16::try_from(format.sample_rate).unwrap_or(0)) << 16);
        match format.codec {
            Codec::Ac3 => boxes.plain(b"dac3", |boxes| {
                boxes.raw(configuration);
            }),
            Codec::Eac3 => boxes.plain(b"dec3", |boxes| {
                boxes.raw(configuration);
            }),
            Codec::Opus => boxes.plain(b"dOps", |boxes| {
                boxes.raw(configuration);
            }),
            _ => elementary(format, configuration, boxes),
        }
    });
}

/// Six reserved bytes, and the number of the only data reference.
fn begin(boxes: &mut Boxes) {
    boxes.zeros(6).u16(1);
}

/// `esds` (14496-14 5.6): which codec it is, and its configuration.
fn elementary(format: &AudioFormat, configuration: &[u8], boxes: &mut Boxes) {
    const ES: u8 = 3;
    const DECODER: u8 = 4;
    const CONFIGURATION: u8 = 5;
    const SYNC_LAYER: u8 = 6;
    const SOUND: u8 = 5;
    const AAC: u8 = 0x40;
    const MPEG_2: u8 = 0x69;
    const MPEG_1: u8 = 0x6b;
    let object_type = match format.codec_string.as_str() {
        "mp4a.69" => MPEG_2,
        "mp4a.6B" => MPEG_1,
        _ => AAC,
    };
    boxes.full(b"esds", 0, 0, |boxes| {
        boxes.descriptor(ES, |boxes| {
            let id_is_the_tracks = 0;
            boxes.u16(id_is_the_tracks).u8(0);
            boxes.descriptor(DECODER, |boxes| {
                boxes.u8(object_type).u8(SOUND << 2 | 1);
                // Buffer and bit rates are not known: the size of the samples tells them.
                boxes.zeros(3 + 4 + 4);
                if !configuration.is_empty() {
                    boxes.descriptor(CONFIGURATION, |boxes| {
                        boxes.raw(configuration);
                    });
                }
            });
            boxes.descriptor(SYNC_LAYER, |boxes| {
                let as_in_mp4 = 2;
                boxes.u8(as_in_mp4);
            });
        });
    });
}
