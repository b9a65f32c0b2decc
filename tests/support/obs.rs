//! OBS Studio on a screen of its own, driven over obs-websocket.

mod client;
mod eye;
mod studio;
mod user;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::client::Client;
pub(crate) use self::eye::{Eye, Shown};
pub(crate) use self::user::{User, lookback_obs, refusal};
pub(crate) use self::verdict::{Expected, Verdict};
use super::process::{Process, output_of};
use super::screen::Screen;
use super::{eventually, free_port};

/// The only scene.
const SCENE: &str = "Scene";

/// The size OBS draws and records in.
pub(crate) const WIDTH: usize = 640;
pub(crate) const HEIGHT: usize = 360;

/// Pictures from one keyframe to the next in what it records.
pub(crate) const GOP: usize = 15;

/// Where Debian puts what comes with OBS.
const REPLAY_SCRIPT: &str = "/usr/share/obs/obs-plugins/frontend-tools/scripts/instant-replay.lua";

pub(crate) struct Obs {
    client: Client,
    port: u16,
    // Ended in this order: OBS before the bus and the screen it is connected to.
    process: Process,
    _bus: Process,
    screen: Screen,
    folder: TempDir,
    password: Option<String>,
}

impl Obs {
    /// Starts OBS so that it records into `url`: a FIFO's path or anything else FFmpeg opens.
    /// `muxer` is the container's name, as the user chooses it in the settings.
    pub(crate) fn recording_to(url: &str, muxer: &str) -> Self {
        Self::start(&custom_output(url, muxer), &json!({}))
    }

    /// Starts OBS, which then records nothing.
    pub(crate) fn playing() -> Self {
        Self::start("", &json!({}))
    }

    /// Starts OBS with its own way to replay: the replay buffer, which saves into `replays`, and the
    /// script that comes with OBS and shows what was saved in the media source `source`.
    pub(crate) fn with_replay_script(replays: &Path, source: &str) -> Self {
        let outputs = format!(
            "[Output]\nMode=Simple\n\
             [SimpleOutput]\nFilePath={}\nRecFormat=mkv\nRecQuality=Stream\nStreamEncoder=x264\n\
             VBitrate=2500\nUseAdvanced=true\nPreset=ultrafast\nx264Settings=keyint={GOP}\n\
             RecRB=true\nRecRBTime=4\n\
             [Hotkeys]\nReplayBuffer={{\"ReplayBuffer.Save\":[{{\"key\":\"OBS_KEY_F9\"}}]}}\n",
            replays.display()
        );
        let scripts = json!([{"path": REPLAY_SCRIPT, "settings": {"source": source}}]);
        Self::start(&outputs, &json!({"scripts-tool": scripts}))
    }

    /// Starts OBS with these scripts, each a path with the script's settings.
    pub(crate) fn with_scripts(scripts: &[(&Path, Value)]) -> Self {
        let scripts = scripts
            .iter()
            .map(|(path, settings)| json!({"path": path, "settings": settings}));
        let scripts: Vec<Value> = scripts.collect();
        Self::start("", &json!({"scripts-tool": scripts}))
    }

    /// Starts OBS with these settings of its outputs in the profile, and of its modules in the scene
    /// collection.
    fn start(outputs: &str, modules: &Value) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("obs-")
            .tempdir()
            .expect("a folder");
        let port = free_port();
        write_settings(folder.path(), port, outputs, modules);
        Self::run(folder, port, None)
    }

    /// Starts OBS with what lies in `folder`, where its obs-websocket listens on `port`.
    fn run(folder: TempDir, port: u16, password: Option<&str>) -> Self {
        let screen = Screen::start(folder.path());
        let (bus, bus_address) = start_bus(folder.path());
        let mut command = Command::new("obs");
        command
            .args([
                "--multi",
                "--disable-updater",
                "--disable-missing-files-check",
            ])
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path().join(".config"))
            .env("XDG_RUNTIME_DIR", folder.path())
            .env("DBUS_SESSION_BUS_ADDRESS", bus_address)
            .env("DISPLAY", screen.display())
            .env("QT_QPA_PLATFORM", "xcb")
            // Mesa's software renderer, wherever the test runs.
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("LD_PRELOAD", patience(folder.path()))
            .env_remove("WAYLAND_DISPLAY");
        let process = Process::start("obs", folder.path(), &mut command);
        eventually("OBS has started", || {
            (process.output() + &process.log())
                .contains("Startup complete")
                .then_some(())
        });
        Self {
            client: connect(port, folder.path(), password),
            port,
            process,
            _bus: bus,
            screen,
            folder,
            password: password.map(str::to_owned),
        }
    }

    /// Looks at a source from now on.
    pub(crate) fn watch(&self, source: &str) -> Eye {
        Eye::on(
            connect(self.port, self.folder.path(), self.password.as_deref()),
            source,
        )
    }

    /// Sends a request and gives the data of its response; a refusal fails the test.
    pub(crate) fn request(&mut self, kind: &str, data: Value) -> Value {
        self.client
            .try_request(kind, &data)
            .unwrap_or_else(|refusal| panic!("OBS: {kind}: {refusal}"))
    }

    /// Adds a media source that fills the canvas. Gives the number of the scene item.
    pub(crate) fn add_media_source(&mut self, name: &str, settings: Value) -> u64 {
        self.add_media_source_to(SCENE, name, settings)
    }

    /// The same in another scene.
    pub(crate) fn add_media_source_to(&mut self, scene: &str, name: &str, settings: Value) -> u64 {
        let created = self.request(
            "CreateInput",
            json!({"sceneName": scene, "inputName": name, "inputKind": "ffmpeg_source",
                   "inputSettings": settings, "sceneItemEnabled": true}),
        );
        let item = created["sceneItemId"]
            .as_u64()
            .expect("the number of the new item");
        self.request(
            "SetSceneItemTransform",
            json!({"sceneName": scene, "sceneItemId": item, "sceneItemTransform": {
                "boundsType": "OBS_BOUNDS_STRETCH", "boundsWidth": WIDTH, "boundsHeight": HEIGHT}}),
        );
        item
    }

    /// Adds a media source that plays a file for ever.
    pub(crate) fn add_looping_file(&mut self, name: &str, file: &Path) -> u64 {
        self.add_media_source(
            name,
            json!({"is_local_file": true, "local_file": file, "looping": true}),
        )
    }

    /// Has a hotkey pressed by its name.
    pub(crate) fn trigger(&mut self, hotkey: &str) {
        self.request("TriggerHotkeyByName", json!({"hotkeyName": hotkey}));
    }

    /// Holds a key of the keyboard down, under its name in X, until there is what it leads to.
    pub(crate) fn hold_key<T>(&self, key: &str, outcome: impl FnMut() -> Option<T>) -> T {
        let xdotool = |command| {
            let mut xdotool = Command::new("xdotool");
            let display = self.screen.display();
            output_of(xdotool.args([command, key]).env("DISPLAY", display));
        };
        xdotool("keydown");
        let outcome = eventually(format!("{key} is pressed: {}", self.log()), outcome);
        xdotool("keyup");
        outcome
    }

    /// Where obs-websocket listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.process.output() + &self.process.log()
    }

    /// What it has written down of its scenes and scripts.
    pub(crate) fn collection(&self) -> Value {
        let file = self
            .folder
            .path()
            .join(".config/obs-studio/basic/scenes/Test.json");
        let text = fs::read_to_string(file).unwrap_or_default();
        // It may be at it just now.
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) fn start_recording(&mut self) {
        self.request("StartRecord", json!({}));
        self.wait_for_recording(true);
    }

    pub(crate) fn stop_recording(&mut self) {
        self.request("StopRecord", json!({}));
        self.wait_for_recording(false);
    }

    pub(crate) fn is_recording(&mut self) -> bool {
        self.request("GetRecordStatus", json!({}))["outputActive"] == true
    }

    fn wait_for_recording(&mut self, wanted: bool) {
        let what = if wanted {
            "OBS records"
        } else {
            "OBS has stopped recording"
        };
        eventually(what, || (self.is_recording() == wanted).then_some(()));
    }

    /// The number on the card that a source shows, as soon as it shows one.
    pub(crate) fn counter(&mut self, source: &str) -> u64 {
        eventually(format!("{source} shows the card"), || {
            self.client.counter(source)
        })
    }
}

/// The settings of outputs with a Custom Output (FFmpeg).
fn custom_output(url: &str, muxer: &str) -> String {
    format!(
        "[Output]\nMode=Advanced\n\
         [AdvOut]\nRecType=FFmpeg\nFFOutputToFile=false\nFFURL={url}\nFFFormat={muxer}\n\
         FFVEncoder=libx264\nFFVEncoderId=27\nFFVBitrate=2500\nFFVGOPSize={GOP}\n\
         FFVCustom=preset=ultrafast\nFFAEncoder=aac\nFFAEncoderId=86018\nFFABitrate=128\n\
         FFIgnoreCompat=true\n"
    )
}

fn connect(port: u16, folder: &Path, password: Option<&str>) -> Client {
    static CLIENTS: AtomicU32 = AtomicU32::new(0);
    let number = CLIENTS.fetch_add(1, Ordering::Relaxed);
    Client::connect(
        port,
        password,
        folder.join(format!("screenshot-{number}.ppm")),
    )
}

/// What keeps OBS from crashing when its custom output is stopped.
fn patience(folder: &Path) -> PathBuf {
    const SOURCE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/support/obs/patience.c"
    );
    let library = folder.join("patience.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", SOURCE, "-ldl", "-o"]);
    output_of(compiler.arg(&library));
    library
}

/// A session bus of its own; OBS waits for one that does not answer.
fn start_bus(folder: &Path) -> (Process, String) {
    let mut command = Command::new("dbus-daemon");
    command.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
    command.arg(format!("--address=unix:dir={}", folder.display()));
    let bus = Process::start("dbus", folder, &mut command);
    let address = eventually("the session bus has an address", || {
        bus.output().strip_suffix('\n').map(str::to_owned)
    });
    (bus, address)
}

fn write_settings(home: &Path, port: u16, outputs: &str, modules: &Value) {
    let config = home.join(".config/obs-studio");
    let profile = config.join("basic/profiles/Test");
    fs::create_dir_all(&profile).expect("the test's folder takes folders");
    fs::create_dir_all(config.join("basic/scenes")).expect("the test's folder takes folders");
    let global = format!(
        "[General]\nFirstRun=true\nLastVersion=486539266\nEnableAutoUpdates=false\n\
         [Basic]\nProfile=Test\nProfileDir=Test\nSceneCollection=Test\nSceneCollectionFile=Test\n\
         [OBSWebSocket]\nFirstLoad=false\nServerEnabled=true\nServerPort={port}\n\
         AuthRequired=false\nAlertsEnabled=false\n"
    );
    let basic = format!(
        "[General]\nName=Test\n\
         [Video]\nBaseCX={WIDTH}\nBaseCY={HEIGHT}\nOutputCX={WIDTH}\nOutputCY={HEIGHT}\n\
         FPSType=1\nFPSInt=30\n\
         [Audio]\nSampleRate=48000\nChannelSetup=Stereo\n\
         {outputs}"
    );
    fs::write(config.join("global.ini"), global).expect("the test's folder takes files");
    let scenes = json!({"name": "Test", "current_scene": SCENE, "current_program_scene": SCENE,
                        "scene_order": [{"name": SCENE}], "modules": modules,
                        "sources": [{"id": "scene", "name": SCENE, "settings": {}}]});
    fs::write(profile.join("basic.ini"), basic).expect("the test's folder takes files");
    fs::write(config.join("basic/scenes/Test.json"), scenes.to_string())
        .expect("the test's folder takes files");
}
