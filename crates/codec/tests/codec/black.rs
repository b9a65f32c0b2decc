//! A black picture is black to the last pixel, as ffmpeg decodes it.

use std::io::Write;
use std::process::{Command, Stdio};

use lookback_codec::{Codec, VideoFormat, black};

#[test]
fn every_pixel_is_black() {
    let codecs = [(Codec::H264, "h264"), (Codec::Hevc, "hevc")];
    let sizes = [(640, 360), (1920, 1080), (34, 18)];
    for ((codec, name), (width, height)) in codecs
        .iter()
        .flat_map(|codec| sizes.map(|size| (*codec, size)))
    {
        let format = VideoFormat {
            codec,
            codec_string: String::new(),
            width,
            height,
            frame_rate: None,
            bit_depth: 8,
            colour: None,
            sample_aspect: None,
        };
        let decoded = decoded(name, &black(&format).expect("a possible size"));
        let (luma, chroma) = decoded.split_at((width * height) as usize);
        assert!(
            luma.iter().all(|&sample| sample == 16),
            "{name} {width}x{height}"
        );
        assert_eq!(chroma.len(), luma.len() / 2);
        assert!(
            chroma.iter().all(|&sample| sample == 128),
            "{name} {width}x{height}"
        );
    }
}

fn decoded(format: &str, picture: &[u8]) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-hide_banner", "-v", "warning", "-f", format, "-i", "-"])
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
