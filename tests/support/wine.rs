//! Windows programs under Wine.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The prefix's server lives as long as this: it is ended at the drop, with whatever still runs.
pub(crate) struct Wine {
    kit: PathBuf,
}

impl Wine {
    /// Uses what `cargo xtask windows` has put together.
    pub(crate) fn start() -> Self {
        let kit = env::var_os("E2E_WINDOWS_KIT").expect(
            "E2E_WINDOWS_KIT names the folder that `cargo xtask windows` makes; \
             `cargo xtask test` sets it",
        );
        Self { kit: kit.into() }
    }

    /// The program under test.
    pub(crate) fn lookback(&self) -> Command {
        self.program("lookback.exe")
    }

    pub(crate) fn ffmpeg(&self) -> Command {
        let mut command = self.program("ffmpeg.exe");
        command.args(["-hide_banner", "-nostdin", "-v", "error", "-y"]);
        command
    }

    fn program(&self, exe: &str) -> Command {
        let mut command = self.command("wine64");
        command.arg(self.kit.join(exe));
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(format!("/usr/lib/wine/{program}"));
        command
            .env("WINEPREFIX", self.kit.join("prefix"))
            .env("WINEDEBUG", "-all")
            .env_remove("DISPLAY");
        command
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // It reports failure when nothing runs any more.
        let _ = self.command("wineserver").arg("--kill").status();
    }
}
