//! ffmpeg: whether it is there and has what the presets need, and which encoders of the hardware work.

use std::path::Path;

use super::finding::Finding;
use crate::convert::Presets;
use crate::programs::{Trial, listed, said, try_encoder};

/// The encoders that hardware brings and OBS knows, by the names they have in both.
const HARDWARE: [&str; 8] = [
    "h264_nvenc",
    "hevc_nvenc",
    "h264_amf",
    "hevc_amf",
    "h264_qsv",
    "hevc_qsv",
    "h264_videotoolbox",
    "hevc_videotoolbox",
];

const TITLE: &str = "ffmpeg";

/// Looks at ffmpeg, and by it at the hardware.
pub(super) async fn look(program: &Path) -> Vec<Finding> {
    let version = match said(program, &["-hide_banner", "-version"]).await {
        Ok(version) if version.starts_with("ffmpeg version") => version,
        Ok(_) => return vec![missing(program, "it is no ffmpeg")],
        Err(error) => return vec![missing(program, &error.to_string())],
    };
    let lists = async |list: &str| listed(program, list).await.unwrap_or_default();
    let (encoders, filters) = (lists("-encoders").await, lists("-filters").await);
    let mut working = Vec::new();
    for name in HARDWARE {
        if try_encoder(program, name).await == Trial::Works {
            working.push(name);
        }
    }
    vec![
        judge(&version, &encoders, &filters, &Presets::built_in()),
        hardware(&working),
    ]
}

fn missing(program: &Path, error: &str) -> Finding {
    Finding::warning(
        TITLE,
        format!(
            "{} cannot be run ({error}): no conversions, and no pictures of replays",
            program.display()
        ),
        "install ffmpeg (apt install ffmpeg, winget install ffmpeg, brew install ffmpeg), or name it with --ffmpeg",
    )
}

fn judge(version: &str, encoders: &[String], filters: &[String], presets: &Presets) -> Finding {
    let version = version.lines().next().unwrap_or_default();
    let version = version.split(" Copyright").next().unwrap_or_default();
    let lacking = |wanted: Vec<String>, there: &[String]| -> Vec<String> {
        wanted
            .into_iter()
            .filter(|it| !there.contains(it))
            .collect()
    };
    let unusable = presets.all().filter_map(|preset| {
        let mut lacking_of = lacking(preset.encoders(), encoders);
        lacking_of.extend(lacking(preset.filters(), filters));
        let named = format!("{} ({})", preset.name(), lacking_of.join(", "));
        (!lacking_of.is_empty()).then_some(named)
    });
    let unusable: Vec<String> = unusable.collect();
    match unusable.is_empty() {
        true => Finding::good(TITLE, format!("{version}, with all that the presets need")),
        false => Finding::warning(
            TITLE,
            format!("{version} cannot do these presets: {}", unusable.join(", ")),
            "install a full build of ffmpeg, and name it with --ffmpeg",
        ),
    }
}

fn hardware(working: &[&str]) -> Finding {
    let title = "hardware encoders";
    match working.is_empty() {
        false => Finding::good(title, format!("{} work here", working.join(", "))),
        true => Finding::warning(
            title,
            "none works with this ffmpeg: OBS may have to encode on the processor",
            "install the driver of the graphics card; without one, libx264 with preset=veryfast is the choice",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Good, Warning};
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// Everything that the built-in presets need.
    fn everything() -> (Vec<String>, Vec<String>) {
        let presets = Presets::built_in();
        (
            presets.all().flat_map(|it| it.encoders()).collect(),
            presets.all().flat_map(|it| it.filters()).collect(),
        )
    }

    #[test]
    fn filters_of_the_presets_are_known_by_name() {
        let presets = Presets::built_in();
        let of = |name: &str| {
            let mut presets = presets.all();
            presets.find(|it| it.name() == name).expect(name).filters()
        };
        let gif = ["fps", "scale", "split", "palettegen", "paletteuse"];
        assert_eq!(of("gif"), gif);
        assert_eq!(of("vertical"), ["crop", "scale", "setsar"]);
        assert_eq!(of("slow"), ["setpts", "atempo", "atempo"]);
        assert!(of("copy").is_empty());
    }

    #[test]
    fn what_the_presets_need_is_there_or_named() {
        let (encoders, filters) = everything();
        let presets = Presets::built_in();
        let version = "ffmpeg version 5.1.6 Copyright (c) 2000 the developers\nbuilt with gcc";
        let good = judge(version, &encoders, &filters, &presets);
        assert_eq!(good.verdict, Good);
        assert!(
            good.detail.starts_with("ffmpeg version 5.1.6, with"),
            "{good:?}"
        );

        let bare = judge(version, &owned(&["aac", "gif"]), &filters, &presets);
        assert_eq!(bare.verdict, Warning);
        assert!(bare.detail.contains("share (libx264)"), "{bare:?}");
        let without: Vec<String> = filters
            .iter()
            .filter(|it| *it != "palettegen")
            .cloned()
            .collect();
        let bare = judge(version, &encoders, &without, &presets);
        assert!(bare.detail.ends_with(": gif (palettegen)"), "{bare:?}");
    }

    #[test]
    fn hardware_works_or_not() {
        assert_eq!(hardware(&["h264_nvenc"]).verdict, Good);
        assert_eq!(hardware(&[]).verdict, Warning);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let found = look(Path::new("/nowhere/ffmpeg")).await;
        assert!(
            matches!(&found[..], [one] if one.verdict == Warning && one.detail.contains("/nowhere/ffmpeg"))
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn another_program_is_not_taken_for_it() {
        let found = look(Path::new("/bin/echo")).await;
        assert!(matches!(&found[..], [one] if one.detail.contains("it is no ffmpeg")));
    }
}
