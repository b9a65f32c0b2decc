//! HLS: what players make of the playlists, and that segments are what they are said to be.

#[path = "hls/in_chromium.rs"]
mod in_chromium;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use m3u8_rs::{AlternativeMediaType, MasterPlaylist, MediaPlaylist, MediaSegment};
use tempfile::TempDir;

use crate::support::card::{self, FPS};
use crate::support::cut::assert_contiguous;
use crate::support::ffmpeg::{complaints, ffmpeg, number, probe};
use crate::support::http;
use crate::support::mpv::Mpv;
use crate::support::process::output_of;
use crate::support::server::{self, Server};
use crate::support::{eventually, folder, free_port, text};

const SECONDS: u32 = 11;
const PICTURES: usize = SECONDS as usize * FPS as usize;

#[test]
fn h264_and_aac() {
    let recording = Recording::made_by("-c:v libx264 -preset ultrafast -bf 0 -g 15 -c:a aac");
    let index = recording.index();
    assert!(index.alternatives.is_empty(), "one track of sound is in it");
    let [variant] = &index.variants[..] else {
        panic!("one variant: {index:?}");
    };
    assert_eq!(variant.uri, "all.m3u8");
    let codecs = variant.codecs.as_deref().expect("codecs");
    assert!(
        codecs.starts_with("avc1.") && codecs.ends_with(",mp4a.40.2"),
        "{codecs}"
    );
    let size = variant.resolution.expect("a size");
    assert_eq!(
        (size.width, size.height),
        (card::WIDTH as u64, card::HEIGHT as u64)
    );
    assert_eq!(variant.frame_rate, Some(FPS as f64));
    assert!(Some(variant.bandwidth) >= variant.average_bandwidth);
    recording.check("all");
    recording.check("ts");
    recording.check("video");
    recording.watch("index");
    recording.watch("ts");
}

#[test]
fn hevc_with_open_gops() {
    let x265 = "log-level=error:keyint=30:min-keyint=30:open-gop=1:bframes=4";
    let video = format!("-c:v libx265 -preset ultrafast -x265-params {x265}");
    let recording = Recording::made_by(&format!("{video} -c:a aac"));
    let index = recording.index();
    let codecs = index.variants[0].codecs.as_deref().expect("codecs");
    assert!(codecs.starts_with("hvc1."), "{codecs}");
    recording.check("all");
    recording.check("ts");
    recording.watch("index");
}

#[test]
fn two_tracks_of_sound() {
    let audio = "-map 0:v -map 0:a -map 0:a -c:a aac -metadata:s:a:1 language=deu";
    let recording = Recording::made_by(&format!(
        "{audio} -c:v libx264 -preset veryfast -bf 2 -g 30"
    ));
    let index = recording.index();
    assert_eq!(index.variants[0].uri, "video.m3u8");
    assert_eq!(index.variants[0].audio.as_deref(), Some("sound"));
    let told: Vec<_> = index
        .alternatives
        .iter()
        .map(|sound| {
            assert_eq!(sound.media_type, AlternativeMediaType::Audio);
            (
                sound.uri.as_deref(),
                sound.language.as_deref(),
                sound.default,
            )
        })
        .collect();
    let expected = [
        (Some("sound-1.m3u8"), None, true),
        (Some("sound-2.m3u8"), Some("deu"), false),
    ];
    assert_eq!(told, expected);
    recording.check("video");
    recording.watch("index");
    let probed = probe(
        &recording.server.url("/hls/main/index.m3u8"),
        "-show_streams",
    );
    let streams = probed["streams"].as_array().expect("streams");
    let kinds = |kind: &str| {
        streams
            .iter()
            .filter(|stream| stream["codec_type"] == kind)
            .count()
    };
    assert_eq!((kinds("video"), kinds("audio")), (1, 2));
    // The sound of all segments of a track, one behind the other, is whole.
    for kind in ["sound-1", "sound-2"] {
        let file = recording.whole(kind, &recording.playlist(kind).segments);
        assert_eq!(complaints(text(&file)), "", "{kind}");
        let probed = probe(text(&file), "-show_packets");
        let packets = probed["packets"].as_array().expect("packets");
        let times: Vec<f64> = packets
            .iter()
            .map(|packet| number(&packet["pts_time"]))
            .collect();
        let length = times[times.len() - 1] - times[0];
        assert!(
            (length - f64::from(SECONDS)).abs() < 0.8,
            "{kind}: {length}"
        );
        let frame = 1024.0 / 48_000.0;
        for pair in times.windows(2) {
            assert!(
                (pair[1] - pair[0] - frame).abs() < 0.001,
                "{kind}: {pair:?}"
            );
        }
    }
}

/// A run that ends, and one of another format behind it.
#[test]
fn runs_of_other_formats() {
    let folder = folder();
    let port = free_port();
    let server = Server::start(
        folder.path(),
        &["--input", &format!("tcp://127.0.0.1:{port}")],
    );
    let hevc = folder.path().join("hevc.ts");
    let x265 = "log-level=error:keyint=30";
    card::encode(
        &hevc,
        5,
        &format!("-c:v libx265 -preset ultrafast -x265-params {x265}"),
    );
    let runs = [
        card::bytes(5, card::START),
        fs::read(&hevc).expect("it was just made"),
    ];
    let mut sent = 0;
    for run in &runs {
        let mut source = eventually("lookback listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        source.write_all(run).expect("it is read");
        drop(source);
        sent += run.len() as u64;
        server.wait_for("the run is over", |channel| {
            channel["received_bytes"] == sent && channel["state"] == "waiting"
        });
    }
    let recording = Recording { server, folder };
    let list = recording.playlist("all").segments;
    let seams: Vec<usize> = (0..list.len())
        .filter(|&at| list[at].discontinuity)
        .collect();
    let [seam] = seams[..] else {
        panic!("one seam: {seams:?}");
    };
    for (segments, codec) in [(&list[..seam], "h264"), (&list[seam..], "hevc")] {
        let maps = segments
            .iter()
            .filter(|segment| segment.map.is_some())
            .count();
        assert_eq!(maps, 1, "one for each run");
        let file = recording.whole("all", segments);
        assert_eq!(complaints(text(&file)), "", "{codec}");
        let probed = probe(text(&file), "-show_streams -select_streams v");
        assert_eq!(probed["streams"][0]["codec_name"], codec);
        let counters = card::counters(text(&file));
        assert_eq!(counters.len(), 5 * FPS as usize, "{codec}");
        assert_contiguous(&counters);
    }
}

/// A playlist with the parts that there are, and where the next one will be.
struct Edge {
    target: f64,
    /// Number of the segment, duration and address.
    parts: Vec<(u64, f64, String)>,
    hint: String,
}

impl Edge {
    fn of(text: &str) -> Self {
        let after = |line: &str, key: &str| {
            let at = line.find(key).unwrap_or_else(|| panic!("{key}: {line}"));
            let value = &line[at + key.len()..];
            value
                .split([',', '"'])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let (mut number, mut parts, mut target, mut hint) = (0, Vec::new(), None, None);
        for line in text.lines() {
            if let Some(first) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                number = first.parse().expect("a number");
            } else if line.starts_with("#EXT-X-PART-INF:") {
                target = after(line, "PART-TARGET=").parse().ok();
            } else if line.starts_with("#EXT-X-PART:") {
                let length = after(line, "DURATION=").parse().expect("seconds");
                parts.push((number, length, after(line, "URI=\"")));
            } else if line.starts_with("#EXT-X-PRELOAD-HINT:") {
                hint = Some(after(line, "URI=\""));
            } else if !line.starts_with('#') {
                number += 1;
            }
        }
        Self {
            target: target.expect("it is told"),
            parts,
            hint: hint.expect("something is to come"),
        }
    }
}

/// Whoever follows the parts is told of each when it comes, and has what the segments have.
#[test]
fn parts_are_waited_for_and_make_up_the_segments() {
    let folder = folder();
    let mut command = server::command(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::spawn(folder.path(), &mut command);
    let recording = Recording { server, folder };
    let load = |query: &str| {
        let path = format!("/hls/main/all.m3u8{query}");
        let response = recording.server.get(&path);
        assert_eq!(response.status, 200, "{path}");
        String::from_utf8(response.bytes()).expect("text")
    };
    recording.server.wait_for_window(5.0);
    let first = load("");
    for word in ["CAN-BLOCK-RELOAD=YES", "PART-HOLD-BACK="] {
        assert!(first.contains(word), "{first}");
    }
    parsed(first.as_bytes());
    let mut edge = Edge::of(&first);
    let mut seen: BTreeMap<u64, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    while seen.len() < 4 {
        // It is asked for before it is there.
        let hinted = recording.server.get(&format!("/hls/main/{}", edge.hint));
        let (number, part) = edge.hint[edge.hint.find('-').expect("a number") + 1..]
            .split_once('.')
            .expect("and a part");
        let part = part.trim_end_matches(".m4s");
        let (number, hint) = (number.parse::<u64>().expect("a number"), edge.hint.clone());
        edge = Edge::of(&load(&format!("?_HLS_msn={number}&_HLS_part={part}")));
        let listed = edge.parts.iter().find(|(_, _, uri)| *uri == hint);
        if hinted.status == 404 {
            // The segment had no more parts: nobody knew when a keyframe would come.
            let next = edge.parts.last().map(|(number, ..)| *number);
            assert!(listed.is_none() && next >= Some(number), "{hint}");
            continue;
        }
        assert_eq!(hinted.status, 200, "{hint}");
        let (of, length, _) = listed.expect("it is listed now");
        assert!(*of == number && *length <= edge.target, "{length} s");
        seen.entry(number).or_default().push((hint, hinted.bytes()));
    }
    // The newest that is complete.
    let (number, waited_for) = seen.iter().rev().nth(1).expect("four are there");
    for (uri, before) in waited_for {
        assert!(recording.fetch(uri) == *before, "{uri} has changed");
    }
    let list = load("");
    let parts = Edge::of(&list).parts;
    let parts = parts.iter().filter(|(of, ..)| of == number);
    let parts: Vec<Vec<u8>> = parts.map(|(_, _, uri)| recording.fetch(uri)).collect();
    let list = parsed(list.as_bytes());
    let segment = &list.segments[(number - list.media_sequence) as usize];
    let map = list.segments[0].map.as_ref().expect("a map");
    let whole = [recording.fetch(&map.uri), recording.fetch(&segment.uri)].concat();
    let joined = [recording.fetch(&map.uri), parts.concat()].concat();
    let [whole, joined] = [("whole.mp4", whole), ("joined.mp4", joined)].map(|(name, bytes)| {
        let file = recording.folder.path().join(name);
        fs::write(&file, bytes).expect("the test's folder takes files");
        file
    });
    assert_eq!(complaints(text(&joined)), "");
    assert_eq!(packets(&joined), packets(&whole));
}

/// When each packet is decoded and shown, how long it lasts, and how large it is; stream by stream.
fn packets(file: &Path) -> BTreeMap<String, Vec<[String; 4]>> {
    let probed = probe(text(file), "-show_packets");
    let mut streams: BTreeMap<String, Vec<[String; 4]>> = BTreeMap::new();
    for packet in probed["packets"].as_array().expect("packets") {
        let told = ["dts", "pts", "duration", "size"].map(|key| packet[key].to_string());
        streams
            .entry(packet["stream_index"].to_string())
            .or_default()
            .push(told);
    }
    streams
}

/// While recording goes on the list grows, and what was in it stays what it was.
#[test]
fn the_list_grows_and_players_follow() {
    let folder = folder();
    let mut command = server::command(
        folder.path(),
        &["demo", "--listen", "127.0.0.1:0", "--keep", "8s"],
    );
    let server = Server::spawn(folder.path(), &mut command);
    let recording = Recording { server, folder };
    let mut seen: BTreeMap<u64, (String, Vec<u8>)> = BTreeMap::new();
    eventually("segments have come and gone", || {
        let response = recording.server.get("/hls/main/all.m3u8");
        if response.status == 503 {
            return None;
        }
        let list = parsed(&response.bytes());
        for (segment, number) in list.segments.iter().zip(list.media_sequence..) {
            let response = recording.server.get(&format!("/hls/main/{}", segment.uri));
            // It may have been passed since the list was made.
            if response.status == 200 {
                assert!(f64::from(segment.duration) <= list.target_duration as f64);
                let bytes = response.bytes();
                let (uri, before) = seen
                    .entry(number)
                    .or_insert_with(|| (segment.uri.clone(), bytes.clone()));
                assert_eq!(*uri, segment.uri, "segment {number}");
                assert!(*before == bytes, "segment {number} has changed");
            } else {
                assert_eq!(response.status, 410);
            }
        }
        (list.media_sequence >= 2 && seen.len() >= 5).then_some(())
    });
    let numbers: Vec<u64> = seen.keys().copied().collect();
    assert_contiguous(&numbers);
    let passed = recording.server.get(&format!("/hls/main/{}", seen[&0].0));
    assert_eq!(passed.status, 410);
    assert_eq!(passed.json()["code"], "segment_passed");

    for list in ["index", "ts"] {
        let url = recording.server.url(&format!("/hls/main/{list}.m3u8"));
        let mut mpv = Mpv::open(recording.folder.path(), &url);
        let from = mpv.position();
        eventually("mpv plays beyond what was there when it began", || {
            (mpv.position() > from + 4.0).then_some(())
        });
        // Its demuxer reads the map again with each new playlist, and says so; so it does when the machine is busy.
        let usual = ["Found duplicated MOOV Atom", "Audio device underrun"];
        let complaints = mpv.complaints();
        let mut others = complaints
            .lines()
            .filter(|line| !usual.iter().any(|usual| line.contains(usual)));
        assert_eq!(others.next(), None, "{list}");
    }
}

struct Recording {
    server: Server,
    folder: TempDir,
}

impl Recording {
    /// Of the test card, as ffmpeg encodes it with these arguments.
    fn made_by(arguments: &str) -> Self {
        let folder = folder();
        let server = Server::having_card(folder.path(), SECONDS, arguments);
        Self { server, folder }
    }

    fn index(&self) -> MasterPlaylist {
        let response = self.server.get("/hls/main/index.m3u8");
        assert_eq!(response.status, 200);
        assert_eq!(
            response.header("content-type"),
            Some("application/vnd.apple.mpegurl")
        );
        let (_, index) = m3u8_rs::parse_master_playlist(&response.bytes()).expect("a playlist");
        index
    }

    fn playlist(&self, kind: &str) -> MediaPlaylist {
        let response = self.server.get(&format!("/hls/main/{kind}.m3u8"));
        assert_eq!(response.status, 200);
        parsed(&response.bytes())
    }

    fn fetch(&self, uri: &str) -> Vec<u8> {
        let path = format!("/hls/main/{uri}");
        let response = self.server.get(&path);
        assert_eq!(response.status, 200, "{uri}");
        let cache = response.header("cache-control").expect("it may be kept");
        assert!(cache.contains("immutable"), "{cache}");
        let tag = response.header("etag").expect("a tag").to_owned();
        let known = http::get(&path).header("If-None-Match", &tag);
        assert_eq!(self.server.send(&known).status, 304);
        response.bytes()
    }

    /// Segments, each behind its map where it is the first to have it, as a file.
    fn whole(&self, kind: &str, segments: &[MediaSegment]) -> PathBuf {
        let mut bytes = Vec::new();
        for segment in segments {
            if let Some(map) = &segment.map {
                bytes.extend(self.fetch(&map.uri));
            }
            bytes.extend(self.fetch(&segment.uri));
        }
        let name = if kind == "ts" {
            "whole.ts"
        } else {
            "whole.mp4"
        };
        let file = self.folder.path().join(name);
        fs::write(&file, bytes).expect("the test's folder takes files");
        file
    }

    /// Each segment decodes alone, and all together are all pictures.
    fn check(&self, kind: &str) {
        let list = self.playlist(kind);
        assert!(list.segments.len() >= 5, "{kind}: {}", list.segments.len());
        let map = list.segments[0].map.clone();
        assert_eq!(map.is_some(), kind != "ts");
        let mut dated = None;
        for segment in &list.segments {
            assert!(f64::from(segment.duration) <= list.target_duration as f64);
            let alone = MediaSegment {
                map: map.clone(),
                ..segment.clone()
            };
            let file = self.whole(kind, &[alone]);
            assert_eq!(complaints(text(&file)), "", "{kind}: {}", segment.uri);
            let at = segment
                .program_date_time
                .expect("a time")
                .timestamp_millis();
            if let Some(expected) = dated.replace(at + (segment.duration * 1000.0) as i64) {
                assert!((at - expected).abs() <= 2, "{at} and not {expected}");
            }
        }
        let file = self.whole(kind, &list.segments);
        assert_eq!(complaints(text(&file)), "", "{kind}");
        let counters = card::counters(text(&file));
        assert_eq!(counters.len(), PICTURES, "{kind}");
        assert_contiguous(&counters);
    }

    /// ffmpeg follows the playlist from its beginning to its last picture.
    fn watch(&self, playlist: &str) {
        let url = self.server.url(&format!("/hls/main/{playlist}.m3u8"));
        let file = self.folder.path().join("watched.mkv");
        let mut command = ffmpeg();
        command.args([
            "-live_start_index",
            "0",
            "-i",
            &url,
            "-map",
            "0:v",
            "-c",
            "copy",
        ]);
        // It waits for what comes after the last one.
        let pictures = (PICTURES - 10).to_string();
        output_of(command.args(["-frames:v", &pictures]).arg(&file));
        assert_eq!(complaints(text(&file)), "", "{playlist}");
        let counters = card::counters(text(&file));
        // The cut is made in the order of decoding: among the last ones some are missing.
        let whole = PICTURES - 20;
        assert!(counters.len() >= whole, "{playlist}: {}", counters.len());
        assert_contiguous(&counters[..whole]);
    }
}

fn parsed(text: &[u8]) -> MediaPlaylist {
    let (_, list) = m3u8_rs::parse_media_playlist(text).expect("a playlist");
    list
}
