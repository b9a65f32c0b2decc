//! The control page: its types and tests, where Node.js is there to check them.

use std::path::PathBuf;
use std::process::Command;

use crate::step::{Result, run};
use crate::workspace::root;

/// What Vite runs on.
const NODE: (u32, u32) = (20, 19);

/// What the tests of the page begin with.
pub(crate) const TESTS: &str = "binary_id(lookback::e2e) & test(/^page::/)";

/// Whether the page can be built here. Where it cannot, the program has its small page, and the tests of the other are left
/// out: that is said.
pub(crate) fn can_be_built() -> bool {
    let version = Command::new("node").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let (major, minor) = NODE;
    let is_new = version
        .as_deref()
        .is_ok_and(|version| parsed(version) >= Some(NODE));
    let has_npm = npm().arg("--version").output().is_ok();
    if is_new && has_npm {
        return true;
    }
    eprintln!(
        "THE CONTROL PAGE IS LEFT OUT, and so are its checks: it needs Node.js {major}.{minor} or newer \
         with npm, and there is {}",
        version.as_deref().map_or("none", str::trim)
    );
    false
}

/// Types, and unit tests.
pub(crate) fn check() -> Result {
    run(npm().args(["ci", "--no-audit", "--no-fund"]))?;
    run(npm().args(["run", "check"]))
}

fn npm() -> Command {
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.current_dir(web());
    npm
}

fn web() -> PathBuf {
    root().join("web")
}

/// `v20.19.1` as its first two numbers.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix('v')?.split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parsed("v20.19.0\n") >= Some(NODE));
        assert!(parsed("v100.1.0") >= Some(NODE));
        assert!(parsed("v20.9.9") < Some(NODE));
        assert!(parsed("v18.20.4") < Some(NODE));
        for nonsense in ["", "20.19.0", "v20", "vx.y"] {
            assert_eq!(parsed(nonsense), None, "{nonsense}");
        }
    }
}
