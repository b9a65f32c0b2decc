//! The Windows program, built and run on Linux.
//!
//! Rust's own Windows standard library and Debian's MinGW linker make the program; Wine runs it,
//! and a Windows build of ffmpeg from PyPI feeds it. They lie together in one folder, the kit, whose
//! place the end-to-end tests are told:
//!
//! ```text
//! lookback.exe            the program, from this source
//! bcryptprimitives.dll    the one function of that system library that Wine before 9 lacks
//! ffmpeg.exe              what writes and reads its named pipes
//! prefix/                 Wine's drive and registry
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Failure, Result, run};
use crate::tools::{self, WINE};
use crate::workspace::{cargo, root, target};

const TARGET: &str = "x86_64-pc-windows-gnu";

/// The newest release that has been tried here; its wheel holds ffmpeg 9.0.
const FFMPEG_WHEEL: &str = "imageio-ffmpeg==0.8.1";

/// Rust's `HashMap` draws its seed from `ProcessPrng`, which came to Wine with version 9. On a real
/// Windows the system's own library wins, since it is among the known DLLs.
const SHIM: &str = "\
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T count) {
    return SystemFunction036(bytes, (ULONG)count);
}
";

/// Installs the linker and Rust's standard library for Windows.
pub(crate) fn tools() -> Result {
    tools::ensure(&[tools::WINDOWS])?;
    let mut list = Command::new("rustup");
    list.current_dir(root())
        .args(["target", "list", "--installed"]);
    let installed = list.output().map_err(|error| {
        Failure::usage(format!(
            "the Windows build needs rustup (https://rustup.rs): {error}"
        ))
    })?;
    if String::from_utf8_lossy(&installed.stdout)
        .lines()
        .any(|line| line == TARGET)
    {
        return Ok(());
    }
    eprintln!("missing, installed now with rustup: {TARGET}");
    run(Command::new("rustup")
        .current_dir(root())
        .args(["target", "add", TARGET]))
}

/// Checks the code that only Windows compiles.
pub(crate) fn clippy() -> Result {
    run(cargo().args([
        "clippy",
        "--package",
        "lookback",
        "--bins",
        "--target",
        TARGET,
        "--",
        "-D",
        "warnings",
    ]))
}

/// Builds the program and gives its place.
fn build() -> Result<PathBuf> {
    run(cargo().args([
        "build",
        "--package",
        "lookback",
        "--bins",
        "--target",
        TARGET,
    ]))?;
    Ok(target().join(TARGET).join("debug/lookback.exe"))
}

/// Puts everything together that running the program takes, and gives the folder.
pub(crate) fn kit() -> Result<PathBuf> {
    let kit = target().join("windows-kit");
    let broken = |error: std::io::Error| Failure::check(format!("{}: {error}", kit.display()));
    fs::create_dir_all(&kit).map_err(broken)?;
    fs::copy(build()?, kit.join("lookback.exe")).map_err(broken)?;

    let shim = kit.join("bcryptprimitives.dll");
    if !shim.exists() {
        fs::write(kit.join("shim.c"), SHIM).map_err(broken)?;
        let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
        gcc.current_dir(&kit)
            .args(["-O2", "-shared", "-o"])
            .arg(&shim);
        run(gcc.args(["shim.c", "-ladvapi32"]))?;
    }
    if !kit.join("ffmpeg.exe").exists() {
        let wheel = kit.join("wheel");
        download_ffmpeg(&wheel)?;
        let exe = only_file_with(&wheel.join("imageio_ffmpeg/binaries"), "exe")?;
        fs::rename(exe, kit.join("ffmpeg.exe")).map_err(broken)?;
        fs::remove_dir_all(wheel).map_err(broken)?;
    }
    if !kit.join("prefix").exists() {
        create_prefix(&kit.join("prefix.new"))?;
        fs::rename(kit.join("prefix.new"), kit.join("prefix")).map_err(broken)?;
    }
    Ok(kit)
}

fn download_ffmpeg(into: &Path) -> Result {
    eprintln!("missing, fetched now with pip: {FFMPEG_WHEEL} for Windows");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
    ]);
    pip.args(["--platform", "win_amd64", "--dest"])
        .arg(into)
        .arg(FFMPEG_WHEEL);
    run(&mut pip)?;
    let wheel = only_file_with(into, "whl")?;
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(wheel)
        .arg(into))
}

/// A new prefix takes Wine several seconds and most of a gigabyte, so the tests share one.
fn create_prefix(prefix: &Path) -> Result {
    let with_prefix = |program: &str| {
        let mut command = Command::new(program);
        command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all");
        // .NET and the HTML engine would each be asked for in a dialogue.
        command
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=")
            .env_remove("DISPLAY");
        command
    };
    run(with_prefix(WINE).args(["wineboot", "--init"]))?;
    run(with_prefix(WINE_SERVER).arg("--wait"))
}

const WINE_SERVER: &str = "/usr/lib/wine/wineserver";

fn only_file_with(folder: &Path, extension: &str) -> Result<PathBuf> {
    let unreadable =
        |error: std::io::Error| Failure::check(format!("{}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            return Ok(path);
        }
    }
    Err(Failure::check(format!(
        "{} holds no .{extension} file",
        folder.display()
    )))
}
