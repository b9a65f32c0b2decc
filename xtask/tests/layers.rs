//! Dependencies point one way, and the core does no IO.

use std::collections::BTreeSet;
use std::process::Command;

/// What a crate of the core may stand on, besides what `thiserror` takes at compile time.
const CORE: &[(&str, &[&str])] = &[
    ("lookback-mpegts", &[]),
    ("lookback-codec", &[]),
    (
        "lookback-replay",
        &["lookback-mpegts", "lookback-codec", "bytes", "thiserror"],
    ),
    ("lookback-testcard", &["lookback-mpegts", "thiserror"]),
];

const OF_THISERROR: &[&str] = &[
    "thiserror-impl",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

#[test]
fn the_core_stands_on_nothing_that_does_io() {
    for (package, allowed) in CORE {
        let mut foreign = dependencies(package);
        assert!(
            foreign.remove(*package),
            "cargo tree lists {package} itself"
        );
        foreign.retain(|name| !allowed.contains(&name.as_str()));
        foreign.retain(|name| !OF_THISERROR.contains(&name.as_str()));
        assert!(foreign.is_empty(), "{package} depends on {foreign:?}");
    }
}

/// The names of everything that is linked into a package or compiled for it.
fn dependencies(package: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--target",
        "all",
    ]);
    let output = cargo.args(["--prefix", "none", "--format", "{p}"]).output();
    let output = output.expect("Cargo built this test, so it can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).expect("names of packages");
    lines
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}
