//! The test card: each picture carries its number, which a test reads back from whatever has become
//! of it.

use std::fs;
use std::path::Path;

use lookback_mpegts::Ticks;
use lookback_testcard::{Config, Stream, TestCard, read_counter};

use super::ffmpeg;

pub(crate) const FPS: u64 = 30;

/// Where the timestamps start, unless a test wants another place.
pub(crate) const START: Ticks = Ticks(Ticks::SECOND.0 * 10);

pub(crate) const WIDTH: usize = 640;
pub(crate) const HEIGHT: usize = 352;

/// The smallest size in which the numbers are read, so that there is little to decode into.
const READ_WIDTH: usize = 320;
const READ_HEIGHT: usize = 176;

/// The card as an endless transport stream, H.264 with AAC, a keyframe every half second.
pub(crate) fn stream(start: Ticks) -> Stream {
    let config = Config {
        width: WIDTH,
        height: HEIGHT,
        ..Config::default()
    };
    Stream::new(
        TestCard::new(config).expect("a size that the card can have"),
        0,
        start,
    )
}

/// The first seconds of the card.
pub(crate) fn bytes(seconds: u32, start: Ticks) -> Vec<u8> {
    let end = Ticks(Ticks::SECOND.0 * i64::from(seconds));
    stream(start)
        .take_while(|chunk| chunk.due < end)
        .flat_map(|chunk| chunk.bytes)
        .collect()
}

/// Writes the first seconds of the card to a file.
pub(crate) fn write(file: &Path, seconds: u32) {
    fs::write(file, bytes(seconds, START)).expect("the test's folder takes files");
}

/// Writes the first seconds of the card to a file, with its pictures encoded anew as ffmpeg's arguments say.
pub(crate) fn encode(file: &Path, seconds: u32, video: &str) {
    transcode(file, seconds, &format!("{video} -c:a copy"));
}

/// The same, of which the arguments say everything.
pub(crate) fn transcode(file: &Path, seconds: u32, arguments: &str) {
    let card = file.with_extension("card.ts");
    write(&card, seconds);
    ffmpeg::make(&[&card], &format!("{arguments} -f mpegts"), file);
}

/// The numbers of all pictures in a file or URL, in the order of showing.
pub(crate) fn counters(media: &str) -> Vec<u64> {
    let pictures = ffmpeg::pictures(media, READ_WIDTH, READ_HEIGHT);
    let read = |(place, luma): (usize, &Vec<u8>)| {
        read_counter(luma, READ_WIDTH, READ_HEIGHT)
            .unwrap_or_else(|| panic!("picture {place} of {} is no test card", pictures.len()))
    };
    pictures.iter().enumerate().map(read).collect()
}
