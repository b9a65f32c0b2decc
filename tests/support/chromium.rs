//! Chromium with a page of the server's own in it, used as a person uses it: pointed at, clicked, typed into, and looked at.
//!
//! It is driven over its DevTools protocol: a WebSocket with numbered commands, and events in between.

mod hands;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
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
use super::{DEADLINE, browser, eventually, ffmpeg, folder, qr, text};

/// The size in which pictures are read.
const READ: (usize, usize) = (320, 176);

pub(crate) struct Chromium {
    socket: RefCell<WebSocket<TcpStream>>,
    session: String,
    commands: Cell<u64>,
    answers: RefCell<HashMap<u64, Value>>,
    complaints: RefCell<Vec<String>>,
    /// What is being dragged, for whoever drops it.
    dragged: RefCell<Option<Value>>,
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
            answers: RefCell::default(),
            complaints: RefCell::default(),
            dragged: RefCell::default(),
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
        chromium.visit(url);
        chromium
    }

    /// Opens an address anew, the one that is shown as well: no script of the page before runs any more.
    pub(crate) fn visit(&self, url: &str) {
        // What differs behind the # alone would not load anything. Each is answered when the new page is in the old one's
        // place, which a page that reloads itself gives no sign of: what is asked of it meanwhile has no answer.
        for url in ["about:blank", url] {
            self.command("Page.navigate", json!({"url": url}));
        }
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
        let half = |kind: &str| {
            let mut event = place.clone();
            event["type"] = kind.into();
            event["button"] = "left".into();
            event["clickCount"] = 1.into();
            event
        };
        let halves = ["mousePressed", "mouseReleased"].map(half);
        self.commands("Input.dispatchMouseEvent", halves);
    }

    /// Presses at one place of an element, moves to another, and lets go: both in shares of its width.
    #[track_caller]
    pub(crate) fn drag(&self, selector: &str, from: f64, to: f64) {
        let place = |share: f64| self.inside(selector, share);
        self.carry(&[place(from), place((from + to) / 2.0), place(to)]);
    }

    /// The middle of an element, when it has stood still for a picture of the page: something above it may just go.
    #[track_caller]
    fn place(&self, selector: &str) -> Value {
        let script = format!(
            "(async () => {{
                const element = document.querySelector({selector});
                if (!element || element.disabled) return null;
                element.scrollIntoView({{block: 'center', behavior: 'instant'}});
                const where = () => {{
                    const box = element.getBoundingClientRect();
                    return [box.x + box.width / 2, box.y + box.height / 2];
                }};
                const before = where();
                for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
                const [x, y] = where();
                if (x !== before[0] || y !== before[1]) return null;
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
        self.seen(selector).map(|(counter, _)| counter)
    }

    /// The same, and when it was on: in milliseconds since the Unix epoch.
    pub(crate) fn seen(&self, selector: &str) -> Option<(u64, f64)> {
        let (width, height) = READ;
        let seen = self.eval(&format!(
            "(() => {{
                const video = document.querySelector({selector});
                if (!video || video.readyState < 2) return null;
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [{width}, {height}];
                const context = canvas.getContext('2d');
                context.drawImage(video, 0, 0, {width}, {height});
                const at = Date.now();
                const points = context.getImageData(0, 0, {width}, {height}).data;
                let luma = '';
                for (let at = 0; at < points.length; at += 4) {{
                    luma += String.fromCharCode(Math.round(points[at] * 0.3 + points[at + 1] * 0.59 + points[at + 2] * 0.11));
                }}
                return {{luma, at}};
            }})()",
            selector = json!(selector)
        ));
        let luma = seen["luma"].as_str()?.chars();
        let luma: Vec<u8> = luma.map(|point| point as u8).collect();
        Some((read_counter(&luma, width, height)?, seen["at"].as_f64()?))
    }

    /// Where what is downloaded from now on is put.
    pub(crate) fn downloads(&self) -> PathBuf {
        let path = self.folder.path().join("downloads");
        let place = json!({"behavior": "allow", "downloadPath": path});
        self.command("Browser.setDownloadBehavior", place);
        path
    }

    /// What the page looks like. With `E2E_PICTURES` set to a folder it is kept there, to be looked at.
    pub(crate) fn picture(&self, name: &str) {
        let png = self.png();
        assert!(png.len() > 7_500, "an empty picture");
        if let Some(folder) = std::env::var_os("E2E_PICTURES") {
            let path = Path::new(&folder).join(format!("{name}.png"));
            fs::write(path, png).expect("the folder takes files");
        }
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

    fn png(&self) -> Vec<u8> {
        let answer = self.command("Page.captureScreenshot", json!({"format": "png"}));
        decoded(answer["data"].as_str().expect("a picture"))
    }

    /// Errors that the page has met since this was last asked, but for answers of the server with an error: those the page
    /// shows itself.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.eval("0");
        self.complaints.take()
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
        let id = self.commands.get() + 1;
        self.commands.set(id);
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        let message = Message::text(command.to_string());
        self.socket
            .borrow_mut()
            .send(message)
            .expect("chromium listens");
        id
    }

    #[track_caller]
    fn answer(&self, id: u64) -> Value {
        loop {
            if let Some(mut told) = self.answers.borrow_mut().remove(&id) {
                assert!(told["error"].is_null(), "{}", told["error"]);
                return told["result"].take();
            }
            let message = self.socket.borrow_mut().read().expect("chromium answers");
            let Message::Text(text) = message else {
                continue;
            };
            let mut told: Value = serde_json::from_str(&text).expect("JSON");
            if let Some(id) = told["id"].as_u64() {
                self.answers.borrow_mut().insert(id, told);
                continue;
            }
            if told["method"] == "Input.dragIntercepted" {
                *self.dragged.borrow_mut() = Some(told["params"]["data"].take());
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
