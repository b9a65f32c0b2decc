//! Firefox, driven over WebDriver BiDi, which it speaks by itself.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::actions;
use super::process::Process;
use super::remote::Remote;
use super::window::{Place, Window, decoded};
use super::{eventually, folder, text};

pub(crate) struct Firefox {
    remote: Remote,
    /// The tab.
    context: String,
    complaints: RefCell<Vec<String>>,
    _process: Process,
    folder: TempDir,
}

impl Firefox {
    /// Does something with the tab.
    #[track_caller]
    fn command(&self, method: &str, mut parameters: Value) -> Value {
        parameters["context"] = self.context.as_str().into();
        self.ask(method, parameters)
    }

    #[track_caller]
    fn ask(&self, method: &str, parameters: Value) -> Value {
        let id = self.remote.send(method, parameters, None);
        self.remote.answer(id, |event| {
            self.complaints.borrow_mut().extend(complaint(&event));
        })
    }

    /// What a mouse or a keyboard does, one thing after the other.
    fn act(&self, source: &str, actions: Vec<Value>) {
        let source = json!({"type": source, "id": source, "actions": actions});
        self.command("input.performActions", json!({"actions": [source]}));
    }
}

impl Window for Firefox {
    fn open(url: &str, (width, height): (u32, u32)) -> Self {
        let folder = folder();
        let profile = profile(folder.path());
        let mut command = Command::new("firefox-esr");
        command
            .args(["--headless", "--no-remote", "--remote-debugging-port=0"])
            .args(["--profile", text(&profile)])
            .env("HOME", folder.path());
        let process = Process::start("firefox", folder.path(), &mut command);
        let address = eventually("firefox tells where it listens", || {
            let told = process.log();
            let (_, told) = told.split_once("WebDriver BiDi listening on ws://")?;
            Some(told.split_once('\n')?.0.to_owned())
        });
        let mut firefox = Self {
            remote: Remote::connect(&address, "/session"),
            context: String::new(),
            complaints: RefCell::default(),
            _process: process,
            folder,
        };
        firefox.ask("session.new", json!({"capabilities": {}}));
        firefox.ask("session.subscribe", json!({"events": ["log.entryAdded"]}));
        let tabs = firefox.ask("browsingContext.getTree", json!({}));
        let context = tabs["contexts"][0]["context"].as_str();
        context.expect("a tab").clone_into(&mut firefox.context);
        firefox.resize(width, height);
        firefox.visit(url);
        firefox
    }

    fn visit(&self, url: &str) {
        // What differs behind the # alone would not load anything.
        for url in ["about:blank", url] {
            let place = json!({"url": url, "wait": "complete"});
            self.command("browsingContext.navigate", place);
        }
    }

    fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height});
        let size = json!({"viewport": size, "devicePixelRatio": 1});
        self.command("browsingContext.setViewport", size);
    }

    fn eval(&self, expression: &str) -> Value {
        let what = json!({
            "expression": format!("(async () => JSON.stringify(await ({expression})))()"),
            "target": {"context": self.context},
            "awaitPromise": true,
        });
        let answer = self.ask("script.evaluate", what);
        let failed = &answer["exceptionDetails"];
        assert!(failed.is_null(), "{expression}: {failed}");
        let json = answer["result"]["value"].as_str();
        json.map_or(Value::Null, |json| {
            serde_json::from_str(json).expect("JSON")
        })
    }

    fn carry(&self, places: &[Place]) {
        let places = places.iter().copied();
        self.act("pointer", actions::carry(places));
    }

    fn press(&self, key: &str) {
        self.insert(actions::character(key));
    }

    fn insert(&self, text: &str) {
        self.act("key", actions::write(text));
    }

    fn png(&self) -> Vec<u8> {
        let answer = self.command("browsingContext.captureScreenshot", json!({}));
        decoded(answer["data"].as_str().expect("a picture"))
    }

    fn downloads(&self) -> PathBuf {
        downloads(self.folder.path())
    }

    fn complaints(&self) -> Vec<String> {
        self.eval("0");
        self.complaints.take()
    }
}

/// What an event has to complain of.
fn complaint(event: &Value) -> Option<String> {
    let entry = &event["params"];
    let is_error = event["method"] == "log.entryAdded" && entry["level"] == "error";
    is_error.then(|| entry.to_string())
}

fn downloads(folder: &Path) -> PathBuf {
    folder.join("downloads")
}

/// A profile for which there is nothing beyond this machine.
fn profile(folder: &Path) -> PathBuf {
    let profile = folder.join("firefox");
    let mut settings = String::new();
    let mut set = |name: &str, value: Value| {
        settings += &format!("user_pref({}, {value});\n", json!(name));
    };
    // All else goes to where nobody listens.
    set("network.proxy.type", json!(1));
    for kind in ["http", "ssl"] {
        set(&format!("network.proxy.{kind}"), json!("127.0.0.1"));
        set(&format!("network.proxy.{kind}_port"), json!(9));
    }
    set("network.proxy.allow_hijacking_localhost", json!(false));
    set("app.update.disabledForTesting", json!(true));
    set("datareporting.policy.dataSubmissionEnabled", json!(false));
    set("browser.aboutwelcome.enabled", json!(false));
    set("browser.startup.page", json!(0));
    set("browser.shell.checkDefaultBrowser", json!(false));
    // Pictures and sound begin by themselves, and nobody hears them.
    set("media.autoplay.default", json!(0));
    set("media.volume_scale", json!("0.0"));
    set("browser.download.folderList", json!(2));
    set("browser.download.dir", json!(text(&downloads(folder))));
    set(
        "browser.download.always_ask_before_handling_new_types",
        json!(false),
    );
    fs::create_dir(&profile).expect("the test's folder takes folders");
    fs::write(profile.join("user.js"), settings).expect("the profile takes files");
    profile
}
