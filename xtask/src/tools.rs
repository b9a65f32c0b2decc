//! The programs the checks need: found, or installed.
//!
//! Everything comes from the system's own packages, from Cargo and from PyPI. Nothing is installed
//! that is already there, and nothing without saying so.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Failure, Result, run, succeeds};
use crate::workspace::cargo;

/// Something that has to be on the machine, and the Debian package that brings it.
pub(crate) struct Tool {
    /// What it is looked up by: a program's name, or an absolute path.
    pub(crate) file: &'static str,
    pub(crate) package: &'static str,
}

const fn tool(file: &'static str, package: &'static str) -> Tool {
    Tool { file, package }
}

/// What the tests of formats and players start.
pub(crate) const MEDIA: &[Tool] = &[
    tool("ffmpeg", "ffmpeg"),
    tool("ffprobe", "ffmpeg"),
    tool("mpv", "mpv"),
    tool("chromium", "chromium"),
    // An engine of the age of older docks of OBS, and what opens a window of it: 74 MB, 20 s.
    tool("/usr/lib/qt6/bin/qml", "qml-qt6"),
    tool(
        "/usr/share/doc/qml6-module-qtwebengine",
        "qml6-module-qtwebengine",
    ),
    tool(
        "/usr/share/doc/qml6-module-qtquick-window",
        "qml6-module-qtquick-window",
    ),
    tool(
        "/usr/share/doc/qml6-module-qtqml-workerscript",
        "qml6-module-qtqml-workerscript",
    ),
    // 80 MB, 13 s.
    tool("firefox-esr", "firefox-esr"),
    // The engine of Safari, what plays H.264 and AAC in it, and a screen for it: 53 MB, 40 s.
    tool("WebKitWebDriver", "webkit2gtk-driver"),
    tool(
        "/usr/share/doc/gstreamer1.0-plugins-bad",
        "gstreamer1.0-plugins-bad",
    ),
    tool("/usr/share/doc/gstreamer1.0-libav", "gstreamer1.0-libav"),
    tool("Xvfb", "xvfb"),
];

/// OBS and a screen without a screen to run it on.
pub(crate) const OBS: &[Tool] = &[
    tool("obs", "obs-studio"),
    tool("Xvfb", "xvfb"),
    tool("/usr/share/doc/libgl1-mesa-dri", "libgl1-mesa-dri"),
    tool("dbus-daemon", "dbus"),
    // Presses keys.
    tool("xdotool", "xdotool"),
];

/// What fetches the packages that compare the OpenAPI document with the server, and runs them.
pub(crate) const PYTHON: &[Tool] = &[tool("python3", "python3"), tool("pip3", "python3-pip")];

/// A linker for Windows programs, and Wine to run them.
pub(crate) const WINDOWS: &[Tool] = &[
    tool("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64-win32"),
    tool(WINE, "wine64"),
    tool("pip3", "python3-pip"),
];

/// A compiler with the sources of its standard library.
pub(crate) const WINDOWS_STD: &[Tool] = &[
    tool(DEBIAN_RUSTC, "rustc-web"),
    tool("/usr/share/doc/rust-web-src", "rust-web-src"),
];

pub(crate) const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Debian keeps the loader out of the search path.
pub(crate) const WINE: &str = "/usr/lib/wine/wine64";

/// Installs the packages of the tools that are missing.
pub(crate) fn ensure(tools: &[&[Tool]]) -> Result {
    let mut packages: Vec<&str> = tools
        .iter()
        .flat_map(|group| group.iter())
        .filter(|tool| find(tool.file).is_none())
        .map(|tool| tool.package)
        .collect();
    packages.dedup();
    if packages.is_empty() {
        eprintln!("every program needed is there");
        return Ok(());
    }
    let packages_line = packages.join(" ");
    if find("apt-get").is_none() {
        return Err(Failure::usage(format!(
            "missing on this machine, to be installed by hand (Debian's package names): \
             {packages_line}"
        )));
    }
    eprintln!("missing, installed now with apt-get: {packages_line}");
    run(apt()?.arg("update"))?;
    run(apt()?
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&packages))
}

/// Installs one of Cargo's subcommands if it is missing.
pub(crate) fn ensure_cargo_command(name: &str, version: &str) -> Result {
    if succeeds(cargo().args([name, "--version"])) {
        return Ok(());
    }
    eprintln!("missing, installed now with cargo: cargo-{name}");
    run(cargo().args(["install", "--locked", &format!("cargo-{name}@{version}")]))
}

/// The place of a program or file, if it is there.
pub(crate) fn find(file: &str) -> Option<PathBuf> {
    if Path::new(file).is_absolute() {
        return Some(PathBuf::from(file)).filter(|path| path.exists());
    }
    env::split_paths(&env::var_os("PATH")?)
        .map(|dir| dir.join(file))
        .find(|path| path.is_file())
}

fn apt() -> Result<Command> {
    let mut command = if is_root() {
        Command::new("apt-get")
    } else if find("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    } else {
        return Err(Failure::usage(
            "installing packages needs root, and there is no sudo here",
        ));
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
