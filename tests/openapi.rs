//! The document at `/api/v1/openapi.yaml`, beside what the program answers: `openapi/check.py` holds one to the other.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::http::{self, Request};
use crate::support::process::output_of;
use crate::support::server::Server;
use crate::support::{card, eventually, folder, text};

const TOKEN: &str = "a-token-of-sixteen";
const VIEW: &str = "another-one-to-look";
const SECONDS: u32 = 6;

#[test]
fn it_says_what_is_answered() {
    let folder = folder();
    let client = Client::start(folder.path());
    status(&client);
    let (clip, replay) = clips_and_replays(&client);
    decks(&client, &replay);
    jobs(&client, &clip, &replay);
    media(&client, &clip, &replay);
    access(&client);
    problems(&client, &clip, &replay);
    client.judge(folder.path());
}

fn status(client: &Client) {
    for path in ["/healthz", "/metrics", "/", "/api/v1/status"] {
        client.get(path);
    }
    eventually("the file is recorded", || {
        let channel = client.get("/api/v1/channels")[0].take();
        let is_there = channel["window"]["duration_s"].as_f64() > Some(f64::from(SECONDS) - 0.5);
        (is_there && channel["state"] == "waiting").then_some(())
    });
    client.get("/api/v1/channels/main/timeline?after=0");
    for command in ["pause", "resume"] {
        client.post(&format!("/api/v1/channels/main/{command}"), json!({}));
    }
}

fn clips_and_replays(client: &Client) -> (String, String) {
    let clip = client.post("/api/v1/clips", json!({"channel": "main", "last": "4s"}));
    client.post("/api/v1/clips", json!({"from": "-2h", "to": "-0.5s"}));
    let save =
        json!({"last": "4s", "name": "Goal", "tags": ["a"], "locked": true, "channels": ["main"]});
    let replay = id(&client.post("/api/v1/replays", save));
    let place = format!("/api/v1/replays/{replay}");
    client.delete(&place);
    let edit = json!({"name": "First goal", "tags": [], "locked": false, "speed": 0.5, "in_s": 0.2, "out_s": 3.5,
        "poster_s": 1});
    client.send("PATCH", &place, Some(edit));
    client.get(&place);
    let copy = id(&client.post(&format!("{place}/duplicate"), json!({})));
    let halves = client.post(
        &format!("/api/v1/replays/{copy}/split"),
        json!({"at_s": 2.0}),
    );
    let reel = json!({"replays": [halves[1]["id"], halves[0]["id"]], "name": "Reel"});
    client.post("/api/v1/replays/join", reel);
    client.delete(&format!("/api/v1/replays/{copy}"));
    client.get("/api/v1/replays?name=goal&from=-1h&channel=main");
    (id(&clip), replay)
}

fn decks(client: &Client, replay: &str) {
    let tell = |command: &str, body: Value| {
        client.post(&format!("/api/v1/decks/main/{command}"), body);
    };
    let list = json!([{"replay": replay, "speed": 0.5}, {"channel": "main", "last": "1s"}]);
    tell("load", json!({"list": list, "play": false, "then": "loop"}));
    tell("load", json!({"replay": replay, "channel": "main"}));
    tell("seek", json!({"to_s": 3600}));
    tell("seek", json!({"to": "in"}));
    tell("step", json!({"frames": 2}));
    tell("speed", json!({"speed": -2}));
    tell("play", json!({}));
    tell("pause", json!({}));
    client.get("/api/v1/decks");
    tell(
        "load",
        json!({"channel": "main", "live": true, "delay": "1s"}),
    );
    tell("stop", json!({}));
    client.get("/play?last=1s");
    client.post(
        "/api/v1/obs/replay",
        json!({"last": "2s", "name": "On air"}),
    );
    client.post(
        "/api/v1/obs/replay",
        json!({"save": false, "switch": false}),
    );
}

fn jobs(client: &Client, clip: &str, replay: &str) {
    client.get("/api/v1/presets");
    let (clip, replay) = (
        format!("/api/v1/clips/{clip}"),
        format!("/api/v1/replays/{replay}"),
    );
    let share =
        json!({"preset": "share", "parameters": {"size": "25MB"}, "in_s": 0.5, "out_s": 1.5});
    let converted = client.over(&client.post(&format!("{clip}/convert"), share));
    client.get(string(&converted, "/result/url"));
    let gif = json!({"preset": "gif"});
    let stopped = client.post(&format!("{replay}/convert?channel=main"), gif);
    client.delete(&format!("/api/v1/jobs/{}", id(&stopped)));
    let export = json!({"name": "Goal", "tags": ["cup"]});
    let exported = client.over(&client.post(&format!("{clip}/export"), export.clone()));
    let taken = client.over(&client.post(&format!("{clip}/export"), export));
    assert_eq!(taken["error"]["code"], "name_taken", "{taken}");
    client.over(&client.post(&format!("{replay}/export"), json!({"format": "mp4"})));
    client.get("/api/v1/jobs");
    client.get("/api/v1/library");
    let file = string(&exported, "/result/library");
    client.post(&format!("/api/v1/library/{file}/restore"), json!({}));
}

fn media(client: &Client, clip: &str, replay: &str) {
    for path in [
        "/video?last=1s&channel=main".to_owned(),
        format!("/clips/{clip}.ts"),
        format!("/clips/{clip}.mp4"),
        format!("/clips/{clip}.jpg?at_s=1"),
        format!("/replays/{replay}.ts?channel=main"),
        format!("/replays/{replay}.mp4?rev=2"),
        format!("/replays/{replay}.jpg"),
        format!("/replays/{replay}/preview.m3u8"),
        "/thumbnails/main/-1s.jpg?width=64".to_owned(),
        "/live/main.ts".to_owned(),
        "/hls/main/index.m3u8".to_owned(),
        "/hls/main/all.m3u8?_HLS_skip=YES".to_owned(),
        "/decks/main.ts?plain=true".to_owned(),
        "/obs/lookback.lua".to_owned(),
        "/api/v1/openapi.yaml".to_owned(),
    ] {
        let status = client.send("GET", &path, None).0;
        assert_eq!(status, 200, "{path}");
    }
    let part = http::get(&format!("/clips/{clip}.ts")).header("Range", "bytes=0-9");
    client.exchange(
        client.with_token(part),
        "GET",
        &format!("/clips/{clip}.ts"),
        None,
    );
    let led = http::get("/video").header("Range", "bytes=0-");
    client.exchange(client.with_token(led), "GET", "/video", None);
}

fn access(client: &Client) {
    client.get("/api/v1/session");
    client.post("/api/v1/session", json!({"token": TOKEN}));
    client.delete("/api/v1/session");
    let links = client.get("/api/v1/links?origin=http://192.0.2.7:1688");
    assert_eq!(links["links"][0]["access"], "full", "{links}");
}

/// What is refused, each in its own way.
fn problems(client: &Client, clip: &str, replay: &str) {
    let refused = |request: Request, method: &str, path: &str, sent: Option<Value>, status: u16| {
        let answered = client.exchange(request, method, path, sent);
        assert_eq!(answered.0, status, "{method} {path}: {}", answered.1);
    };
    let (clips, none) = ("/api/v1/clips", "/api/v1/replays/none");
    refused(http::get(none), "GET", none, None, 401);
    let view = format!("Bearer {VIEW}");
    let viewer = http::post(clips, &json!({})).header("Authorization", &view);
    refused(viewer, "POST", clips, Some(json!({})), 403);
    let form = client.with_token(http::post_form(clips, "{}"));
    refused(form, "POST", clips, Some(json!({})), 415);
    let ts = format!("/clips/{clip}.ts");
    let behind = http::get(&ts).header("Range", "bytes=999999999-");
    refused(client.with_token(behind), "GET", &ts, None, 416);

    let place = format!("/api/v1/replays/{replay}");
    for (method, path, sent, status) in [
        ("GET", none, None, 404),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/api/v1/status", None, 405),
        ("POST", clips, Some(json!({"last": "soon"})), 400),
        (
            "POST",
            clips,
            Some(json!({"from": "-2h", "to": "-1h"})),
            422,
        ),
        ("PATCH", &place, Some(json!({"out_s": 3600})), 422),
        ("POST", "/api/v1/decks/main/seek", Some(json!({})), 400),
        (
            "POST",
            "/api/v1/decks/main/speed",
            Some(json!({"speed": 99})),
            422,
        ),
        ("GET", "/api/v1/events", None, 426),
    ] {
        let answered = client.send(method, path, sent);
        assert_eq!(answered.0, status, "{method} {path}: {}", answered.1);
    }
    client.post("/api/v1/channels/main/clear", json!({}));
    assert_eq!(client.send("POST", clips, Some(json!({}))).0, 503);
    client.get("/api/v1/status");
}

/// Asks, and keeps what was said.
struct Client {
    server: Server,
    exchanges: RefCell<Vec<Value>>,
}

impl Client {
    fn start(folder: &Path) -> Self {
        let input = folder.join("recording.ts");
        card::write(&input, SECONDS);
        for (name, token) in [("token", TOKEN), ("view", VIEW)] {
            fs::write(folder.join(name), token).expect("the test's folder takes files");
        }
        let arguments = [
            "--input",
            text(&input),
            "--library=clips",
            "--library-name={name}",
            "--token-file=token",
            "--view-token-file=view",
        ];
        Self {
            server: Server::start(folder, &arguments),
            exchanges: RefCell::default(),
        }
    }

    fn get(&self, path: &str) -> Value {
        self.send("GET", path, None).1
    }

    fn post(&self, path: &str, sent: Value) -> Value {
        self.send("POST", path, Some(sent)).1
    }

    fn delete(&self, path: &str) {
        self.send("DELETE", path, None);
    }

    fn send(&self, method: &str, path: &str, sent: Option<Value>) -> (u16, Value) {
        let request = match (method, &sent) {
            ("DELETE", _) => http::delete(path),
            ("PATCH", Some(sent)) => http::patch(path, sent),
            (_, Some(sent)) => http::post(path, sent),
            (_, None) => http::get(path),
        };
        self.exchange(self.with_token(request), method, path, sent)
    }

    fn with_token(&self, request: Request) -> Request {
        request.header("Authorization", &format!("Bearer {TOKEN}"))
    }

    /// Video is not read: some of it has no end.
    fn exchange(
        &self,
        request: Request,
        method: &str,
        path: &str,
        sent: Option<Value>,
    ) -> (u16, Value) {
        let response = self.server.send(&request);
        let (status, kind) = (response.status, response.header("content-type"));
        let kind = kind.map(str::to_owned);
        let answer = match kind.as_deref() {
            Some("application/json" | "application/problem+json") => response.json(),
            _ => Value::Null,
        };
        self.exchanges.borrow_mut().push(json!({
            "method": method, "path": path, "sent": sent, "status": status, "type": kind, "answer": answer,
        }));
        (status, answer)
    }

    /// Waits for the end of a job.
    fn over(&self, job: &Value) -> Value {
        let path = format!("/api/v1/jobs/{}", id(job));
        eventually(format!("{job} is over"), || {
            let job = self.get(&path);
            let runs = job["state"] == "queued" || job["state"] == "running";
            (!runs).then_some(job)
        })
    }

    /// Lets the document of the server be compared with all that it has answered.
    fn judge(&self, folder: &Path) {
        let served = self.with_token(http::get("/api/v1/openapi.yaml"));
        let served = self.server.send(&served).bytes();
        let exchanges = Value::from(self.exchanges.take()).to_string();
        let files = [
            ("openapi.yaml", served),
            ("exchanges.json", exchanges.into()),
        ];
        for (name, content) in files {
            fs::write(folder.join(name), content).expect("the test's folder takes files");
        }
        let packages = env::var_os("E2E_OPENAPI").expect(
            "E2E_OPENAPI names the folder that `cargo xtask openapi` fills; `cargo xtask test` sets it",
        );
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut check = Command::new("python3");
        check
            .current_dir(folder)
            .env("PYTHONPATH", packages)
            .arg(project.join("tests/openapi/check.py"))
            .args(["openapi.yaml", "exchanges.json"])
            .arg(project.join("docs/reference/http.md"));
        output_of(&mut check);
    }
}

fn id(thing: &Value) -> String {
    string(thing, "/id").to_owned()
}

fn string<'a>(value: &'a Value, place: &str) -> &'a str {
    let found = value.pointer(place).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{place} is a text in {value}"))
}
