//! Other programs on this machine: what they say, and which encoders of ffmpeg's work here.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may take to tell about itself, or to encode one picture.
const PATIENCE: Duration = Duration::from_secs(20);

/// How to come by ffmpeg on this system.
pub(crate) const INSTALL_FFMPEG: &str = if cfg!(windows) {
    "install it with `winget install Gyan.FFmpeg`, or name it with --ffmpeg"
} else if cfg!(target_os = "macos") {
    "install it with `brew install ffmpeg`, or name it with --ffmpeg"
} else {
    "install it with `apt install ffmpeg` or this system's like, or name it with --ffmpeg"
};

/// Why a program says nothing that could be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    #[error("{0}")]
    NotRun(#[from] std::io::Error),
    #[error("it ends with {status}")]
    Failed { status: ExitStatus, stderr: String },
    #[error("it says nothing in {} s", PATIENCE.as_secs())]
    Hung,
}

/// What a program prints before it ends well, within bounds of time.
pub(crate) async fn said(program: &Path, arguments: &[&str]) -> Result<String, Silence> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output())
        .await
        .map_err(|_| Silence::Hung)??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(Silence::Failed {
            status: output.status,
            stderr: text(&output.stderr),
        }),
    }
}

/// What ffmpeg prints when it is asked for one of its lists, such as `-encoders`: the names in it.
pub(crate) async fn listed(ffmpeg: &Path, list: &str) -> Result<Vec<String>, Silence> {
    let text = said(ffmpeg, &["-hide_banner", "-loglevel", "error", list]).await?;
    Ok(names(&text))
}

/// How an encoder did with one picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trial {
    Works,
    Fails,
    /// There is no ffmpeg here, or it was built without this encoder.
    Unknown,
}

/// Has an encoder make something of a picture. What it needs besides being listed (a driver, a card) is
/// known only then.
pub(crate) async fn try_encoder(ffmpeg: &Path, encoder: &str) -> Trial {
    let input = [
        "-hide_banner",
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        "color=s=640x360:r=30,format=nv12",
    ];
    let output = ["-frames:v", "1", "-c:v", encoder, "-f", "null", "-"];
    match said(ffmpeg, &[&input[..], &output].concat()).await {
        Ok(_) => Trial::Works,
        Err(Silence::NotRun(_)) => Trial::Unknown,
        Err(Silence::Failed { stderr, .. }) if stderr.contains("Unknown encoder") => Trial::Unknown,
        Err(Silence::Failed { .. } | Silence::Hung) => Trial::Fails,
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
    use super::*;

    #[test]
    fn names_stand_behind_flags_and_below_the_legend() {
        let encoders =
            "Encoders:\n V..... = Video\n ------\n V....D libx264   H.264\n A....D aac   AAC\n";
        assert_eq!(names(encoders), ["libx264", "aac"]);
        let filters = "Filters:\n  T.. = Timeline support\n T.C scale   V->V  Scale\n ... split  V->N  Pass\n";
        assert_eq!(names(filters), ["scale", "split"]);
        assert!(names("").is_empty());
    }

    #[tokio::test]
    async fn an_encoder_works_or_fails_or_is_not_known() {
        let ffmpeg = Path::new("ffmpeg");
        assert_eq!(try_encoder(ffmpeg, "libx264").await, Trial::Works);
        // Its container takes no such picture.
        assert_eq!(try_encoder(ffmpeg, "dvvideo").await, Trial::Fails);
        assert_eq!(try_encoder(ffmpeg, "h264_nothing").await, Trial::Unknown);
        let none = Path::new("/nowhere/ffmpeg");
        assert_eq!(try_encoder(none, "libx264").await, Trial::Unknown);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_is_heard_and_its_failure_is_told() {
        let shell = Path::new("/bin/sh");
        let yes = said(shell, &["-c", "echo yes"]).await;
        assert_eq!(yes.expect("it prints"), "yes\n");
        let no = said(shell, &["-c", "echo no >&2; exit 3"]).await;
        assert!(
            matches!(&no, Err(Silence::Failed { status, stderr }) if status.code() == Some(3) && stderr == "no\n")
        );
    }
}
