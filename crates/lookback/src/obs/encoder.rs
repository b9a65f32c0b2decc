//! Which encoder OBS is to record with, and what it must be told so that every picture can be looked
//! back on at once.
//!
//! OBS lists its encoders nowhere that a client can see. So candidates are chosen by what the machine
//! has, those that ffmpeg can try and that fail there are struck out, and the recording itself decides
//! among the rest ([`super::record`]). VA-API is none of them: Custom Output hands encoders pictures in
//! memory, and those of VA-API take nothing but surfaces of the graphics card.

use std::path::Path;
use std::str::FromStr;

use super::studio::VideoSettings;
use crate::programs::{Trial, try_encoder};

/// Which encoder to use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Choice {
    /// The best one that works.
    Auto,
    /// This one, by FFmpeg's name of it.
    Named(String),
}

impl FromStr for Choice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match text {
            "auto" => Ok(Self::Auto),
            name if !name.is_empty() && name.bytes().all(plain) => Ok(Self::Named(name.to_owned())),
            _ => Err("write auto, or FFmpeg's name of one, such as hevc_nvenc or libx264"),
        }
    }
}

/// An encoder as OBS is told of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Encoder {
    pub(crate) name: String,
    /// FFmpeg's number of the codec, which OBS keeps beside the name.
    pub(crate) codec_id: u32,
    /// `name=value name=value`; `{gop}` is the number of pictures from keyframe to keyframe.
    options: String,
}

/// FFmpeg's numbers of codecs.
const H264: u32 = 27;
const HEVC: u32 = 173;

/// The encoder that is there wherever OBS is.
const SOFTWARE: &str = "libx264";

/// What each encoder is told. All of them: no B-frames, since these come later than they are seen and
/// make a replay start late, and closed groups of pictures, since a replay begins with one. An option that
/// a build does not know is passed over by OBS with a line in its log.
const TABLE: [(&str, u32, &str); 10] = [
    // `tune=ll` looks at no pictures ahead; `forced-idr` makes each keyframe one to start from;
    // `no-scenecut` keeps them where they are due. NVENC repeats its parameter sets by itself.
    (
        "h264_nvenc",
        H264,
        "preset=p4 tune=ll rc=cbr zerolatency=1 forced-idr=1 no-scenecut=1",
    ),
    (
        "hevc_nvenc",
        HEVC,
        "preset=p4 tune=ll rc=cbr zerolatency=1 forced-idr=1 no-scenecut=1",
    ),
    // AMF writes the parameter sets once, unless it is told to as often as keyframes come.
    (
        "h264_amf",
        H264,
        "usage=lowlatency quality=balanced rc=cbr header_spacing={gop}",
    ),
    // For HEVC the same has another name, and a keyframe may be one that is not an IDR.
    (
        "hevc_amf",
        HEVC,
        "usage=lowlatency quality=balanced rc=cbr header_insertion_mode=idr gops_per_idr=1",
    ),
    // `async_depth=1` holds no pictures back to work on them side by side.
    ("h264_qsv", H264, "preset=medium async_depth=1 forced_idr=1"),
    // Without `idr_interval` only the first keyframe of HEVC is an IDR.
    (
        "hevc_qsv",
        HEVC,
        "preset=medium async_depth=1 forced_idr=1 idr_interval=1",
    ),
    // `realtime` holds no pictures back; `allow_sw` does it on the processor where the hardware is busy.
    ("h264_videotoolbox", H264, "realtime=1 allow_sw=1"),
    ("hevc_videotoolbox", HEVC, "realtime=1 allow_sw=1"),
    // `zerolatency` looks at no pictures ahead. x264 repeats its parameter sets by itself.
    (SOFTWARE, H264, "preset=veryfast tune=zerolatency"),
    // x265 opens its groups of pictures and writes parameter sets once unless it is told otherwise.
    (
        "libx265",
        HEVC,
        "preset=ultrafast tune=zerolatency x265-params=open-gop=0:repeat-headers=1:scenecut=0",
    ),
];

impl Encoder {
    /// One of the table, or any other, which is told what holds for all.
    pub(crate) fn named(name: &str) -> Self {
        let known = TABLE.iter().find(|(known, ..)| *known == name);
        let is_hevc = name.contains("hevc") || name.contains("265");
        let (codec_id, own) = known.map_or_else(
            || (if is_hevc { HEVC } else { H264 }, ""),
            |(_, codec_id, own)| (*codec_id, *own),
        );
        Self {
            name: name.to_owned(),
            codec_id,
            options: format!("{own} bf=0 flags=+cgop").trim_start().to_owned(),
        }
    }

    /// `FFVCustom` of OBS.
    pub(crate) fn options(&self, gop: u32) -> String {
        self.options.replace("{gop}", &gop.to_string())
    }
}

/// Pictures from one keyframe to the next: half a second, so that a replay starts where it is meant to.
pub(crate) fn gop(video: &VideoSettings) -> u32 {
    // A frame rate is a small positive number; a cast saturates where one is not.
    ((fps(video) / 2.0).round() as u32).max(1)
}

/// Kilobits each second that look well in slow motion too: an eighth of a bit for each pixel, and not
/// less than a small picture needs.
pub(crate) fn bitrate_kbit(video: &VideoSettings) -> u32 {
    const STEP: f64 = 500.0;
    let bits = video.output_width * video.output_height * fps(video) / 8.0;
    ((bits / 1000.0 / STEP).ceil() * STEP).clamp(2500.0, 80_000.0) as u32
}

pub(crate) fn fps(video: &VideoSettings) -> f64 {
    video.fps_numerator / video.fps_denominator.max(1.0)
}

/// The encoders to try, the best one first, for an OBS that runs here or elsewhere.
pub(crate) async fn candidates(choice: &Choice, is_local: bool) -> Vec<Encoder> {
    let names = match choice {
        Choice::Named(name) => vec![name.as_str()],
        Choice::Auto if is_local => {
            let ffmpeg = Path::new("ffmpeg");
            let mut names = Vec::new();
            for name in hardware(std::env::consts::OS, Path::new("/")) {
                // Of what ffmpeg does not know, OBS has to find out.
                if try_encoder(ffmpeg, name).await != Trial::Fails {
                    names.push(name);
                }
            }
            names.push(SOFTWARE);
            names
        }
        // What another machine has cannot be seen from here, and OBS shows a window for each failure.
        Choice::Auto => vec![SOFTWARE],
    };
    names.into_iter().map(Encoder::named).collect()
}

/// What the machine under `root` seems to be able to do. H.264 before HEVC: it plays in every browser and
/// every editor.
fn hardware(system: &str, root: &Path) -> Vec<&'static str> {
    let has = |path: &str| root.join(path).exists();
    match system {
        // The parts of the drivers that the encoders load.
        "windows" => [
            ("nvEncodeAPI64.dll", "h264_nvenc"),
            ("amfrt64.dll", "h264_amf"),
            ("libmfxhw64.dll", "h264_qsv"),
            ("libvpl.dll", "h264_qsv"),
        ]
        .into_iter()
        .filter(|(library, _)| has(&format!("Windows/System32/{library}")))
        .map(|(_, name)| name)
        .take(2)
        .collect(),
        "macos" => vec!["h264_videotoolbox"],
        _ => {
            let mut names = Vec::new();
            if has("dev/nvidiactl") {
                names.push("h264_nvenc");
            }
            if has_intel_graphics(root) {
                names.push("h264_qsv");
            }
            names
        }
    }
}

/// Whether one of the graphics cards is Intel's, by the kernel's list of them.
fn has_intel_graphics(root: &Path) -> bool {
    const INTEL: &str = "0x8086";
    let cards = std::fs::read_dir(root.join("sys/class/drm"));
    cards.into_iter().flatten().flatten().any(|card| {
        card.file_name().to_string_lossy().starts_with("renderD")
            && std::fs::read_to_string(card.path().join("device/vendor"))
                .is_ok_and(|vendor| vendor.trim() == INTEL)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn video(width: f64, height: f64, numerator: f64, denominator: f64) -> VideoSettings {
        VideoSettings {
            fps_numerator: numerator,
            fps_denominator: denominator,
            base_width: width,
            base_height: height,
            output_width: width,
            output_height: height,
        }
    }

    #[test]
    fn a_keyframe_comes_every_half_second() {
        for (numerator, denominator, pictures) in [
            (30.0, 1.0, 15),
            (60_000.0, 1001.0, 30),
            (25.0, 1.0, 13),
            (1.0, 1.0, 1),
            (1.0, 10.0, 1),
        ] {
            let video = video(1920.0, 1080.0, numerator, denominator);
            assert_eq!(gop(&video), pictures, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn bitrate_grows_with_the_pictures() {
        let of = |width, height, fps| bitrate_kbit(&video(width, height, fps, 1.0));
        assert_eq!(of(640.0, 360.0, 30.0), 2500);
        assert_eq!(of(1280.0, 720.0, 30.0), 3500);
        assert_eq!(of(1920.0, 1080.0, 60.0), 16_000);
        assert_eq!(of(7680.0, 4320.0, 120.0), 80_000);
    }

    #[test]
    fn every_encoder_is_told_what_a_replay_needs() {
        for (name, codec_id, _) in TABLE {
            let encoder = Encoder::named(name);
            assert_eq!(encoder.codec_id, codec_id);
            let options = encoder.options(30);
            let words: Vec<&str> = options.split(' ').collect();
            assert!(
                words.contains(&"bf=0") && words.contains(&"flags=+cgop"),
                "{options}"
            );
            // OBS splits at spaces, and takes each part for a name and a value.
            assert!(
                words.iter().all(|word| word.split_once('=').is_some()),
                "{options}"
            );
            assert!(!options.contains('{'), "{options}");
        }
        assert!(
            Encoder::named("h264_amf")
                .options(15)
                .contains("header_spacing=15")
        );
        assert_eq!(Encoder::named("h264_omx").options(15), "bf=0 flags=+cgop");
        assert_eq!(Encoder::named("hevc_rkmpp").codec_id, HEVC);
    }

    #[test]
    fn hardware_is_told_by_its_drivers() {
        let root = tempfile::tempdir().expect("a folder");
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        for system in ["linux", "windows"] {
            assert_eq!(hardware(system, root.path()), [""; 0]);
        }
        assert_eq!(hardware("macos", root.path()), ["h264_videotoolbox"]);
        put("sys/class/drm/renderD128/device/vendor", "0x1002\n");
        assert_eq!(hardware("linux", root.path()), [""; 0]);
        put("sys/class/drm/renderD129/device/vendor", "0x8086\n");
        put("dev/nvidiactl", "");
        assert_eq!(hardware("linux", root.path()), ["h264_nvenc", "h264_qsv"]);
        put("Windows/System32/amfrt64.dll", "");
        assert_eq!(hardware("windows", root.path()), ["h264_amf"]);
    }

    #[tokio::test]
    async fn software_is_the_last_resort_and_all_there_is_from_afar() {
        let afar = candidates(&Choice::Auto, false).await;
        assert_eq!(afar, [Encoder::named(SOFTWARE)]);
        let here = candidates(&Choice::Auto, true).await;
        assert_eq!(here.last(), Some(&Encoder::named(SOFTWARE)));
        let named = Choice::Named("hevc_nvenc".to_owned());
        let named = candidates(&named, false).await;
        assert_eq!(named, [Encoder::named("hevc_nvenc")]);
    }

    #[test]
    fn choices_are_names() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("h264_qsv".parse(), Ok(Choice::Named("h264_qsv".to_owned())));
        assert!("".parse::<Choice>().is_err() && "x264 -x".parse::<Choice>().is_err());
    }
}
