//! An X server that draws into memory.

use std::path::Path;
use std::process::Command;

use super::eventually;
use super::process::Process;

pub(crate) struct Screen {
    display: String,
    _server: Process,
}

impl Screen {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new("Xvfb");
        // It looks for a free display by itself and writes its number to the descriptor named.
        command.args([
            "-displayfd",
            "1",
            "-ac",
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            "1280x720x24",
        ]);
        let server = Process::start("xvfb", folder, &mut command);
        let number = eventually("Xvfb has a display", || {
            server
                .output()
                .strip_suffix('\n')
                .map(|number| number.trim().to_owned())
        });
        Self {
            display: format!(":{number}"),
            _server: server,
        }
    }

    /// The value of `DISPLAY` that leads here.
    pub(crate) fn display(&self) -> &str {
        &self.display
    }
}
