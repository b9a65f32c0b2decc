//! Conversions by the real ffmpeg, and what is left of it when it is not wanted any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cut::assert_contiguous;
use crate::support::events::Events;
use crate::support::ffmpeg::{self, complaints, make, number, probe};
use crate::support::http::{delete, post};
use crate::support::process::output_of;
use crate::support::server::{self, Server};
use crate::support::{card, eventually, folder, text};

const SECONDS: u32 = 4;

/// A server that has recorded some seconds of the card.
fn recorded(seconds: u32, arguments: &[&str]) -> (TempDir, Server) {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, seconds);
    let server = serve(&folder, &input, arguments);
    server.wait_for_window(f64::from(seconds) - 0.5);
    (folder, server)
}

fn serve(folder: &TempDir, input: &Path, arguments: &[&str]) -> Server {
    let arguments = [&["--input", text(input)], arguments].concat();
    Server::start(folder.path(), &arguments)
}

/// Begins a conversion of all that is recorded.
fn begin(server: &Server, body: &Value) -> Value {
    let clip = server.clip(&json!({}));
    let path = format!(
        "/api/v1/clips/{}/convert",
        clip["id"].as_str().expect("an id")
    );
    let answer = server.send(&post(&path, body));
    let status = answer.status;
    let job = answer.json();
    assert_eq!(status, 202, "{body}: {job}");
    job
}

fn path_of(job: &Value) -> String {
    format!("/api/v1/jobs/{}", job["id"].as_str().expect("an id"))
}

/// Waits for the end of a job.
fn over(server: &Server, job: &Value) -> Value {
    eventually(format!("{job} is over"), || {
        let job = server.get(&path_of(job)).json();
        let runs = job["state"] == "queued" || job["state"] == "running";
        (!runs).then_some(job)
    })
}

/// Converts all that is recorded, and saves the result.
fn convert(server: &Server, folder: &TempDir, body: &Value) -> PathBuf {
    let job = over(server, &begin(server, body));
    assert_eq!(job["state"], "done", "{job}");
    let result = &job["result"];
    let bytes = server.get(result["url"].as_str().expect("a URL")).bytes();
    assert_eq!(result["bytes"], bytes.len());
    let name = result["file"].as_str().expect("a name");
    let path = folder
        .path()
        .join(format!("{}-{name}", job["id"].as_str().expect("an id")));
    fs::write(&path, bytes).expect("the test's folder takes files");
    path
}

/// What a result is, in ffprobe's words: codecs, size of the picture, seconds.
fn seen(path: &Path) -> (Vec<String>, (i64, i64), f64) {
    assert_eq!(complaints(text(path)), "", "it decodes without a word");
    let probed = probe(text(path), "-show_streams -show_format");
    let streams = probed["streams"].as_array().expect("streams");
    let codecs = streams.iter().map(|stream| {
        let codec = stream["codec_name"].as_str().expect("a known codec");
        codec.to_owned()
    });
    let size = |key: &str| streams[0][key].as_i64().unwrap_or_default();
    let duration = match &probed["format"]["duration"] {
        Value::Null => 0.0,
        duration => number(duration),
    };
    (codecs.collect(), (size("width"), size("height")), duration)
}

#[test]
fn every_preset_gives_what_it_says() {
    let (folder, server) = recorded(SECONDS, &[]);
    let whole = f64::from(SECONDS);
    let card = (card::WIDTH as i64, card::HEIGHT as i64);
    let av = |video: &'static str, sound: &'static str| vec![video, sound];
    for (body, codecs, size, seconds) in [
        (json!({"preset": "share"}), av("h264", "aac"), card, whole),
        (json!({"preset": "720p"}), av("h264", "aac"), card, whole),
        (
            json!({"preset": "vertical", "parameters": {"height": 640, "position": 1}}),
            av("h264", "aac"),
            (360, 640),
            whole,
        ),
        (
            json!({"preset": "slow"}),
            av("h264", "aac"),
            card,
            2.0 * whole,
        ),
        (
            json!({"preset": "slow", "parameters": {"speed": 0.25}}),
            av("h264", "aac"),
            card,
            4.0 * whole,
        ),
        (
            json!({"preset": "gif", "parameters": {"width": 320}}),
            vec!["gif"],
            (320, 176),
            whole,
        ),
        (
            json!({"preset": "webm", "parameters": {"quality": 50, "height": 176}}),
            av("vp9", "opus"),
            (320, 176),
            whole,
        ),
        (
            json!({"preset": "webm", "parameters": {"codec": "av1", "height": 176}}),
            av("av1", "opus"),
            (320, 176),
            whole,
        ),
        (json!({"preset": "audio"}), vec!["aac"], (0, 0), whole),
        (json!({"preset": "copy"}), av("h264", "aac"), card, whole),
        (
            json!({"preset": "copy", "parameters": {"container": "mkv"}}),
            av("h264", "flac"),
            card,
            whole,
        ),
    ] {
        let result = seen(&convert(&server, &folder, &body));
        assert_eq!(result.0, codecs, "{body}");
        assert_eq!(result.1, size, "{body}");
        assert!((result.2 - seconds).abs() < 0.25, "{body}: {} s", result.2);
    }
    for (body, codec, size) in [
        (
            json!({"preset": "still", "parameters": {"at": 1.5}}),
            "png",
            card,
        ),
        (
            json!({"preset": "still", "parameters": {"at": 0, "format": "jpg", "width": 160}}),
            "mjpeg",
            (160, 88),
        ),
        (
            json!({"preset": "sheet", "parameters": {"columns": 3, "rows": 2, "width": 160}}),
            "mjpeg",
            (3 * 160 + 4 * 4, 2 * 88 + 3 * 4),
        ),
    ] {
        let result = seen(&convert(&server, &folder, &body));
        assert_eq!(result.0, [codec], "{body}");
        assert_eq!(result.1, size, "{body}");
    }
}

/// Slow motion has its sound from begin to end, at the same pitch.
#[test]
fn slow_motion_stretches_the_sound() {
    let folder = folder();
    let input = folder.path().join("tone.ts");
    let tone = "-f lavfi -i testsrc2=s=320x176:r=30:d=4 -f lavfi -i sine=f=1000:d=4 \
                -c:v libx264 -preset ultrafast -g 15 -c:a aac -f mpegts";
    make(&[], tone, &input);
    let server = serve(&folder, &input, &[]);
    server.wait_for_window(3.5);
    let body = json!({"preset": "slow", "parameters": {"speed": 0.5}});
    let result = convert(&server, &folder, &body);
    let mut command = ffmpeg::ffmpeg();
    command.args([
        "-i",
        text(&result),
        "-map",
        "0:a",
        "-ac",
        "1",
        "-ar",
        "48000",
    ]);
    let sound = output_of(command.args(["-f", "s16le", "-"]));
    let samples = sound.as_chunks::<2>().0.iter();
    let samples: Vec<i16> = samples.map(|&bytes| i16::from_le_bytes(bytes)).collect();
    let seconds = samples.len() / 48_000;
    assert!((7..=8).contains(&seconds), "{} samples", samples.len());
    // A tone of 1000 Hz rises through nothing a thousand times a second.
    for second in samples.chunks_exact(48_000).skip(1).take(6) {
        let rises = second.windows(2).filter(|two| two[0] < 0 && two[1] >= 0);
        let hertz = rises.count();
        assert!((950..1050).contains(&hertz), "{hertz} Hz");
    }
}

/// A picture of an animated WebP is one that ffmpeg reads, if it stands for itself.
fn decodes_alone(picture: &[u8], folder: &TempDir) {
    let file = folder.path().join("picture.webp");
    let len = u32::try_from(4 + picture.len()).expect("it is small");
    let alone = [b"RIFF", &len.to_le_bytes()[..], b"WEBP", picture].concat();
    fs::write(&file, alone).expect("the test's folder takes files");
    assert_eq!(complaints(text(&file)), "");
}

/// ffmpeg cannot read animations of this kind: their frames are counted in the file itself.
#[test]
fn an_animated_webp_has_all_its_pictures() {
    let (folder, server) = recorded(SECONDS, &[]);
    let body = json!({"preset": "webp", "parameters": {"fps": 10, "width": 160}});
    let bytes = fs::read(convert(&server, &folder, &body)).expect("just written");
    assert_eq!((&bytes[..4], &bytes[8..12]), (&b"RIFF"[..], &b"WEBP"[..]));
    let length =
        |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    assert_eq!(length(4) + 8, bytes.len());
    let (mut at, mut pictures, mut millis) = (12, 0, 0);
    while at < bytes.len() {
        if &bytes[at..at + 4] == b"ANMF" {
            pictures += 1;
            millis += length(at + 8 + 12) & 0xff_ffff;
            let picture = &bytes[at + 8 + 16..at + 8 + length(at + 4)];
            decodes_alone(picture, &folder);
        }
        at += 8 + length(at + 4).next_multiple_of(2);
    }
    assert!(pictures > 1, "it moves");
    assert!(
        millis.abs_diff(SECONDS as usize * 1000) < 250,
        "{millis} ms"
    );
}

#[test]
fn a_part_is_exact_to_the_picture() {
    let (folder, server) = recorded(SECONDS, &[]);
    let all = card::counters(text(&convert(&server, &folder, &json!({"preset": "720p"}))));
    assert_eq!(all.len() as u64, u64::from(SECONDS) * card::FPS);
    assert_contiguous(&all);
    // Neither is a keyframe: those come twice a second.
    let part = json!({"preset": "720p", "in_s": 1.2, "out_s": 2.4});
    let part = card::counters(text(&convert(&server, &folder, &part)));
    assert_contiguous(&part);
    assert_eq!(part[0], all[0] + 36);
    assert!(part.len().abs_diff(36) <= 1, "{part:?}");
    let still = json!({"preset": "still", "parameters": {"at": 2.0}});
    let still = card::counters(text(&convert(&server, &folder, &still)));
    assert_eq!(still, [all[0] + 60]);
    let last = json!({"preset": "still", "parameters": {"at": 4.0}});
    let last = card::counters(text(&convert(&server, &folder, &last)));
    assert_eq!(last, [all[0] + u64::from(SECONDS) * card::FPS - 1]);
}

/// Noise is what no encoder can make small.
#[test]
fn what_has_to_fit_fits_whatever_it_is() {
    let folder = folder();
    let input = folder.path().join("noise.ts");
    let noise = "-f lavfi -i nullsrc=s=640x360:r=30:d=8,noise=alls=100:allf=t+u -f lavfi -i anoisesrc=d=8 \
                 -c:v libx264 -preset ultrafast -crf 35 -pix_fmt yuv420p -g 15 -c:a aac -f mpegts";
    make(&[], noise, &input);
    let server = serve(&folder, &input, &["--memory", "256MiB"]);
    server.wait_for_window(7.5);
    for (size, bytes) in [("100kB", 100_000), ("300kB", 300_000), ("1MB", 1_000_000)] {
        let body = json!({"preset": "share", "parameters": {"size": size}});
        let result = convert(&server, &folder, &body);
        let len = fs::metadata(&result).expect("just written").len();
        assert!(len <= bytes, "{len} of {bytes}");
        assert!(len > bytes / 4, "{len} is far less than {bytes}");
        let (codecs, _, seconds) = seen(&result);
        assert_eq!(codecs, ["h264", "aac"]);
        assert!((seconds - 8.0).abs() < 0.3, "{seconds} s");
    }
}

/// An ffmpeg that leaves its id in the folder, and the arguments that name it.
fn known_ffmpeg(folder: &TempDir) -> [String; 2] {
    let script = format!(
        "case \"$*\" in *-encoders*) ;; *) echo $$ >{}/pid;; esac\nexec ffmpeg \"$@\"",
        text(folder.path())
    );
    let program = ffmpeg::script(folder.path(), &script);
    ["--ffmpeg".to_owned(), text(&program).to_owned()]
}

/// A server that converts for much longer than a test takes, and the id of its ffmpeg.
fn converting() -> (TempDir, Server, Value, Pid) {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, 120);
    let [flag, program] = known_ffmpeg(&folder);
    let server = serve(&folder, &input, &[&flag, &program]);
    server.wait_for_window(119.0);
    let body = json!({"preset": "webm", "parameters": {"quality": 20}});
    let job = begin(&server, &body);
    eventually("it is under way", || {
        let job = server.get(&path_of(&job)).json();
        (job["progress"]["percent"].as_f64() > Some(0.0)).then_some(())
    });
    let pid = fs::read_to_string(folder.path().join("pid")).expect("it has begun");
    let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("an id");
    assert!(test_kill_process(pid).is_ok(), "it runs");
    (folder, server, job, pid)
}

fn wait_until_gone(pid: Pid) {
    eventually("ffmpeg is gone", || {
        test_kill_process(pid).is_err().then_some(())
    });
}

#[test]
fn a_cancelled_job_ends_its_ffmpeg() {
    let (_folder, server, job, pid) = converting();
    assert_eq!(server.send(&delete(&path_of(&job))).status, 200);
    wait_until_gone(pid);
    assert_eq!(over(&server, &job)["state"], "cancelled");
    eventually("what it had made is free", || {
        let memory = server.status()["memory"].take();
        (memory["held_bytes"] == 0).then_some(())
    });
}

#[test]
fn no_ffmpeg_is_left_when_the_server_stops() {
    let (_folder, mut server, _, pid) = converting();
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    wait_until_gone(pid);
}

#[test]
fn no_ffmpeg_is_left_when_the_server_crashes() {
    let (_folder, mut server, _, pid) = converting();
    server.signal(Signal::KILL);
    server.wait();
    wait_until_gone(pid);
}

#[test]
fn progress_is_told_on_the_socket() {
    let (_folder, server) = recorded(30, &[]);
    let mut events = Events::of(&server);
    let job = begin(&server, &json!({"preset": "720p"}));
    let mut percents = Vec::new();
    let end = loop {
        let event = events.next();
        if event["type"] != "job" || event["id"] != job["id"] {
            continue;
        }
        percents.extend(event["progress"]["percent"].as_f64());
        if event["result"].is_object() || event["error"].is_object() {
            break event;
        }
    };
    assert!(end["result"]["url"].is_string(), "{end}");
    assert!(percents.len() > 1 && percents.is_sorted(), "{percents:?}");
}

#[test]
fn from_the_command_line() {
    let (folder, server) = recorded(
        SECONDS,
        &["--library", "clips", "--library-name", "{name}_{n}"],
    );
    let run = |arguments: &[&str]| {
        let address = server.url("");
        let arguments = [arguments, &["--server", &address]].concat();
        let mut command = server::command(folder.path(), &arguments);
        command.output().expect("lookback starts")
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();

    let share = [
        "convert",
        "--last",
        "2s",
        "--preset",
        "share",
        "--set",
        "size=500kB",
        "-o",
        "goal.mp4",
    ];
    let first = run(&share);
    assert!(first.status.success(), "{first:?}");
    assert!(said(&first).starts_with("goal.mp4: "), "{}", said(&first));
    assert!(first.stderr.is_empty(), "no bar where there is no terminal");
    let goal = folder.path().join("goal.mp4");
    assert_eq!(seen(&goal).0, ["h264", "aac"]);
    let before = fs::read(&goal).expect("just written");
    let again = run(&share);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert_eq!(fs::read(&goal).expect("still there"), before);

    let piped = run(&["convert", "--preset", "still", "-o", "-"]);
    assert!(piped.stdout.starts_with(b"\x89PNG"), "{piped:?}");
    let wrong = run(&["convert", "--preset", "gif", "--set", "fps=1000"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("from 1 to 50"));

    let export = run(&["export", "--last", "2s", "--name", "Tor: 1/2", "--tag", "a"]);
    assert_eq!(
        said(&export).split(": ").next(),
        Some("Tor- 1-2_1.ts"),
        "{export:?}"
    );
    let export = run(&["export", "--format", "gif", "--name", "x", "--json"]);
    let job: Value = serde_json::from_str(&said(&export)).expect("JSON");
    assert_eq!(job["result"]["library"], "x_1.gif");
    let library = folder.path().join("clips");
    assert_eq!(seen(&library.join("Tor- 1-2_1.ts")).0, ["h264", "aac"]);
    assert_eq!(seen(&library.join("x_1.gif")).0, ["gif"]);
    let mut names: Vec<_> = fs::read_dir(&library)
        .expect("it was made")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "Tor- 1-2_1.ts",
            "Tor- 1-2_1.ts.json",
            "x_1.gif",
            "x_1.gif.json"
        ]
    );

    let presets = run(&["presets"]);
    assert!(said(&presets).contains("size=10MB"), "{presets:?}");
}

#[test]
fn presets_of_the_settings_file() {
    let folder = folder();
    let config = folder.path().join("lookback.toml");
    let preset = "[presets.tiny]\nabout = \"small\"\nfile = \"mp4\"\n\
        arguments = [\"-vf\", \"scale={width}:-2\", \"-an\", \"-c:v\", \"libx264\", \"-f\", \"mp4\", \
        \"-movflags\", \"+frag_keyframe+empty_moov\"]\n\
        parameters.width = { type = \"integer\", about = \"in points\", min = 32, max = 320, default = 64 }\n";
    fs::write(&config, preset).expect("the test's folder takes files");
    let input = folder.path().join("recording.ts");
    card::write(&input, SECONDS);
    let server = serve(&folder, &input, &["--config", text(&config)]);
    server.wait_for_window(3.5);
    let result = convert(
        &server,
        &folder,
        &json!({"preset": "tiny", "parameters": {"width": 128}}),
    );
    let (codecs, (width, _), _) = seen(&result);
    assert_eq!(codecs, ["h264"]);
    assert_eq!(width, 128);

    fs::write(&config, preset.replace("{width}", "{height}"))
        .expect("the test's folder takes files");
    let arguments = ["--config", text(&config), "--listen", "127.0.0.1:0"];
    let output = server::command(folder.path(), &arguments)
        .output()
        .expect("lookback starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.contains("presets.tiny") && said.contains("{height}"),
        "{said}"
    );
}

/// As Apple's players want it, and with every sound track.
#[test]
fn a_copy_of_hevc_carries_the_tag_and_all_sound() {
    let folder = folder();
    let input = folder.path().join("hevc.ts");
    let made = "-f lavfi -i testsrc2=s=320x176:r=30:d=3 -f lavfi -i sine=d=3 -f lavfi -i anoisesrc=d=3 \
                -map 0 -map 1 -map 2 -c:v libx265 -preset ultrafast -x265-params log-level=none -g 15 -c:a aac -f mpegts";
    make(&[], made, &input);
    let server = serve(&folder, &input, &[]);
    server.wait_for_window(2.5);
    let result = convert(&server, &folder, &json!({"preset": "copy"}));
    assert_eq!(seen(&result).0, ["hevc", "aac", "aac"]);
    let probed = probe(text(&result), "-show_streams");
    assert_eq!(probed["streams"][0]["codec_tag_string"], "hvc1");
}

#[test]
fn what_is_not_in_a_clip_is_not_made_of_it() {
    let folder = folder();
    let input = folder.path().join("sound.ts");
    make(&[], "-f lavfi -i sine=d=3 -c:a aac -f mpegts", &input);
    let server = serve(&folder, &input, &[]);
    server.wait_for_window(2.5);
    let clip = server.clip(&json!({}));
    let path = format!(
        "/api/v1/clips/{}/convert",
        clip["id"].as_str().expect("an id")
    );
    for preset in ["gif", "webp", "still", "sheet"] {
        let answer = server.send(&post(&path, &json!({"preset": preset})));
        assert_eq!(answer.status, 422, "{preset}");
        assert_eq!(answer.json()["code"], "bad_parameter");
    }
    for preset in ["audio", "share"] {
        let result = convert(&server, &folder, &json!({"preset": preset}));
        assert_eq!(seen(&result).0, ["aac"], "{preset}");
    }
}
