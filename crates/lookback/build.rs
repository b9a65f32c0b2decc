//! Builds the control page into the program, where npm is there to do so.
//!
//! `web/` is built into Cargo's own folder for this, and what comes out is written down in `page.rs` for `http/page.rs` to
//! include. Nothing that is built, and nothing of others, lies in the repository. Without npm, or where it fails,
//! `page.rs` is empty, the program has its small page instead, and Cargo shows a warning that says why.
//! `LOOKBACK_PAGE=small` asks for that, for builds without a network.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the page is made of, below `web/`.
const SOURCES: &[&str] = &[
    "index.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "src",
    "tsconfig.json",
    "vite.config.ts",
];

/// What npm calls itself: on Windows it is a script.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

fn main() {
    let variable = |name| PathBuf::from(env::var_os(name).expect("Cargo sets it"));
    let web = variable("CARGO_MANIFEST_DIR").join("../../web");
    let out = variable("OUT_DIR");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(source).display());
    }
    println!("cargo::rerun-if-env-changed=LOOKBACK_PAGE");
    let built = match env::var("LOOKBACK_PAGE").as_deref() {
        Ok("small") => Err("LOOKBACK_PAGE=small asks for it".to_owned()),
        _ => build(&web, &out.join("page")),
    };
    let (files, is_built) = match built {
        Ok(files) => (files, "yes"),
        Err(reason) => {
            println!(
                "cargo::warning=the control page is left out, a small one takes its place: {reason}"
            );
            (Vec::new(), "no")
        }
    };
    // For tests, which have to say that they were left out.
    println!("cargo::rustc-env=LOOKBACK_PAGE_IS_BUILT={is_built}");
    fs::write(out.join("page.rs"), written_down(&files)).expect("OUT_DIR can be written to");
}

/// A file of the page: its name, and where it lies plain and packed.
struct Asset {
    name: String,
    plain: PathBuf,
    packed: PathBuf,
}

fn build(web: &Path, to: &Path) -> Result<Vec<Asset>, String> {
    // Builds of other profiles may run at the same time, and share what npm installs.
    let lock = File::create(web.join(".build.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if !is_installed(web) {
        run(Command::new(NPM)
            .args(["ci", "--omit=dev"])
            .current_dir(web))?;
    }
    let vite = web.join("node_modules/vite/bin/vite.js");
    run(Command::new("node")
        .arg(vite)
        .args(["build", "--logLevel", "warn", "--emptyOutDir", "--outDir"])
        .arg(to)
        .current_dir(web))?;
    let mut assets = found(to, "")?;
    assets.extend(found(&to.join("assets"), "assets/")?);
    Ok(assets)
}

/// Whether what the lock file names is there: npm writes down what it has installed.
fn is_installed(web: &Path) -> bool {
    let changed = |path: &str| fs::metadata(web.join(path)).and_then(|file| file.modified());
    let installed = changed("node_modules/.package-lock.json");
    match (installed, changed("package-lock.json")) {
        (Ok(installed), Ok(wanted)) => installed >= wanted,
        _ => false,
    }
}

/// Runs it, and gives the end of what it says where it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program} cannot be run ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    let lines: Vec<&str> = told.lines().filter(|line| !line.is_empty()).collect();
    let end = lines[lines.len().saturating_sub(8)..].join(" | ");
    Err(format!("{program} ended with {}: {end}", output.status))
}

/// The files in a folder that have a packed one beside them.
fn found(folder: &Path, prefix: &str) -> Result<Vec<Asset>, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut assets: Vec<Asset> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let packed = entry.path();
            let plain = packed.with_extension("");
            let is_packed = packed.extension().is_some_and(|ending| ending == "gz");
            let name = format!("{prefix}{}", plain.file_name()?.to_str()?);
            is_packed.then_some(Asset {
                name,
                plain,
                packed,
            })
        })
        .collect();
    assets.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(assets)
}

/// The files as Rust.
fn written_down(assets: &[Asset]) -> String {
    let mut text = "static FILES: &[File] = &[\n".to_owned();
    for Asset {
        name,
        plain,
        packed,
    } in assets
    {
        let mut hasher = DefaultHasher::new();
        fs::read(plain)
            .expect("it was just built")
            .hash(&mut hasher);
        let tag = hasher.finish();
        writeln!(
            text,
            "File {{ name: {name:?}, tag: \"{tag:016x}\", plain: include_bytes!({plain:?}), packed: include_bytes!({packed:?}) }},"
        )
        .expect("a String takes any text");
    }
    text + "];\n"
}
