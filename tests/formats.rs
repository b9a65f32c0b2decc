//! Every codec, cut anywhere, decodes from its first picture.
//!
//! ffmpeg makes a recording of the test card, lookback reads it, and what it gives out is judged:
//! whole, a part from the middle, and the newest seconds.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use lookback_mpegts::Ticks;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::card::{self, FPS};
use crate::support::cut::Cut;
use crate::support::ffmpeg;
use crate::support::folder;
use crate::support::server::Server;

const SECONDS: u32 = 12;
const PICTURES: u64 = SECONDS as u64 * FPS;

#[test]
fn h264_and_aac() {
    Recording::made_by("-c:v libx264 -preset ultrafast -g 15 -c:a aac").check(15);
}

#[test]
fn h264_with_b_frames_and_ac3() {
    Recording::made_by("-c:v libx264 -preset veryfast -bf 3 -g 30 -c:a ac3").check(30);
}

#[test]
fn h264_with_open_gops_and_mp2() {
    let x264 = "open-gop=1:scenecut=0:min-keyint=15:b-pyramid=none";
    let video = format!("-c:v libx264 -preset ultrafast -bf 2 -g 30 -x264-params {x264}");
    Recording::made_by(&format!("{video} -c:a mp2")).check(30);
}

/// There is no keyframe but the first: pictures are refreshed stripe by stripe, and those before a
/// refresh is complete are not shown.
#[test]
fn h264_with_intra_refresh() {
    let x264 = "intra-refresh=1:keyint=30";
    let video = format!("-c:v libx264 -preset ultrafast -bf 0 -refs 1 -x264-params {x264}");
    let recording = Recording::made_by(&format!("{video} -c:a aac"));
    let (from, to) = (4.0, 8.0);
    let clip = recording.span(from, to);
    let cut = Cut::judge_refreshing(&recording.save(&clip));
    assert!(
        cut.first() <= picture_at(from) + 30,
        "clean a refresh later: {}",
        cut.first()
    );
    assert!(cut.last() + 1 >= picture_at(to), "{}", cut.last());
}

#[test]
fn h264_whose_parameter_sets_come_once() {
    let mut recording = made_by("-c:v libx264 -preset ultrafast -g 15 -c:a aac");
    // Filler data (type 12) in their place.
    blank_later(
        &mut recording,
        |nal| matches!(nal[0] & 0x1f, 7 | 8),
        &[0x0c],
    );
    Recording::of(&recording).check(15);
}

#[test]
fn hevc_and_opus() {
    let x265 = "log-level=error:keyint=15:min-keyint=15:open-gop=0";
    let video = format!("-c:v libx265 -preset ultrafast -x265-params {x265}");
    Recording::made_by(&format!("{video} -c:a libopus")).check(15);
}

#[test]
fn hevc_with_open_gops_and_latm() {
    let x265 = "log-level=error:keyint=30:min-keyint=30:open-gop=1:bframes=4";
    let video = format!("-c:v libx265 -preset ultrafast -x265-params {x265}");
    Recording::made_by(&format!("{video} -c:a aac -mpegts_flags latm")).check(30);
}

#[test]
fn hevc_whose_parameter_sets_come_once() {
    let x265 = "log-level=error:keyint=15:min-keyint=15:open-gop=0";
    let video = format!("-c:v libx265 -preset ultrafast -x265-params {x265}");
    let mut recording = made_by(&format!("{video} -c:a aac"));
    // Filler data (type 38) in their place.
    blank_later(
        &mut recording,
        |nal| matches!(nal[0] >> 1, 32..=34),
        &[38 << 1],
    );
    Recording::of(&recording).check(15);
}

#[test]
fn mpeg2_video_and_mp2() {
    Recording::made_by("-c:v mpeg2video -b:v 4M -g 15 -bf 2 -c:a mp2").check(15);
}

#[test]
fn several_audio_tracks() {
    let audio = "-map 0:v -map 0:a -map 0:a -map 0:a -c:a:0 aac -c:a:1 ac3 -c:a:2 libopus";
    let recording = Recording::made_by(&format!("{audio} -c:v libx264 -preset ultrafast -g 15"));
    let cut = recording.check(15);
    assert_eq!(cut.codecs, ["h264", "aac", "ac3", "opus"]);
    let channel = recording.server.channel();
    assert_eq!(
        channel["audio"].as_array().map(Vec::len),
        Some(3),
        "{channel}"
    );
}

#[test]
fn sound_alone() {
    let recording = Recording::made_by("-map 0:a -c:a aac");
    let whole = Cut::judge(&recording.save_video("/video"));
    assert!(
        (whole.seconds - f64::from(SECONDS)).abs() < 0.2,
        "{}",
        whole.seconds
    );
    let part = Cut::judge(&recording.save(&recording.span(4.0, 7.0)));
    // ffmpeg puts up to 0.7 s of sound into one PES packet, and those are not parted.
    assert!(part.seconds > 2.9 && part.seconds < 4.5, "{}", part.seconds);
}

/// The 33 bits of the timestamps run out in the middle.
#[test]
fn timestamps_that_wrap() {
    let before_the_wrap = Ticks((1 << 33) - 6 * Ticks::SECOND.0);
    let recording = Recording::of(&card::bytes(SECONDS, before_the_wrap));
    assert_eq!(recording.server.channel()["runs"], 1, "a wrap is no jump");
    recording.check(15);
}

/// What the status says of a stream is what it is.
#[test]
fn formats_are_reported() {
    let recording = Recording::made_by("-c:v libx264 -preset ultrafast -g 15 -c:a aac -ac 2");
    let channel = recording.server.channel();
    let video = &channel["video"];
    assert!(
        video["codec"]
            .as_str()
            .is_some_and(|codec| codec.starts_with("avc1.")),
        "{video}"
    );
    assert_eq!(
        (&video["width"], &video["height"]),
        (&json!(640), &json!(352))
    );
    assert_eq!(video["fps"].as_f64(), Some(30.0));
    let audio = json!([{"codec": "mp4a.40.2", "channels": 2, "sample_rate": 48000}]);
    assert_eq!(channel["audio"], audio);
}

/// A recording that lookback has read.
struct Recording {
    server: Server,
    folder: TempDir,
}

impl Recording {
    /// Of the test card, as ffmpeg encodes it with these arguments.
    fn made_by(arguments: &str) -> Self {
        Self::of(&made_by(arguments))
    }

    fn of(stream: &[u8]) -> Self {
        let folder = folder();
        let input = folder.path().join("recording.ts");
        fs::write(&input, stream).expect("the test's folder takes files");
        let server = Server::having_read(folder.path(), &input, &[]);
        Self { server, folder }
    }

    /// Judges the whole, a part, and the end. `gop` is the longest way from a keyframe to the next.
    /// Gives the whole.
    fn check(&self, gop: u64) -> Cut {
        let whole = Cut::judge(&self.save_video("/video"));
        assert_eq!(
            (whole.first(), whole.last()),
            (0, PICTURES - 1),
            "all of it is there"
        );

        let (from, to) = (4.4, 7.2);
        let clip = self.span(from, to);
        let part = Cut::judge(&self.save(&clip));
        let wanted = picture_at(from);
        assert!(part.first() <= wanted, "{} is after {wanted}", part.first());
        assert!(
            part.first() + gop > wanted,
            "{} is a keyframe too early",
            part.first()
        );
        assert!(
            part.last() + 1 >= picture_at(to),
            "{} is too early an end",
            part.last()
        );
        assert!(
            part.last() <= picture_at(to) + 5,
            "{} is too late an end",
            part.last()
        );
        self.check_times(&clip, &part);

        let newest = Cut::judge(&self.save_video("/video?last=3s"));
        assert_eq!(newest.last(), PICTURES - 1, "the newest picture is there");
        assert!(
            newest.first() + gop > PICTURES - 3 * FPS,
            "{} is too early",
            newest.first()
        );
        whole
    }

    /// What the answer says of the clip is what is in it.
    fn check_times(&self, clip: &Value, cut: &Cut) {
        let first_s = time(&clip["start"])
            .duration_since(self.window_start())
            .as_secs_f64();
        let first = cut.first() as f64 / FPS as f64;
        assert!(
            (first_s - first).abs() < 0.02,
            "starts at {first_s} and shows {first}"
        );
        let duration_s = clip["duration_s"].as_f64().expect("a duration");
        assert!(
            (duration_s - cut.seconds).abs() < 0.1,
            "{duration_s} and not {}",
            cut.seconds
        );
    }

    /// A clip of these seconds of the recording.
    fn span(&self, from: f64, to: f64) -> Value {
        let at = |seconds| self.window_start() + SignedDuration::from_secs_f64(seconds);
        self.server
            .clip(&json!({"from": at(from).to_string(), "to": at(to).to_string()}))
    }

    fn window_start(&self) -> Timestamp {
        time(&self.server.channel()["window"]["start"])
    }

    fn save(&self, clip: &Value) -> PathBuf {
        let path = self.save_video(clip["url"].as_str().expect("the clip's URL"));
        let length = fs::metadata(&path).expect("it was just written").len();
        assert_eq!(clip["bytes"], length);
        path
    }

    fn save_video(&self, url: &str) -> PathBuf {
        let path = self.folder.path().join("cut.ts");
        let response = self.server.get(url);
        assert_eq!(response.status, 200, "{url}");
        fs::write(&path, response.bytes()).expect("the test's folder takes files");
        path
    }
}

fn time(value: &Value) -> Timestamp {
    let text = value.as_str().unwrap_or_else(|| panic!("a time: {value}"));
    text.parse()
        .unwrap_or_else(|error| panic!("a time ({error}): {text}"))
}

/// The number of the picture that is shown at a time of the recording.
fn picture_at(seconds: f64) -> u64 {
    (seconds * FPS as f64) as u64
}

fn made_by(arguments: &str) -> Vec<u8> {
    let folder = folder();
    let (card, output) = (
        folder.path().join("card.ts"),
        folder.path().join("recording.ts"),
    );
    card::write(&card, SECONDS);
    ffmpeg::make(
        &[Path::new(&card)],
        &format!("{arguments} -f mpegts"),
        &output,
    );
    fs::read(output).expect("ffmpeg has written it")
}

/// Turns parameter sets into filler, all but the first of each kind.
fn blank_later(stream: &mut [u8], is_parameter_set: impl Fn(&[u8]) -> bool, filler: &[u8; 1]) {
    let starts: Vec<usize> = stream
        .windows(4)
        .enumerate()
        .filter(|(_, bytes)| bytes[..3] == [0, 0, 1] && is_parameter_set(&bytes[3..]))
        .map(|(place, _)| place + 3)
        .collect();
    let first_of_each: Vec<usize> = starts
        .iter()
        .copied()
        .filter(|&place| starts.iter().find(|&&seen| stream[seen] == stream[place]) == Some(&place))
        .collect();
    assert!(
        starts.len() > 5 * first_of_each.len(),
        "they do come again and again"
    );
    for place in starts
        .into_iter()
        .filter(|place| !first_of_each.contains(place))
    {
        stream[place] = filler[0];
    }
}
