//! ffmpeg and ffprobe: what makes the input, and the judge of the output.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::process::output_of;

/// ffmpeg that says nothing unless something is wrong.
pub(crate) fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-v", "error", "-y"]);
    command
}

/// Runs ffmpeg with these arguments, parted by spaces, and `output` behind them.
pub(crate) fn make(inputs: &[&Path], arguments: &str, output: &Path) {
    let mut command = ffmpeg();
    for input in inputs {
        command.arg("-i").arg(input);
    }
    output_of(command.args(arguments.split_whitespace()).arg(output));
}

/// A program that takes the place of ffmpeg: this script, below the line that says what reads it.
pub(crate) fn script(folder: &Path, script: &str) -> PathBuf {
    let program = folder.join("known-ffmpeg");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("the test's folder takes files");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("it is ours");
    program
}

/// Decodes everything in a file or URL and gives what ffmpeg has to say: nothing, if all is well.
pub(crate) fn complaints(media: &str) -> String {
    let mut command = ffmpeg();
    // Every stream, not the best of each kind.
    command.args(["-i", media, "-map", "0", "-f", "null", "-"]);
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg starts");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What ffprobe reports, as JSON.
pub(crate) fn probe(media: &str, arguments: &str) -> Value {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-of", "json"])
        .args(arguments.split_whitespace())
        .arg(media);
    serde_json::from_slice(&output_of(&mut command)).expect("ffprobe writes JSON")
}

/// A number that ffprobe writes as text.
pub(crate) fn number(value: &Value) -> f64 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("a number in quotes: {value}"));
    text.parse().unwrap_or_else(|_| panic!("a number: {text}"))
}

/// The length that a player would show.
pub(crate) fn duration(media: &str) -> f64 {
    number(&probe(media, "-show_format")["format"]["duration"])
}

/// Every picture of the first video stream in the order of showing, as 8-bit luma of this size.
pub(crate) fn pictures(media: &str, width: usize, height: usize) -> Vec<Vec<u8>> {
    let mut command = ffmpeg();
    command.args(["-i", media, "-map", "0:v:0", "-fps_mode", "passthrough"]);
    command.args([
        "-vf",
        &format!("scale={width}:{height}"),
        "-pix_fmt",
        "gray",
    ]);
    let luma = output_of(command.args(["-f", "rawvideo", "-"]));
    luma.chunks_exact(width * height)
        .map(<[u8]>::to_vec)
        .collect()
}
