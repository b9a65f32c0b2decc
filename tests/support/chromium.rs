//! Chromium with a page of the server's own in it, used as a person uses it: pointed at, clicked, typed into, and looked at.
//!
//! It is driven over its DevTools protocol: a WebSocket with numbered commands, and events in between.

use std::cell::{Cell, RefCell};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lookback_testcard::read_counter;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use super::process::Process;
use super::{DEADLINE, browser, eventually, folder};

/// The size in which pictures are read.
const READ: (usize, usize) = (320, 176);

pub(crate) struct Chromium {
    socket: RefCell<WebSocket<TcpStream>>,
    session: String,
    commands: Cell<u64>,
    complaints: RefCell<Vec<String>>,
    _process: Process,
    folder: TempDir,
}

impl Chromium {
    /// A window of this size with a page in it.
    pub(crate) fn open(url: &str, size: (u32, u32)) -> Self {
        Self::prepared(url, size, "")
    }

    /// The same in a browser that a script has changed before the page's own run.
    pub(crate) fn prepared(url: &str, (width, height): (u32, u32), script: &str) -> Self {
        let folder = folder();
        let profile = folder.path().join("chromium");
        let mut command = browser::command(folder.path(), &profile);
        let process = Process::start("chromium", folder.path(), command.arg("about:blank"));
        let address = eventually("chromium tells where its tools are", || {
            let told = fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
            let (port, path) = told.split_once('\n')?;
            Some((format!("127.0.0.1:{port}"), path.trim().to_owned()))
        });
        let stream = TcpStream::connect(&address.0).expect("it listens");
        stream
            .set_read_timeout(Some(DEADLINE))
            .expect("a socket takes a time-out");
        let (socket, _) = tungstenite::client(format!("ws://{}{}", address.0, address.1), stream)
            .unwrap_or_else(|error| panic!("no WebSocket: {error}"));
        let mut chromium = Self {
            socket: RefCell::new(socket),
            session: String::new(),
            commands: Cell::new(0),
            complaints: RefCell::default(),
            _process: process,
            folder,
        };
        let target = chromium.command("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = chromium.command("Target.attachToTarget", attach)["sessionId"].clone();
        chromium.session = session.as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            chromium.command(&format!("{domain}.enable"), json!({}));
        }
        chromium.resize(width, height);
        let before = json!({"source": script});
        chromium.command("Page.addScriptToEvaluateOnNewDocument", before);
        chromium.command("Page.navigate", json!({"url": url}));
        chromium
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", size);
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

    /// What an expression of JavaScript gives, once its promise is kept.
    #[track_caller]
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let what = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.command("Runtime.evaluate", what);
        let failed = &answer["exceptionDetails"];
        assert!(failed.is_null(), "{expression}: {failed}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&self, expression: &str) {
        let started = Instant::now();
        while self.eval(&format!("!!({expression})")) != true {
            assert!(
                started.elapsed() < DEADLINE,
                "did not happen in {DEADLINE:?}: {expression}; the page: {}; it complains of: {:?}",
                self.eval("document.body?.innerText"),
                self.complaints.borrow()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks in the middle of an element, when it is there, enabled, and nothing lies above it.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let place = self.place(selector);
        let press = |kind: &str| {
            let mut event = place.clone();
            event["type"] = kind.into();
            event["button"] = "left".into();
            event["clickCount"] = 1.into();
            self.command("Input.dispatchMouseEvent", event);
        };
        press("mousePressed");
        press("mouseReleased");
    }

    /// Presses at one place of an element, moves to another, and lets go: both in shares of its width.
    #[track_caller]
    pub(crate) fn drag(&self, selector: &str, from: f64, to: f64) {
        let mut place = self.place(selector);
        let width = self.eval(&format!(
            "document.querySelector({}).getBoundingClientRect().width",
            json!(selector)
        ));
        let (middle, width) = (place["x"].as_f64(), width.as_f64());
        let (middle, width) = (middle.expect("a place"), width.expect("a width"));
        place["button"] = "left".into();
        place["buttons"] = 1.into();
        place["clickCount"] = 1.into();
        for (kind, share) in [
            ("mousePressed", from),
            ("mouseMoved", (from + to) / 2.0),
            ("mouseMoved", to),
            ("mouseReleased", to),
        ] {
            place["type"] = kind.into();
            place["x"] = (middle + (share - 0.5) * width).into();
            self.command("Input.dispatchMouseEvent", place.clone());
        }
    }

    /// The middle of an element.
    #[track_caller]
    fn place(&self, selector: &str) -> Value {
        let script = format!(
            "(() => {{
                const element = document.querySelector({selector});
                if (!element || element.disabled) return null;
                element.scrollIntoView({{block: 'center', behavior: 'instant'}});
                const box = element.getBoundingClientRect();
                const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                const above = document.elementFromPoint(x, y);
                return element === above || element.contains(above) ? {{x, y}} : null;
            }})()",
            selector = json!(selector)
        );
        eventually(format!("{selector} can be clicked"), || {
            Some(self.eval(&script)).filter(|place| !place.is_null())
        })
    }

    /// Presses a key and lets it go, as `KeyboardEvent.key` names it.
    pub(crate) fn press(&self, key: &str) {
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

    /// Clicks into a field and writes.
    #[track_caller]
    pub(crate) fn write(&self, selector: &str, text: &str) {
        self.click(selector);
        let select = format!("document.querySelector({}).select()", json!(selector));
        self.eval(&select);
        match text {
            "" => self.press("Delete"),
            text => drop(self.command("Input.insertText", json!({"text": text}))),
        }
    }

    /// The number of the test card's picture that a video element shows; none while it shows none.
    pub(crate) fn counter(&self, selector: &str) -> Option<u64> {
        let (width, height) = READ;
        let luma = self.eval(&format!(
            "(() => {{
                const video = document.querySelector({selector});
                if (!video || video.readyState < 2) return null;
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [{width}, {height}];
                const context = canvas.getContext('2d');
                context.drawImage(video, 0, 0, {width}, {height});
                const points = context.getImageData(0, 0, {width}, {height}).data;
                let luma = '';
                for (let at = 0; at < points.length; at += 4) {{
                    luma += String.fromCharCode(Math.round(points[at] * 0.3 + points[at + 1] * 0.59 + points[at + 2] * 0.11));
                }}
                return luma;
            }})()",
            selector = json!(selector)
        ));
        let luma: Vec<u8> = luma.as_str()?.chars().map(|point| point as u8).collect();
        read_counter(&luma, width, height)
    }

    /// Where what is downloaded from now on is put.
    pub(crate) fn downloads(&self) -> PathBuf {
        let path = self.folder.path().join("downloads");
        let place = json!({"behavior": "allow", "downloadPath": path});
        self.command("Browser.setDownloadBehavior", place);
        path
    }

    /// What the page looks like, as a PNG. With `E2E_PICTURES` set to a folder it is kept there, to be looked at.
    pub(crate) fn picture(&self, name: &str) {
        let answer = self.command("Page.captureScreenshot", json!({"format": "png"}));
        let data = answer["data"].as_str().expect("a picture");
        assert!(data.len() > 10_000, "an empty picture");
        if let Some(folder) = std::env::var_os("E2E_PICTURES") {
            let path = Path::new(&folder).join(format!("{name}.png"));
            fs::write(path, decoded(data)).expect("the folder takes files");
        }
    }

    /// Errors that the page has met since this was last asked, but for answers of the server with an error: those the page
    /// shows itself.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.eval("0");
        self.complaints.take()
    }

    #[track_caller]
    fn command(&self, method: &str, parameters: Value) -> Value {
        let id = self.commands.get() + 1;
        self.commands.set(id);
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        let mut socket = self.socket.borrow_mut();
        socket
            .send(Message::text(command.to_string()))
            .expect("chromium listens");
        loop {
            let Message::Text(text) = socket.read().expect("chromium answers") else {
                continue;
            };
            let mut told: Value = serde_json::from_str(&text).expect("JSON");
            if told["id"] == id {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].take();
            }
            self.complaints.borrow_mut().extend(complaint(&told));
        }
    }
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

/// Base64 (RFC 4648), as Chromium writes it.
fn decoded(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        bits = bits << 6 | u32::from(value(byte));
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
