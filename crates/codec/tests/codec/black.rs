//! A black picture is black to the last pixel, as ffmpeg decodes it.

use std::io::Write;
use std::process::{Command, Stdio};

use lookback_codec::{Codec, VideoFormat, black};

#[test]
fn every_pixel_is_black() {
    for (width, height) in [(640, 360), (1920, 1080), (34, 18)] {
        let format = VideoFormat {
            codec: Codec::H264,
            codec_string: String::new(),
            width,
            height,
            frame_rate: None,
            bit_depth: 8,
            colour: None,
            sample_aspect: None,
        };
        let decoded = decoded(&black(&format).expect("a possible size"));
        let (luma, chroma) = decoded.split_at((width * height) as usize);
        assert!(luma.iter().all(|&sample| sample == 16), "{width}x{height}");
        assert_eq!(chroma.len(), luma.len() / 2);
        assert!(
            chroma.iter().all(|&sample| sample == 128),
            "{width}x{height}"
        );
    }
}

fn decoded(picture: &[u8]) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-hide_banner", "-v", "warning", "-f", "h264", "-i", "-"])
        .args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut input = ffmpeg.stdin.take().expect("it is piped");
    input.write_all(picture).expect("it reads");
    drop(input);
    let output = ffmpeg.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    output.stdout
}
