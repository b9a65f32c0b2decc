//! Chromium, driven over its DevTools protocol: a WebSocket with numbered commands, and events in between.

mod dock;
mod hands;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::hands::mouse;
use super::process::Process;
use super::remote::Remote;
use super::window::{Place, Window, decoded};
use super::{browser, eventually, ffmpeg, folder, qr, text};

pub(crate) struct Chromium {
    remote: Remote,
    session: Option<String>,
    complaints: RefCell<Vec<String>>,
    /// What is being dragged, for whoever drops it.
    dragged: RefCell<Option<Value>>,
    _process: Process,
    folder: TempDir,
}

/// Starts a program in a world that ends at a folder, and gives where its tools are: `HOST:PORT` and a path.
type Start = fn(&Path) -> (Process, (String, String));

impl Chromium {
    /// A window in a browser that a script has changed before the page's own run.
    pub(crate) fn prepared(url: &str, size: (u32, u32), script: &str) -> Self {
        Self::started(start, url, size, script)
    }

    /// A window in the engine of a dock.
    pub(crate) fn in_dock(url: &str, size: (u32, u32)) -> Self {
        Self::started(dock::start, url, size, "")
    }

    fn started(start: Start, url: &str, (width, height): (u32, u32), script: &str) -> Self {
        let folder = folder();
        let (process, (address, path)) = start(folder.path());
        let mut chromium = Self {
            remote: Remote::connect(&address, &path),
            session: None,
            complaints: RefCell::default(),
            dragged: RefCell::default(),
            _process: process,
            folder,
        };
        let target = eventually("there is a page", || {
            let targets = chromium.command("Target.getTargets", json!({}));
            let mut targets = targets["targetInfos"].as_array()?.iter();
            let page = targets.find(|target| target["type"] == "page")?;
            Some(page["targetId"].clone())
        });
        let attach = json!({"targetId": target, "flatten": true});
        let session = chromium.command("Target.attachToTarget", attach)["sessionId"].clone();
        chromium.session = Some(session.as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            chromium.command(&format!("{domain}.enable"), json!({}));
        }
        chromium.resize(width, height);
        let before = json!({"source": script});
        chromium.command("Page.addScriptToEvaluateOnNewDocument", before);
        chromium.visit(url);
        chromium
    }

    /// Whether the system that it runs on is dark.
    pub(crate) fn prefer(&self, scheme: &str) {
        // At once, so that what is looked at next is not in between.
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.command("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// What a camera that is held to the screen reads off a QR code on it.
    pub(crate) fn code(&self) -> Option<String> {
        let path = self.folder.path().join("screen.png");
        fs::write(&path, self.png()).expect("the test's folder takes files");
        let [width, height] = ["innerWidth", "innerHeight"].map(|side| {
            let points = self.eval(side).as_u64().expect("a size");
            usize::try_from(points).expect("of a screen")
        });
        let luma = ffmpeg::pictures(text(&path), width, height).remove(0);
        qr::read(width, height, |x, y| luma[y * width + x])
    }

    #[track_caller]
    fn command(&self, method: &str, parameters: Value) -> Value {
        let id = self.send(method, parameters);
        self.answer(id)
    }

    /// Several that belong together, such as the two halves of a click: nothing that the page does comes in between.
    #[track_caller]
    fn commands(&self, method: &str, all: impl IntoIterator<Item = Value>) {
        let all = all.into_iter();
        let sent: Vec<u64> = all
            .map(|parameters| self.send(method, parameters))
            .collect();
        for id in sent {
            self.answer(id);
        }
    }

    fn send(&self, method: &str, parameters: Value) -> u64 {
        self.remote
            .send(method, parameters, self.session.as_deref())
    }

    #[track_caller]
    fn answer(&self, id: u64) -> Value {
        self.remote.answer(id, |mut event| {
            if event["method"] == "Input.dragIntercepted" {
                *self.dragged.borrow_mut() = Some(event["params"]["data"].take());
            }
            self.complaints.borrow_mut().extend(complaint(&event));
        })
    }
}

impl Window for Chromium {
    fn open(url: &str, size: (u32, u32)) -> Self {
        Self::prepared(url, size, "")
    }

    fn visit(&self, url: &str) {
        // What differs behind the # alone would not load anything. Each is answered when the new page is in the old one's
        // place, which a page that reloads itself gives no sign of: what is asked of it meanwhile has no answer.
        for url in ["about:blank", url] {
            self.command("Page.navigate", json!({"url": url}));
        }
    }

    fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", size);
    }

    fn eval(&self, expression: &str) -> Value {
        let what = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.command("Runtime.evaluate", what);
        let failed = &answer["exceptionDetails"];
        assert!(failed.is_null(), "{expression}: {failed}");
        answer["result"]["value"].take()
    }

    fn carry(&self, places: &[Place]) {
        let (first, last) = (places[0], places[places.len() - 1]);
        if places.len() == 1 {
            let halves = ["mousePressed", "mouseReleased"].map(|kind| mouse(kind, first));
            return self.commands("Input.dispatchMouseEvent", halves);
        }
        self.mouse("mousePressed", first);
        for &place in &places[1..] {
            self.mouse("mouseMoved", place);
        }
        self.mouse("mouseReleased", last);
    }

    fn press(&self, key: &str) {
        // What the browser itself does by a key it does by its code.
        let (code, text) = match key {
            "Escape" => (27, ""),
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Delete" => (46, ""),
            "Home" => (36, ""),
            "End" => (35, ""),
            "ArrowLeft" => (37, ""),
            "ArrowRight" => (39, ""),
            key => (0, key),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.command("Input.dispatchKeyEvent", event);
        }
    }

    fn insert(&self, text: &str) {
        self.command("Input.insertText", json!({"text": text}));
    }

    fn png(&self) -> Vec<u8> {
        let answer = self.command("Page.captureScreenshot", json!({"format": "png"}));
        decoded(answer["data"].as_str().expect("a picture"))
    }

    fn downloads(&self) -> PathBuf {
        let path = self.folder.path().join("downloads");
        let place = json!({"behavior": "allow", "downloadPath": path});
        self.command("Browser.setDownloadBehavior", place);
        path
    }

    fn complaints(&self) -> Vec<String> {
        self.eval("0");
        self.complaints.take()
    }
}

fn start(folder: &Path) -> (Process, (String, String)) {
    let profile = folder.join("chromium");
    let mut command = browser::command(folder, &profile);
    let process = Process::start("chromium", folder, command.arg("about:blank"));
    let address = eventually("chromium tells where its tools are", || {
        let told = fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
        let (port, path) = told.split_once('\n')?;
        Some((format!("127.0.0.1:{port}"), path.trim().to_owned()))
    });
    (process, address)
}

/// What an event has to complain of.
fn complaint(event: &Value) -> Option<String> {
    let parameters = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(parameters["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if parameters["type"] == "error" => {
            Some(parameters["args"].to_string())
        }
        "Log.entryAdded" => {
            let entry = &parameters["entry"];
            let is_answer = entry["source"] == "network";
            (entry["level"] == "error" && !is_answer).then(|| entry["text"].to_string())
        }
        _ => None,
    }
}
