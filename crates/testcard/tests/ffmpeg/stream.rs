//! The transport stream is what ffprobe and ffmpeg expect of one.

use lookback_mpegts::{PTS_WRAP, Ticks};
use lookback_testcard::Stream;

use crate::{card, ffmpeg, run};

/// The stream of a 1280x720 card for so many seconds.
fn stream(first: u64, start: Ticks, seconds: i64) -> Vec<u8> {
    let stream = Stream::new(card(1280, 720, 30), first, start);
    let end = Ticks(90_000 * seconds);
    let chunks = stream.take_while(|chunk| chunk.due < end);
    chunks.flat_map(|chunk| chunk.bytes).collect()
}

/// The lines of ffprobe's answer, fields separated by commas.
fn ffprobe(arguments: &[&str], input: Vec<u8>) -> Vec<String> {
    let format = ["-v", "warning", "-of", "csv=p=0"];
    let output = run("ffprobe", &[&format, arguments, &["-"]].concat(), input);
    let output = String::from_utf8(output).expect("ffprobe writes text");
    // Side data is an empty field at the end, and a line of its own.
    let lines = output.lines().filter(|line| !line.is_empty());
    let fields = lines.map(|line| line.trim_end_matches(','));
    fields.map(str::to_owned).collect()
}

#[test]
fn it_is_described_as_what_it_is() {
    let ts = stream(0, Ticks(90_000), 5);
    let show = |stream, entries: &str| {
        let entries = format!("stream={entries}");
        let show = ["-select_streams", stream, "-show_entries", &entries];
        ffprobe(&show, ts.clone()).swap_remove(0)
    };
    // ffprobe gives the fields in its own order.
    assert_eq!(
        show(
            "v",
            "codec_name,profile,width,height,level,pix_fmt,r_frame_rate,avg_frame_rate"
        ),
        "h264,Constrained Baseline,1280,720,yuv420p,31,30/1,30/1"
    );
    assert_eq!(
        show(
            "v",
            "color_range,color_space,color_transfer,color_primaries,has_b_frames"
        ),
        "0,tv,bt709,bt709,bt709"
    );
    assert_eq!(
        show(
            "a",
            "codec_name,profile,sample_rate,channels,channel_layout"
        ),
        "aac,LC,48000,2,stereo"
    );
    assert_eq!(show("v", "id,start_pts"), "0x100,90000");
    assert_eq!(show("a", "id,start_pts"), "0x101,90000");
}

#[test]
fn it_decodes_without_a_word() {
    ffmpeg(
        &["-f", "mpegts", "-i", "-", "-f", "null", "-"],
        stream(0, Ticks(90_000), 4),
    );
}

#[test]
fn it_decodes_over_the_wrap_of_its_timestamps() {
    let start = Ticks(PTS_WRAP as i64 - 2 * 90_000);
    let ts = stream(0, start, 4);
    let pts = ffprobe(
        &["-select_streams", "v", "-show_entries", "packet=pts"],
        ts.clone(),
    );
    // ffprobe starts from a time below zero when it foresees a wrap.
    let expected = (0..120).map(|n| -180_000 + n * 3000);
    let pts: Vec<i64> = pts.iter().map(|pts| pts.parse().expect("a time")).collect();
    assert_eq!(pts, expected.collect::<Vec<_>>());
    ffmpeg(&["-f", "mpegts", "-i", "-", "-f", "null", "-"], ts);
}

#[test]
fn every_picture_and_sound_frame_comes_at_its_time() {
    // In the middle of a day, from the keyframe before picture 1000007.
    let (first, start) = (1_000_007, Ticks(90_000));
    let keyframe = 1_000_005;
    let chunks = Stream::new(card(1280, 720, 30), first, start).take(400);
    let chunks: Vec<_> = chunks.collect();
    assert_eq!(chunks[0].due, Ticks(keyframe * 3000));
    assert!(chunks.is_sorted_by_key(|chunk| chunk.due));

    let ts: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.bytes).collect();
    let packets = |stream| {
        let show = [
            "-select_streams",
            stream,
            "-show_entries",
            "packet=pts,flags",
        ];
        ffprobe(&show, ts.clone())
    };
    let (pictures, sounds) = (packets("v"), packets("a"));
    assert_eq!(pictures.len() + sounds.len(), 400);
    for (n, packet) in (keyframe..).zip(pictures) {
        let flags = if n % 15 == 0 { "K_" } else { "__" };
        assert_eq!(packet, format!("{},{flags}", n * 3000 + start.0));
    }
    let first_sound = (keyframe as u64 * 3000).div_ceil(1920) as i64;
    for (k, packet) in (first_sound..).zip(sounds) {
        assert_eq!(packet, format!("{},K_", k * 1920 + start.0));
    }
}
