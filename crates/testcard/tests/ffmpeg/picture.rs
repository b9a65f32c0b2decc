//! What is decoded is what was drawn, and its number can be read from it.

use lookback_testcard::{TestCard, read_counter};

use crate::{card, ffmpeg};

fn h264(card: &mut TestCard, numbers: std::ops::Range<u64>) -> Vec<u8> {
    numbers.flat_map(|n| card.picture(n)).collect()
}

fn assert_decodes_exactly(mut card: TestCard, numbers: std::ops::Range<u64>) {
    let coded = h264(&mut card, numbers.clone());
    let decode = [
        "-f",
        "h264",
        "-i",
        "-",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
        "-",
    ];
    let decoded = ffmpeg(&decode, coded);
    let picture_len = card.config().width * card.config().height * 3 / 2;
    assert_eq!(decoded.len(), picture_len * numbers.clone().count());
    for (n, decoded) in numbers.zip(decoded.chunks(picture_len)) {
        assert!(
            decoded == card.pixels(n).i420(),
            "picture {n} of {:?}",
            card.config()
        );
    }
}

#[test]
fn the_default_decodes_to_what_was_drawn() {
    // Over a ten-second mark of the clock, midnight, and many keyframes.
    assert_decodes_exactly(card(1280, 720, 30), 0..105);
}

#[test]
fn other_sizes_and_rates_decode_to_what_was_drawn() {
    assert_decodes_exactly(card(320, 180, 50), 0..110);
    assert_decodes_exactly(card(640, 360, 25), 0..60);
    assert_decodes_exactly(card(854, 480, 60), 0..95);
    assert_decodes_exactly(card(1920, 1080, 30), 15..50);
    assert_decodes_exactly(card(480, 640, 30), 0..40);
}

/// Decodes to luma alone, `count` pictures of the size.
fn assert_numbers(coded: Vec<u8>, width: usize, height: usize, numbers: std::ops::Range<u64>) {
    let decode = [
        "-f",
        "h264",
        "-i",
        "-",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
    ];
    let luma = ffmpeg(&[&decode[..], &["-pix_fmt", "gray", "-"]].concat(), coded);
    let read: Vec<_> = luma
        .chunks(width * height)
        .map(|luma| read_counter(luma, width, height))
        .collect();
    assert_eq!(read, numbers.map(Some).collect::<Vec<_>>());
}

#[test]
fn the_number_survives_scaling_and_loss() {
    let numbers = 1_000_000..1_000_060;
    let start = card(1280, 720, 30).keyframe_before(numbers.start);
    assert_eq!(
        start,
        numbers.start - 10,
        "the range starts between keyframes"
    );
    let coded = h264(&mut card(1280, 720, 30), start..numbers.end);
    for (width, height) in [(1280, 720), (640, 360), (320, 180), (500, 282)] {
        let scale = format!("scale={width}:{height}");
        let encode = [
            "-c:v", "libx264", "-preset", "veryfast", "-crf", "35", "-f", "h264", "-",
        ];
        let lossy = ffmpeg(
            &[&["-f", "h264", "-i", "-", "-vf", &scale][..], &encode].concat(),
            coded.clone(),
        );
        assert_numbers(lossy, width, height, start..numbers.end);
    }
}

#[test]
fn another_picture_has_no_number() {
    for source in ["testsrc2", "smptehdbars", "mandelbrot"] {
        let source = format!("{source}=size=640x360:rate=5");
        let make = [
            "-f", "lavfi", "-i", &source, "-t", "4", "-f", "rawvideo", "-pix_fmt", "gray", "-",
        ];
        let luma = ffmpeg(&make, Vec::new());
        assert_eq!(luma.len(), 20 * 640 * 360);
        assert!(
            luma.chunks(640 * 360)
                .all(|luma| read_counter(luma, 640, 360).is_none())
        );
    }
}
