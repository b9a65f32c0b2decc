//! The engine of a dock of OBS 28 to 30, as near as a distribution's packages come to it: theirs is Chromium 103 in a frame of
//! OBS's own, this is Chromium 102 in Qt WebEngine 6.4, the one of Debian 12. It draws without a screen and a graphics card.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Process, eventually, text};
use crate::support::free_port;

const WINDOW: &str = r#"
import QtQuick
import QtWebEngine

Window {
    visible: true
    width: 300
    height: 900

    WebEngineView {
        anchors.fill: parent
        url: "about:blank"
    }
}
"#;

/// Gives the process, and where its tools are: `HOST:PORT` and a path.
pub(super) fn start(folder: &Path) -> (Process, (String, String)) {
    let window = folder.join("dock.qml");
    fs::write(&window, WINDOW).expect("the test's folder takes files");
    // It must be told a port. If that has been taken meanwhile, it takes another one.
    loop {
        let mut command = command(folder, free_port());
        let process = Process::start("dock", folder, command.arg(text(&window)));
        let address = eventually("the dock tells where its tools are", || {
            let log = process.log();
            if log.contains("Cannot start http server") {
                return Some(None);
            }
            let (_, told) = log.split_once("DevTools listening on ws://")?;
            let (url, _) = told.split_once('\n')?;
            let (address, path) = url.split_once('/')?;
            Some(Some((address.to_owned(), format!("/{path}"))))
        });
        if let Some(address) = address {
            return (process, address);
        }
    }
}

fn command(folder: &Path, port: u16) -> Command {
    let mut command = Command::new("/usr/lib/qt6/bin/qml");
    command
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("QT_QPA_PLATFORM", "offscreen")
        .env("QT_QUICK_BACKEND", "software")
        .env("QTWEBENGINE_DISABLE_SANDBOX", "1")
        .env("QTWEBENGINE_CHROMIUM_FLAGS", "--mute-audio")
        .env("QTWEBENGINE_REMOTE_DEBUGGING", format!("127.0.0.1:{port}"));
    command
}
