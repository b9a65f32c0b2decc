//! A client of obs-websocket (protocol version 1 of RPC).

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use lookback_testcard::read_counter;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tungstenite::{Message, WebSocket};

use crate::support::{DEADLINE, eventually};

pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
    requests: u64,
    screenshot: PathBuf,
}

impl Client {
    /// Connects as soon as OBS listens. Screenshots pass through the file `screenshot`, which must be
    /// this client's own.
    pub(super) fn connect(port: u16, password: Option<&str>, screenshot: PathBuf) -> Self {
        let mut client = Self {
            socket: open(port),
            requests: 0,
            screenshot,
        };
        let hello = client.receive();
        assert_eq!(hello["op"], 0, "obs-websocket says hello");
        let mut identify = json!({"rpcVersion": 1, "eventSubscriptions": 0});
        if let Some(password) = password {
            identify["authentication"] = answer(password, &hello["d"]["authentication"]).into();
        }
        client.send(&json!({"op": 1, "d": identify}));
        assert_eq!(client.receive()["op"], 2, "obs-websocket has accepted us");
        client
    }

    /// Sends a request and gives the data of its response, or why it was refused.
    pub(super) fn try_request(&mut self, kind: &str, data: &Value) -> Result<Value, String> {
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

    /// The number on the card that a source shows. `None` while it shows none.
    pub(super) fn counter(&mut self, source: &str) -> Option<u64> {
        // As small as the numbers are read safely, for the most screenshots a second.
        const WIDTH: usize = 320;
        const HEIGHT: usize = 180;
        let luma = self.screenshot(source, WIDTH, HEIGHT)?;
        read_counter(&luma, WIDTH, HEIGHT)
    }

    /// What a source shows now, as 8-bit luma. `None` while it has nothing to show.
    fn screenshot(&mut self, source: &str, width: usize, height: usize) -> Option<Vec<u8>> {
        // A portable pixmap is bare RGB behind a header of one line or three.
        let request = json!({"sourceName": source, "imageFormat": "ppm",
                             "imageFilePath": self.screenshot,
                             "imageWidth": width, "imageHeight": height});
        self.try_request("SaveSourceScreenshot", &request).ok()?;
        let image = fs::read(&self.screenshot).expect("OBS has saved the screenshot");
        let rgb = &image[image.len() - width * height * 3..];
        Some(rgb.chunks_exact(3).map(luma).collect())
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

/// What is said in place of the password.
fn answer(password: &str, asked: &Value) -> String {
    let text = |name: &str| asked[name].as_str().expect("OBS asks for the password");
    let digest = |text: String| BASE64.encode(Sha256::digest(text));
    let secret = digest(password.to_owned() + text("salt"));
    digest(secret + text("challenge"))
}

fn open(port: u16) -> WebSocket<TcpStream> {
    let stream = eventually("obs-websocket listens", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket takes a time-out");
    stream
        .set_nodelay(true)
        .expect("a socket sends without delay");
    let (socket, _) = tungstenite::client(format!("ws://127.0.0.1:{port}"), stream)
        .unwrap_or_else(|error| panic!("no WebSocket: {error}"));
    socket
}

/// Full-range luma by BT.709.
fn luma(rgb: &[u8]) -> u8 {
    let [red, green, blue] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
    u8::try_from((red * 54 + green * 183 + blue * 19) >> 8).expect("the weights add up to 256")
}
