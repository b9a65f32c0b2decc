//! OBS Studio on a screen of its own, driven over obs-websocket (protocol version 1 of RPC).

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use super::process::Process;
use super::screen::Screen;
use super::{DEADLINE, eventually, free_port};

/// The only scene.
const SCENE: &str = "Scene";

/// The size OBS draws and records in.
pub(crate) const WIDTH: usize = 640;
pub(crate) const HEIGHT: usize = 360;

/// Pictures from one keyframe to the next in what it records.
pub(crate) const GOP: usize = 15;

pub(crate) struct Obs {
    socket: WebSocket<TcpStream>,
    requests: u64,
    // Ended in this order: OBS before the bus and the screen it is connected to.
    _process: Process,
    _bus: Process,
    _screen: Screen,
    folder: TempDir,
}

impl Obs {
    /// Starts OBS so that it records into `url`: a FIFO's path or anything else FFmpeg opens.
    /// `muxer` is the container's name, as the user chooses it in the settings.
    pub(crate) fn recording_to(url: &str, muxer: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("obs-")
            .tempdir()
            .expect("a folder");
        let port = free_port();
        write_settings(folder.path(), port, url, muxer);
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
            .env_remove("WAYLAND_DISPLAY");
        let process = Process::start("obs", folder.path(), &mut command);
        eventually("OBS has started", || {
            (process.output() + &process.log())
                .contains("Startup complete")
                .then_some(())
        });
        let socket = connect(port);
        let mut obs = Self {
            socket,
            requests: 0,
            _process: process,
            _bus: bus,
            _screen: screen,
            folder,
        };
        obs.identify();
        obs
    }

    /// Sends a request and gives the data of its response; a refusal fails the test.
    pub(crate) fn request(&mut self, kind: &str, data: Value) -> Value {
        self.try_request(kind, data)
            .unwrap_or_else(|refusal| panic!("OBS: {kind}: {refusal}"))
    }

    /// Adds a media source that fills the canvas. Gives the number of the scene item.
    pub(crate) fn add_media_source(&mut self, name: &str, settings: Value) -> u64 {
        let created = self.request(
            "CreateInput",
            json!({"sceneName": SCENE, "inputName": name, "inputKind": "ffmpeg_source",
                   "inputSettings": settings, "sceneItemEnabled": true}),
        );
        let item = created["sceneItemId"]
            .as_u64()
            .expect("the number of the new item");
        self.request(
            "SetSceneItemTransform",
            json!({"sceneName": SCENE, "sceneItemId": item, "sceneItemTransform": {
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

    /// What a source shows now, as 8-bit luma in the size of the canvas. `None` while it has nothing
    /// to show.
    pub(crate) fn screenshot(&mut self, source: &str) -> Option<Vec<u8>> {
        let file = self.folder.path().join("screenshot.ppm");
        // A portable pixmap is bare RGB behind a header of one line or three.
        self.try_request(
            "SaveSourceScreenshot",
            json!({"sourceName": source, "imageFormat": "ppm", "imageFilePath": file,
                   "imageWidth": WIDTH, "imageHeight": HEIGHT}),
        )
        .ok()?;
        let image = fs::read(file).expect("OBS has saved the screenshot");
        let rgb = &image[image.len() - WIDTH * HEIGHT * 3..];
        Some(rgb.chunks_exact(3).map(luma).collect())
    }

    fn try_request(&mut self, kind: &str, data: Value) -> Result<Value, String> {
        self.requests += 1;
        let id = self.requests.to_string();
        self.send(&json!({"op": 6, "d": {
            "requestType": kind, "requestId": id, "requestData": data}}));
        loop {
            let message = self.receive();
            if message["op"] != 7 || message["d"]["requestId"] != id {
                continue;
            }
            let status = &message["d"]["requestStatus"];
            return if status["result"] == true {
                Ok(message["d"]["responseData"].clone())
            } else {
                Err(status.to_string())
            };
        }
    }

    fn identify(&mut self) {
        assert_eq!(self.receive()["op"], 0, "obs-websocket says hello");
        self.send(&json!({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0}}));
        assert_eq!(self.receive()["op"], 2, "obs-websocket has accepted us");
    }

    fn send(&mut self, message: &Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .expect("obs-websocket listens");
    }

    fn receive(&mut self) -> Value {
        loop {
            let message = self.socket.read().expect("obs-websocket answers");
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).expect("obs-websocket speaks JSON");
            }
        }
    }
}

fn connect(port: u16) -> WebSocket<TcpStream> {
    let stream = eventually("obs-websocket listens", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket takes a time-out");
    let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}"), stream)
        .unwrap_or_else(|error| panic!("no WebSocket: {error}"));
    socket
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

fn write_settings(home: &Path, port: u16, url: &str, muxer: &str) {
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
         [Output]\nMode=Advanced\n\
         [AdvOut]\nRecType=FFmpeg\nFFOutputToFile=false\nFFURL={url}\nFFFormat={muxer}\n\
         FFVEncoder=libx264\nFFVEncoderId=27\nFFVBitrate=2500\nFFVGOPSize={GOP}\n\
         FFVCustom=preset=ultrafast\nFFAEncoder=aac\nFFAEncoderId=86018\nFFABitrate=128\n\
         FFIgnoreCompat=true\n"
    );
    fs::write(config.join("global.ini"), global).expect("the test's folder takes files");
    fs::write(profile.join("basic.ini"), basic).expect("the test's folder takes files");
}

/// Full-range luma by BT.709.
fn luma(rgb: &[u8]) -> u8 {
    let [red, green, blue] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
    u8::try_from((red * 54 + green * 183 + blue * 19) >> 8).expect("the weights add up to 256")
}
