//! ffmpeg: whether it is there and has what the presets need, and which encoders of the hardware work.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::finding::Finding;
use crate::convert::Presets;

/// How long a program may take to tell about itself, or to encode one picture.
const PATIENCE: Duration = Duration::from_secs(20);

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
        Err(error) => return vec![missing(program, &error)],
    };
    let lists = async |option: &str| {
        let list = said(program, &["-hide_banner", "-loglevel", "error", option]).await;
        names(&list.unwrap_or_default())
    };
    let (encoders, filters) = (lists("-encoders").await, lists("-filters").await);
    let mut working = Vec::new();
    for name in HARDWARE {
        if encoders.iter().any(|it| it == name) && encodes(program, name).await {
            working.push(name);
        }
    }
    vec![
        judge(&version, &encoders, &filters, &Presets::built_in()),
        hardware(&working),
    ]
}

/// What a program prints before it ends well, within bounds of time.
pub(super) async fn said(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(Ok(output)) => Err(format!("it ends with {}", output.status)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it says nothing in {} s", PATIENCE.as_secs())),
    }
}

/// Whether an encoder makes something of a picture. What it needs besides being listed (a driver, a card)
/// is known only then.
async fn encodes(program: &Path, encoder: &str) -> bool {
    let picture = "color=s=256x256:r=30:d=0.1,format=nv12";
    let input = [
        "-hide_banner",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        picture,
    ];
    let output = ["-frames:v", "1", "-c:v", encoder, "-f", "null", "-"];
    said(program, &[&input[..], &output].concat()).await.is_ok()
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

/// The names in the lists that ffmpeg prints: flags, a name, and words for people.
fn names(list: &str) -> Vec<String> {
    let lines = list.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let flags = words.next()?;
        let is_flags = flags
            .chars()
            .all(|c| c == '.' || c.is_ascii_uppercase() || c == '|');
        words.next().filter(|name| is_flags && *name != "=")
    });
    lines.map(str::to_owned).collect()
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
    fn names_stand_behind_flags_and_below_the_legend() {
        let encoders =
            "Encoders:\n V..... = Video\n ------\n V....D libx264   H.264\n A....D aac   AAC\n";
        assert_eq!(names(encoders), ["libx264", "aac"]);
        let filters = "Filters:\n  T.. = Timeline support\n T.C scale   V->V  Scale\n ... split  V->N  Pass\n";
        assert_eq!(names(filters), ["scale", "split"]);
        assert!(names("").is_empty());
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

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_is_heard_and_its_failure_is_told() {
        let shell = Path::new("/bin/sh");
        assert_eq!(
            said(shell, &["-c", "echo yes"]).await.as_deref(),
            Ok("yes\n")
        );
        assert!(
            said(shell, &["-c", "exit 3"])
                .await
                .is_err_and(|it| it.contains('3'))
        );
    }
}
