//! MP4s of clips: the same packets at the same times as in the transport stream, the same pictures, and
//! played by a browser.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser;
use crate::support::card;
use crate::support::ffmpeg::{complaints, ffmpeg, number, probe};
use crate::support::http;
use crate::support::process::output_of;
use crate::support::server::Server;
use crate::support::{folder, text};

const SECONDS: u32 = 8;

#[test]
fn h264_and_two_tracks_of_aac() {
    let audio = "-map 0:v -map 0:a -map 0:a -c:a aac -metadata:s:a:1 language=deu";
    let recording = Recording::made_by(&format!(
        "{audio} -c:v libx264 -preset ultrafast -bf 0 -g 15"
    ));
    let file = recording.check(&["avc1", "mp4a", "mp4a"]);
    assert_eq!(file.languages, ["und", "und", "deu"]);
}

#[test]
fn h264_with_b_frames_and_ac3() {
    let recording = Recording::made_by("-c:v libx264 -preset veryfast -bf 3 -g 30 -c:a ac3");
    recording.check(&["avc1", "ac-3"]);
}

#[test]
fn hevc_with_open_gops_opus_and_eac3() {
    let x265 = "log-level=error:keyint=30:min-keyint=30:open-gop=1:bframes=4";
    let video = format!("-c:v libx265 -preset ultrafast -x265-params {x265}");
    let audio = "-map 0:v -map 0:a -map 0:a -c:a:0 libopus -c:a:1 eac3";
    Recording::made_by(&format!("{audio} {video}")).check(&["hvc1", "Opus", "ec-3"]);
}

#[test]
fn h264_and_mpeg_audio() {
    let recording =
        Recording::made_by("-c:v libx264 -preset ultrafast -g 15 -slices 4 -c:a libmp3lame");
    recording.check(&["avc1", "mp4a"]);
}

#[test]
fn hdr_colours_and_shape_are_carried_over() {
    let display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)";
    let x265 =
        format!("log-level=error:keyint=15:master-display={display}:max-cll=1000,400:hdr10=1");
    let colour = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc";
    let video = "-vf scale=640:352,setsar=4/3 -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast";
    let recording = Recording::made_by(&format!("{video} {colour} -x265-params {x265} -c:a aac"));
    let mp4 = recording.check(&["hvc1", "mp4a"]).path;
    let probed = probe(text(&mp4), "-show_streams -select_streams v");
    let stream = &probed["streams"][0];
    let told = [
        "color_primaries",
        "color_transfer",
        "color_space",
        "sample_aspect_ratio",
    ];
    let told = told.map(|key| stream[key].as_str().unwrap_or_default());
    assert_eq!(told, ["bt2020", "smpte2084", "bt2020nc", "4:3"]);
    let side = stream["side_data_list"].to_string();
    assert!(side.contains("Mastering display metadata"), "{side}");
    assert!(side.contains("\"max_content\":1000"), "{side}");
}

#[test]
fn a_codec_that_an_mp4_cannot_carry_is_refused() {
    let recording = Recording::made_by("-c:v mpeg2video -b:v 2M -g 15 -c:a mp2");
    let response = recording.server.get(&recording.url);
    assert_eq!(response.status, 422);
    let problem = response.json();
    assert_eq!(problem["code"], "unsupported_codec");
    let detail = problem["detail"].as_str().expect("it says why");
    assert!(detail.contains("MPEG-2 video"), "{detail}");
}

#[test]
fn sound_that_an_mp4_cannot_carry_is_named() {
    let latm = "-c:v libx264 -preset ultrafast -g 15 -c:a aac -mpegts_flags latm";
    let recording = Recording::made_by(latm);
    let response = recording.server.get(&recording.url);
    assert_eq!(response.status, 200);
    let left_out = response.header("lookback-streams-left-out");
    assert_eq!(left_out, Some("AAC (LATM)"));
}

#[test]
fn ranges_make_up_the_whole() {
    let recording = Recording::made_by("-c:v libx264 -preset ultrafast -g 15 -c:a aac");
    let whole = recording.server.get(&recording.url);
    let tag = whole.header("etag").expect("a tag").to_owned();
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let name = whole
        .header("content-disposition")
        .expect("a name")
        .to_owned();
    assert!(
        name.starts_with("inline; filename=\"main-") && name.ends_with(".mp4\""),
        "{name}"
    );
    let whole = whole.bytes();

    let head = recording.server.send(&http::head(&recording.url));
    assert_eq!(head.content_length(), Some(whole.len() as u64));
    assert_eq!(head.header("etag"), Some(tag.as_str()));
    let known = http::get(&recording.url).header("If-None-Match", &tag);
    assert_eq!(recording.server.send(&known).status, 304);
    let mut parts = Vec::new();
    while parts.len() < whole.len() {
        let range = format!("bytes={}-{}", parts.len(), parts.len() + 99_999);
        let part = http::get(&recording.url)
            .header("Range", &range)
            .header("If-Range", &tag);
        let response = recording.server.send(&part);
        assert_eq!(response.status, 206, "{range}");
        parts.extend(response.bytes());
    }
    assert!(parts == whole, "the parts make up the whole");
    // The header comes first, so that a player can begin with it.
    let kinds = [&whole[4..8], &whole[36..40]];
    assert_eq!(kinds, [b"ftyp", b"moov"]);
}

/// A browser shows it, and seeks in it.
#[test]
fn chromium_plays_it() {
    let recording =
        Recording::made_by("-c:v libx264 -preset veryfast -bf 2 -g 30 -pix_fmt yuv420p -c:a aac");
    let played = browser::play(&recording.server, recording.folder.path(), &recording.url);
    assert_eq!(played.error, None);
    let duration = played.duration;
    assert!((duration - f64::from(SECONDS)).abs() < 0.2, "{duration}");
    assert_eq!(played.width, card::WIDTH);
    assert_eq!(played.first, Some(0));
    assert!(
        played.from >= 5.0 && played.to > played.from + 0.2,
        "{played:?}"
    );
}

/// A recording that lookback has read, and the MP4 of all of it.
struct Recording {
    server: Server,
    folder: TempDir,
    url: String,
}

/// An MP4, as ffprobe sees it.
struct File {
    path: PathBuf,
    languages: Vec<String>,
}

impl Recording {
    /// Of the test card, as ffmpeg encodes it with these arguments.
    fn made_by(arguments: &str) -> Self {
        let folder = folder();
        let server = Server::having_card(folder.path(), SECONDS, arguments);
        let clip = server.clip(&json!({}));
        let url = clip["url"].as_str().and_then(|url| url.strip_suffix(".ts"));
        let url = format!("{}.mp4", url.expect("the URL of a transport stream"));
        Self {
            server,
            folder,
            url,
        }
    }

    fn save(&self, url: &str, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let response = self.server.get(url);
        assert_eq!(response.status, 200, "{url}");
        fs::write(&path, response.bytes()).expect("the test's folder takes files");
        path
    }

    /// Judges the file by the transport stream of the same clip. Gives it.
    fn check(&self, tags: &[&str]) -> File {
        let mp4 = self.save(&self.url, "clip.mp4");
        let ts = self.save(&self.url.replace(".mp4", ".ts"), "clip.ts");
        let (mp4, ts) = (text(&mp4), text(&ts));
        assert_eq!(complaints(mp4), "", "ffmpeg decodes it without a word");
        let probed = probe(mp4, "-show_streams");
        let streams = probed["streams"].as_array().expect("streams");
        let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found: Vec<String> = streams
            .iter()
            .map(|stream| of(&stream["codec_tag_string"]))
            .collect();
        assert_eq!(found, tags);

        let (ours, theirs) = (packets(mp4), packets(ts));
        assert_eq!(ours.len(), theirs.len(), "as many streams");
        for (stream, (ours, theirs)) in ours.values().zip(theirs.values()).enumerate() {
            assert_eq!(
                ours.len(),
                theirs.len(),
                "as many packets in stream {stream}"
            );
            for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                assert_same(ours, theirs, &format!("packet {at} of stream {stream}"));
            }
        }
        for stream in 0..tags.len() {
            let same = decoded(mp4, stream) == decoded(ts, stream);
            assert!(same, "stream {stream} decodes to the same");
        }
        File {
            path: PathBuf::from(mp4),
            languages: streams
                .iter()
                .map(|stream| of(&stream["tags"]["language"]))
                .collect(),
        }
    }
}

struct Packet {
    /// From the first picture on.
    pts: f64,
    dts: f64,
    is_key: bool,
}

/// The packets of each stream, in the order of its decoding.
fn packets(media: &str) -> BTreeMap<u64, Vec<Packet>> {
    let probed = probe(media, "-show_packets");
    let packets = probed["packets"].as_array().expect("packets");
    let first = packets
        .iter()
        .find(|packet| packet["stream_index"] == 0)
        .expect("a picture");
    let start = number(&first["pts_time"]);
    let mut streams: BTreeMap<u64, Vec<Packet>> = BTreeMap::new();
    for packet in packets {
        let stream = packet["stream_index"].as_u64().expect("a number");
        streams.entry(stream).or_default().push(Packet {
            pts: number(&packet["pts_time"]) - start,
            dts: number(&packet["dts_time"]) - start,
            is_key: packet["flags"]
                .as_str()
                .is_some_and(|flags| flags.starts_with('K')),
        });
    }
    streams
}

fn assert_same(ours: &Packet, theirs: &Packet, what: &str) {
    // A sample of sound, and the rounding of both sides' clocks.
    const ROUNDING: f64 = 0.00005;
    assert!(
        (ours.pts - theirs.pts).abs() < ROUNDING,
        "{what} is shown at {} and not {}",
        ours.pts,
        theirs.pts
    );
    assert!(
        (ours.dts - theirs.dts).abs() < ROUNDING,
        "{what} is decoded at {} and not {}",
        ours.dts,
        theirs.dts
    );
    assert_eq!(
        ours.is_key, theirs.is_key,
        "{what}: decoding can start there"
    );
}

/// A digest of each picture, or of each frame of sound, in the order in which they are shown.
fn decoded(media: &str, stream: usize) -> Vec<String> {
    let mut command: Command = ffmpeg();
    command.args(["-i", media, "-map", &format!("0:{stream}")]);
    command.args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let digests = String::from_utf8(output_of(&mut command)).expect("text");
    let lines = digests.lines().filter(|line| !line.starts_with('#'));
    let digest = |line: &str| {
        line.rsplit(',')
            .next()
            .map(|digest| digest.trim().to_owned())
    };
    lines.filter_map(digest).collect()
}
