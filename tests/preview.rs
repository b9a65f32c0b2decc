//! Previews: a small H.264 picture of what a browser cannot play, with the same pictures at the same times.

use std::fs;
use std::net::Shutdown;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::support::cut::assert_contiguous;
use crate::support::ffmpeg::{self, complaints, probe};
use crate::support::http::{get, patch, post};
use crate::support::process::output_of;
use crate::support::server::Server;
use crate::support::{card, eventually, folder, text};

const SECONDS: u32 = 9;
/// What browsers lack: HEVC whose groups of pictures refer to each other, and MPEG-2.
const HEVC: &str = "-vf scale=1280:704 -c:v libx265 -preset ultrafast -x265-params \
                    log-level=error:keyint=30:min-keyint=30:open-gop=1:bframes=4 -c:a copy";
const MPEG2: &str = "-c:v mpeg2video -q:v 3 -bf 2 -g 15 -c:a mp2 -b:a 192k";

struct Recording {
    server: Server,
    folder: TempDir,
}

impl Recording {
    fn made_by(arguments: &str) -> Self {
        let folder = folder();
        let server = Server::having_card(folder.path(), SECONDS, arguments);
        Self { server, folder }
    }

    /// All segments of a playlist, one behind the other.
    fn whole(&self, playlist: &str) -> PathBuf {
        let mut bytes = Vec::new();
        for segment in segments(&self.server, playlist) {
            bytes.extend(self.server.get(&segment).bytes());
        }
        let file = self.folder.path().join(playlist.replace('/', "-") + ".ts");
        fs::write(&file, bytes).expect("the test's folder takes files");
        file
    }
}

/// The addresses in a media playlist.
fn segments(server: &Server, playlist: &str) -> Vec<String> {
    let response = server.get(playlist);
    assert_eq!(response.status, 200, "{playlist}");
    let (_, list) = m3u8_rs::parse_media_playlist(&response.bytes()).expect("a playlist");
    let (folder, _) = playlist.rsplit_once('/').expect("a path");
    let segments = list.segments.iter();
    segments.map(|at| format!("{folder}/{}", at.uri)).collect()
}

/// When each packet of a kind of stream is shown, in order.
fn times(file: &Path, kind: &str) -> Vec<i64> {
    let probed = probe(text(file), &format!("-select_streams {kind} -show_packets"));
    let packets = probed["packets"].as_array().expect("packets");
    let mut times: Vec<i64> = packets
        .iter()
        .map(|packet| packet["pts"].as_i64().expect("a time"))
        .collect();
    times.sort_unstable();
    times
}

/// Its streams are those that every browser plays, and small.
fn assert_is_preview(file: &Path) {
    assert_eq!(complaints(text(file)), "");
    let probed = probe(text(file), "-show_streams");
    let streams = probed["streams"].as_array().expect("streams");
    let of_kind = |kind: &str| streams.iter().find(|at| at["codec_type"] == kind);
    let video = of_kind("video").expect("pictures");
    assert_eq!(video["codec_name"], "h264");
    assert_eq!(video["profile"], "Constrained Baseline");
    assert!(video["height"].as_u64() <= Some(360), "{video}");
    assert_eq!(of_kind("audio").expect("sound")["codec_name"], "aac");
}

/// Every picture is there once, at the time that it has in the recording, and AAC is there as it came.
#[test]
fn hevc_with_open_gops_is_shown_picture_by_picture() {
    let recording = Recording::made_by(HEVC);
    let [preview, all] = ["preview", "ts"].map(|kind| {
        let file = recording.whole(&format!("/hls/main/{kind}.m3u8"));
        assert_contiguous(&card::counters(text(&file)));
        file
    });
    assert_is_preview(&preview);
    assert_eq!(times(&preview, "v"), times(&all, "v"));
    // The last unit of sound may go on behind the last picture.
    let (made, was) = (times(&preview, "a"), times(&all, "a"));
    assert!(was.starts_with(&made) && was.len() - made.len() < 8);
    // Each segment is heard from its first picture on, and not from where a unit of sound begins.
    for segment in segments(&recording.server, "/hls/main/preview.m3u8")
        .iter()
        .skip(1)
    {
        let file = recording.folder.path().join("segment.ts");
        fs::write(&file, recording.server.get(segment).bytes()).expect("the folder takes files");
        let [pictures, sound] = ["v", "a"].map(|kind| times(&file, kind));
        // Pictures that refer to those before are shown in front of the keyframe.
        let key = pictures[0] + 4 * 3000;
        assert!(
            (pictures[0]..key + 1920).contains(&sound[0]),
            "{pictures:?} {sound:?}"
        );
    }
    let lists = ["preview", "ts"].map(|kind| {
        let list = recording.server.get(&format!("/hls/main/{kind}.m3u8"));
        let list = String::from_utf8(list.bytes()).expect("text");
        list.replace(&format!("\n{kind}/"), "\n")
    });
    assert_eq!(lists[0], lists[1], "the same segments");
}

/// Sound that browsers lack becomes AAC, of which no frame is missing between segments.
#[test]
fn mpeg2_is_shown_with_sound_in_one_piece() {
    let recording = Recording::made_by(MPEG2);
    let [preview, all] =
        ["preview", "ts"].map(|kind| recording.whole(&format!("/hls/main/{kind}.m3u8")));
    assert_is_preview(&preview);
    assert_eq!(times(&preview, "v"), times(&all, "v"));
    let sound = times(&preview, "a");
    for pair in sound.windows(2) {
        assert_eq!(pair[1] - pair[0], 1920, "{pair:?}");
    }
    // Each tenth of a second is as loud as it was, also where segments meet.
    let [made, was] =
        [&preview, &recording.folder.path().join("recording.ts")].map(|file| loudness(file));
    assert!(made.len().abs_diff(was.len()) <= 1 && was.iter().any(|level| *level > 1000.0));
    for (at, (made, was)) in made.iter().zip(&was).enumerate().skip(1).take(80) {
        assert!(
            (made - was).abs() < 100.0 + was / 10.0,
            "tenth {at}: {made} and {was}"
        );
    }
}

/// How loud each tenth of a second of what is heard beside the pictures is, from 0 to 32768.
fn loudness(file: &Path) -> Vec<f64> {
    let mut command = ffmpeg::ffmpeg();
    command.args([
        "-i",
        text(file),
        "-map",
        "0:a:0",
        "-ac",
        "1",
        "-ar",
        "48000",
    ]);
    // From the first picture on, wherever the sound begins.
    let start = times(file, "v")[0] as f64 / 90_000.0;
    let filter = format!("aresample=async=1,asetpts=PTS-{start}/TB,aresample=first_pts=0");
    command.args(["-copyts", "-af", &filter, "-f", "s16le", "-"]);
    let samples = output_of(&mut command);
    let (samples, _) = samples.as_chunks::<2>();
    let level = |tenth: &[[u8; 2]]| {
        let squares = tenth
            .iter()
            .map(|at| f64::from(i16::from_le_bytes(*at)).powi(2));
        (squares.sum::<f64>() / tenth.len() as f64).sqrt()
    };
    samples.chunks_exact(4800).map(level).collect()
}

/// A replay's preview has the pictures that its MP4 shows, from 0 on; also one that was trimmed, and a reel.
#[test]
fn a_replay_is_shown_from_its_first_picture_to_its_last() {
    let recording = Recording::made_by(HEVC);
    let server = &recording.server;
    let save = |name: &str| {
        let body = json!({"name": name});
        let response = server.send(&post("/api/v1/replays", &body));
        assert_eq!(response.status, 201);
        response.json()["id"].as_str().expect("an id").to_owned()
    };
    let one = save("one");
    let trim = json!({"in_s": 2.35, "out_s": 7.1});
    let trimmed = server.send(&patch(&format!("/api/v1/replays/{one}"), &trim));
    assert_eq!(trimmed.status, 200);
    let other = save("other");
    let trim = json!({"in_s": 0.5, "out_s": 1.0});
    server.send(&patch(&format!("/api/v1/replays/{other}"), &trim));
    let join = json!({"replays": [one, other]});
    let reel = server.send(&post("/api/v1/replays/join", &join)).json();
    let reel = reel["id"].as_str().expect("an id");
    for id in [one.as_str(), reel] {
        let preview = recording.whole(&format!("/replays/{id}/preview.m3u8"));
        assert_is_preview(&preview);
        let shown = card::counters(&server.url(&format!("/replays/{id}.mp4")));
        assert_eq!(card::counters(text(&preview)), shown, "{id}");
        let times = times(&preview, "v");
        assert!((900_000..903_000).contains(&times[0]), "{}", times[0]);
    }
    // One that was changed has other addresses.
    let playlist = format!("/replays/{one}/preview.m3u8");
    let before = segments(server, &playlist);
    let trim = json!({"in_s": 3.0});
    server.send(&patch(&format!("/api/v1/replays/{one}"), &trim));
    let response = server.get(&before[0]);
    assert_eq!(response.status, 410);
    assert_eq!(response.json()["code"], "replay_changed");
    assert_ne!(segments(server, &playlist)[0], before[0]);
}

/// A slide that stands for longer than a piece of the preview lasts is in each of them.
#[test]
fn a_picture_that_stands_is_in_each_piece() {
    let recording = Recording::made_by(
        "-vf select='not(mod(n,150))' -fps_mode passthrough -c:v mpeg2video -q:v 3 -g 1 -c:a copy",
    );
    let server = &recording.server;
    let kept = server.send(&post("/api/v1/replays", &json!({})));
    let id = kept.json()["id"].as_str().expect("an id").to_owned();
    let playlist = format!("/replays/{id}/preview.m3u8");
    let mut seen = Vec::new();
    for segment in segments(server, &playlist) {
        let response = server.get(&segment);
        assert_eq!(response.status, 200, "{segment}");
        let file = recording.folder.path().join("segment.ts");
        fs::write(&file, response.bytes()).expect("the test's folder takes files");
        seen.push(card::counters(text(&file)));
    }
    seen.dedup();
    assert_eq!(seen, [[0], [150]]);
}

/// What was made is kept for a while; what nobody waits for any more is not made.
#[test]
fn ffmpeg_runs_only_while_somebody_waits() {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, SECONDS);
    let place = text(folder.path());
    // It has all encoders, and is never done with anything unless it may.
    let script = format!(
        "case \"$*\" in *-encoders*) exec ffmpeg \"$@\";; esac\necho $$ >>{place}/pids\n\
         test -e {place}/go && exec ffmpeg \"$@\"\nexec sleep 1000"
    );
    let program = ffmpeg::script(folder.path(), &script);
    let server = Server::having_read(folder.path(), &input, &["--ffmpeg", text(&program)]);
    let pids = || -> Vec<Pid> {
        let pids = fs::read_to_string(folder.path().join("pids")).unwrap_or_default();
        let pids = pids.lines().map(|pid| pid.parse().expect("a number"));
        pids.map(|pid| Pid::from_raw(pid).expect("an id")).collect()
    };
    let segments = segments(&server, "/hls/main/preview.m3u8");
    let [first, second] = [0, 1].map(|at: usize| server.begin(&get(&segments[at])));
    let pid = eventually("one of them is made", || pids().first().copied());
    assert!(test_kill_process(pid).is_ok(), "it runs");
    for waiting in [first, second] {
        waiting.shutdown(Shutdown::Both).expect("it is connected");
    }
    eventually("nobody waits, and nothing runs", || {
        let runs = |pid: &Pid| test_kill_process(*pid).is_ok();
        (!pids().iter().any(runs)).then_some(())
    });
    let begun = pids().len();
    fs::write(folder.path().join("go"), "").expect("the test's folder takes files");
    let made = server.get(&segments[2]).bytes();
    assert_eq!(pids().len(), begun + 1);
    assert!(server.get(&segments[2]).bytes() == made && !made.is_empty());
    assert_eq!(pids().len(), begun + 1, "it was kept");
}

/// Without ffmpeg, or with one that lacks the encoder, the answer says so before anything is asked for.
#[test]
fn what_is_missing_is_said() {
    let folder = folder();
    let input = folder.path().join("recording.ts");
    card::write(&input, SECONDS);
    let without = ffmpeg::script(folder.path(), "echo ' A....D aac  AAC'");
    for (program, status, code) in [
        ("no-such-ffmpeg", 503, "no_ffmpeg"),
        (text(&without), 422, "no_encoder"),
    ] {
        let server = Server::having_read(folder.path(), &input, &["--ffmpeg", program]);
        let response = server.get("/hls/main/preview.m3u8");
        assert_eq!(response.status, status, "{program}");
        assert_eq!(response.json()["code"], code);
    }
}
