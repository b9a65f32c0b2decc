//! `lookback obs setup`, `status` and `undo`, with OBSes as users have them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::obs::{HEIGHT, Obs, User, WIDTH, lookback_obs, refusal};
use crate::support::server::Server;
use crate::support::{card, eventually, folder, free_port, text};

/// From an OBS that was never started before to a replay on the program, by one command; and by the same
/// command again to nothing at all.
#[test]
fn one_command_leads_to_a_replay_on_the_program() {
    let stage = Stage::new();
    let mut obs = User::new(Some("geheim")).start();
    obs.add_looping_file("card", &stage.path("card.ts"));
    obs.counter("card");
    let password = stage.path("password");
    fs::write(&password, "geheim\n").expect("the test's folder takes files");
    let with_password = ["--password-file", text(&password)];
    let setup = [&["setup"][..], &with_password].concat();

    let said = obs.lookback_says(&stage.server, &setup);
    assert!(
        said.contains(&format!("{WIDTH}x{HEIGHT}, 30 fps")),
        "{said}"
    );
    assert!(!said.contains("geheim"), "{said}");
    let channel = stage.server.wait_for_window(2.0);
    let format = (&channel["video"]["width"], &channel["video"]["height"]);
    assert_eq!(format, (&WIDTH.into(), &HEIGHT.into()));
    assert_eq!(channel["audio"].as_array().map(Vec::len), Some(6));
    let status = [&["status", "--json"][..], &with_password].concat();
    let status: Value =
        serde_json::from_str(&obs.lookback_says(&stage.server, &status)).expect("JSON");
    assert_eq!(status["set_up"], true);
    assert_eq!(status["problems"], json!([]));

    // A keyframe every half second, and no picture out of order.
    let clip = stage.path("clip.ts");
    fs::write(&clip, stage.server.get("/video").bytes()).expect("the test's folder takes files");
    let pictures = pictures(&clip);
    assert!(pictures.len() > 50, "{}", pictures.len());
    let keys: Vec<usize> = (0..pictures.len()).filter(|&at| pictures[at].0).collect();
    assert!(
        keys.windows(2).all(|pair| pair[1] - pair[0] == 15),
        "{keys:?}"
    );
    assert!(
        pictures.windows(2).all(|pair| pair[0].1 < pair[1].1),
        "{pictures:?}"
    );

    let before = obs.request(
        "GetProfileParameter",
        json!({"parameterCategory": "lookback", "parameterName": "Journal"}),
    );
    let received = stage.server.received();
    let again = obs.lookback_says(&stage.server, &setup);
    assert!(again.contains("nothing to do"), "{again}");
    assert_eq!(stage.server.channel()["runs"], 1, "the recording went on");
    assert!(stage.server.received() > received);
    let after = obs.request(
        "GetProfileParameter",
        json!({"parameterCategory": "lookback", "parameterName": "Journal"}),
    );
    assert_eq!(before, after);

    let newest = obs.counter("card");
    let load = json!({"channel": "main", "last": "2s", "play": true});
    let loaded = stage.server.send(&crate::support::http::post(
        "/api/v1/decks/main/load",
        &load,
    ));
    assert_eq!(loaded.status, 200);
    obs.request("SetCurrentProgramScene", json!({"sceneName": "Replay"}));
    // The scene is the program's: what it shows is on air.
    let shown = obs.counter("Replay");
    assert!(shown < newest, "{shown} was on before {newest}");
}

/// After a set-up and its undoing OBS leaves the very files that it leaves without.
#[test]
fn undoing_leaves_no_trace() {
    let stage = Stage::new();
    let user = lived_in();
    let untouched = {
        // What OBS saves is also a matter of how often it did; it does after each change.
        let mut obs = user.twin().start();
        obs.request("CreateScene", json!({"sceneName": "Short-lived"}));
        obs.wait_until_saved("Short-lived");
        obs.request("RemoveScene", json!({"sceneName": "Short-lived"}));
        obs.quit().files()
    };
    let mut obs = user.start();
    obs.lookback_says(&stage.server, &["setup"]);
    obs.request("SetCurrentProgramScene", json!({"sceneName": "Replay"}));
    let said = obs.lookback_says(&stage.server, &["undo"]);
    assert!(said.contains("OBS is as it was\n"), "{said}");
    assert!(!obs.is_recording());
    let nothing = obs.lookback_says(&stage.server, &["undo"]);
    assert!(nothing.contains("nothing to undo"), "{nothing}");
    same(&untouched, &obs.quit().files());
}

/// What the user has made is neither changed nor stopped, and what is in the way is named.
#[test]
fn what_is_the_users_is_left_alone() {
    let stage = Stage::new();
    let mut obs = User::new(None).start();
    obs.request("CreateProfile", json!({"profileName": "mine"}));
    obs.request("CreateScene", json!({"sceneName": "My scene"}));
    let refuses = |obs: &Obs, arguments: &[&str], words: &[&str]| {
        let (code, said) = obs.lookback_refuses(&stage.server, arguments);
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert_eq!(code, 2, "{said}");
    };
    refuses(&obs, &["setup", "--profile", "mine"], &["--profile"]);
    refuses(&obs, &["setup", "--profile", "Test"], &["--profile"]);
    refuses(&obs, &["setup", "--scene", "My scene"], &["--scene"]);
    refuses(&obs, &["undo", "--profile", "mine"], &["--profile"]);

    // It records, into a file.
    obs.request(
        "SetProfileParameter",
        json!({"parameterCategory": "SimpleOutput", "parameterName": "FilePath",
               "parameterValue": stage.folder.path()}),
    );
    obs.add_looping_file("card", &stage.path("card.ts"));
    obs.start_recording();
    refuses(&obs, &["setup"], &["the recording", "--yes"]);
    let planned = obs.lookback_says(&stage.server, &["setup", "--dry-run"]);
    assert!(
        planned.contains("stop the recording (needs --yes)"),
        "{planned}"
    );
    assert!(obs.is_recording());
    let profiles = obs.request("GetProfileList", json!({}));
    assert_eq!(
        profiles,
        json!({"currentProfileName": "mine", "profiles": ["Test", "mine"]})
    );

    let said = obs.lookback_says(&stage.server, &["setup", "--yes"]);
    assert!(said.contains("the recording ended"), "{said}");
    stage.server.wait_for_window(1.0);
    let undone = obs.lookback_says(&stage.server, &["undo"]);
    assert!(undone.contains("the recording started again"), "{undone}");
    eventually("it records as before", || obs.is_recording().then_some(()));
    assert_eq!(obs.request("GetProfileList", json!({})), profiles);
}

/// What was changed since the set-up stays, and is named; and another lookback does not take over.
#[test]
fn what_was_changed_since_stays() {
    let stage = Stage::new();
    let other = Server::start(
        stage.folder.path(),
        &[
            "--input",
            text(&stage.path("other.ts")),
            "--play-to",
            text(&stage.path("other-play.ts")),
        ],
    );
    let mut obs = User::new(None).start();
    obs.lookback_says(&stage.server, &["setup"]);
    let (code, said) = obs.lookback_refuses(&other, &["setup"]);
    assert!(code == 2 && said.contains(&stage.server.url("")), "{said}");

    obs.request(
        "SetProfileParameter",
        json!({"parameterCategory": "AdvOut", "parameterName": "FFVBitrate",
        "parameterValue": "9000"}),
    );
    obs.request(
        "CreateInput",
        json!({"sceneName": "Replay", "inputName": "mine", "inputKind": "color_source_v3",
        "inputSettings": {}, "sceneItemEnabled": true}),
    );
    let status = obs.lookback_says(&stage.server, &["status"]);
    assert!(status.contains("were changed since"), "{status}");
    let undone = obs.lookback_says(&stage.server, &["undo"]);
    assert!(
        undone.contains("except for the scene Replay") && undone.contains("the profile lookback"),
        "{undone}"
    );
    let profiles = obs.request("GetProfileList", json!({}));
    assert_eq!(
        profiles,
        json!({"currentProfileName": "Test", "profiles": ["Test", "lookback"]})
    );
    let items = obs.request("GetSceneItemList", json!({"sceneName": "Replay"}));
    assert_eq!(items["sceneItems"].as_array().map(Vec::len), Some(2));
}

/// An encoder that is not there ends in words, and the next set-up goes on from where it ended.
#[test]
fn an_encoder_that_fails_is_told_and_the_next_set_up_completes_it() {
    let stage = Stage::new();
    let mut obs = User::new(None).start();
    let (code, said) = obs.lookback_refuses(&stage.server, &["setup", "--encoder", "h264_nowhere"]);
    assert!(
        code == 1 && said.contains("h264_nowhere") && said.contains("--encoder"),
        "{said}"
    );
    let status = obs.lookback_says(&stage.server, &["status"]);
    assert!(status.contains("cut short"), "{status}");
    obs.lookback_says(&stage.server, &["setup"]);
    stage.server.wait_for_window(1.0);
    let undone = obs.lookback_says(&stage.server, &["undo"]);
    assert!(undone.contains("OBS is as it was"), "{undone}");
    let scenes = obs.request("GetSceneList", json!({}));
    assert_eq!(scenes["scenes"].as_array().map(Vec::len), Some(1));
}

/// What cannot be reached says where to look.
#[test]
fn what_is_wrong_has_its_own_words() {
    let stage = Stage::new();
    let nobody = lookback_obs(stage.folder.path(), free_port(), &stage.server, &["setup"]);
    let (code, said) = refusal(&nobody);
    assert!(
        code == 3 && said.contains("is OBS running") && said.contains("Enable WebSocket server"),
        "{said}"
    );

    let obs = User::new(Some("geheim")).start();
    let (code, said) = obs.lookback_refuses(&stage.server, &["status"]);
    assert!(code == 2 && said.contains("--password-file"), "{said}");
    let password = stage.path("password");
    fs::write(&password, "falsch\n").expect("the test's folder takes files");
    let (code, said) = obs.lookback_refuses(
        &stage.server,
        &["status", "--password-file", text(&password)],
    );
    assert!(
        code == 2 && said.contains("does not take this password"),
        "{said}"
    );
    assert!(!said.contains("falsch"), "{said}");
    fs::write(&password, "geheim\n").expect("the test's folder takes files");
    obs.lookback_says(
        &stage.server,
        &["status", "--password-file", text(&password)],
    );

    let unserved = [
        "setup",
        "--password-file",
        text(&password),
        "--server",
        "http://127.0.0.1:9",
    ];
    let (code, said) = obs.lookback_refuses(&stage.server, &unserved);
    assert!(code == 3 && said.contains("no lookback answers"), "{said}");
}

/// On a terminal the password is asked for, again where it is wrong, and never told.
#[test]
fn a_terminal_is_asked_for_the_password() {
    let stage = Stage::new();
    let obs = User::new(Some("geheim")).start();
    let (code, said) = obs.lookback_on_a_terminal(&stage.server, "status", "falsch\ngeheim\n");
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("Password of OBS").count(), 2, "{said}");
    assert!(said.contains("profile Test"), "{said}");
    assert!(
        !said.contains("geheim") && !said.contains("falsch"),
        "{said}"
    );
}

/// An OBS that has been in use: two profiles, scenes, sources, and everything saved once.
fn lived_in() -> User {
    let mut obs = User::new(None).start();
    obs.request(
        "SetProfileParameter",
        json!({"parameterCategory": "Audio", "parameterName": "SampleRate",
        "parameterValue": "44100"}),
    );
    obs.request("CreateProfile", json!({"profileName": "Second"}));
    obs.request(
        "SetProfileParameter",
        json!({"parameterCategory": "Audio", "parameterName": "SampleRate",
        "parameterValue": "44100"}),
    );
    obs.request("SetCurrentProfile", json!({"profileName": "Test"}));
    obs.request("CreateScene", json!({"sceneName": "Interview"}));
    obs.request(
        "CreateInput",
        json!({"sceneName": "Interview", "inputName": "Blue", "inputKind": "color_source_v3",
        "inputSettings": {"color": 4_294_901_760_u32}, "sceneItemEnabled": true}),
    );
    obs.wait_until_saved("Blue");
    // Twice, so that the copy that OBS keeps of what it saved before is of the same.
    let user = obs.quit();
    user.start().quit()
}

fn same(expected: &BTreeMap<PathBuf, Vec<u8>>, actual: &BTreeMap<PathBuf, Vec<u8>>) {
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(actual));
    for (path, expected) in expected {
        let actual = &actual[path];
        let differ = |at: &usize| expected.get(*at) != actual.get(*at);
        let at = (0..expected.len().max(actual.len())).find(differ);
        let around = |bytes: &[u8]| {
            let start = at.unwrap_or(0).saturating_sub(80);
            let end = (start + 200).min(bytes.len());
            String::from_utf8_lossy(&bytes[start.min(end)..end]).into_owned()
        };
        assert!(
            at.is_none(),
            "{}: {} and not {}",
            path.display(),
            around(actual),
            around(expected)
        );
    }
}

/// Of each picture whether it is a keyframe, and its time.
fn pictures(file: &std::path::Path) -> Vec<(bool, f64)> {
    let mut command = std::process::Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "packet=pts_time,flags",
        "-of",
        "csv=p=0",
    ]);
    let lines = crate::support::process::output_of(command.arg(file));
    let lines = String::from_utf8(lines).expect("it is text");
    let picture = |line: &str| {
        // Behind the two values stand those of some packets alone.
        let mut values = line.split(',');
        let time = values.next()?.parse().ok()?;
        Some((values.next()?.starts_with('K'), time))
    };
    lines.lines().filter_map(picture).collect()
}

/// A lookback that OBS can record into.
struct Stage {
    folder: TempDir,
    server: Server,
}

impl Stage {
    fn new() -> Self {
        let folder = folder();
        let [input, play] = ["obs.ts", "play.ts"].map(|name| folder.path().join(name));
        let tcp = format!("tcp://127.0.0.1:{}", free_port());
        let arguments = [
            "--input",
            text(&input),
            "--input",
            &tcp,
            "--play-to",
            text(&play),
        ];
        let server = Server::start(folder.path(), &arguments);
        let stage = Self { folder, server };
        card::write(&stage.path("card.ts"), 300);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
