//! The judge of what lookback gives out.
//!
//! It takes a transport stream apart by itself as far as the packets go, and leaves the rest to
//! ffmpeg and to the numbers that the test card shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::card;
use super::ffmpeg::{complaints, number, probe};
use super::text;

const PACKET: usize = 188;

/// A stretch of the test card as it came out.
pub(crate) struct Cut {
    /// The numbers of the pictures that are shown, in the order of showing.
    pub(crate) counters: Vec<u64>,
    /// The codecs of all streams, in ffprobe's words.
    pub(crate) codecs: Vec<String>,
    /// From the first to the last access unit of the first stream.
    pub(crate) seconds: f64,
    /// Access units of the first stream.
    pub(crate) units: usize,
}

impl Cut {
    /// Judges what lookback gave out: it is a clean stream, decodes without a word, every picture of
    /// it, and no picture of the card is missing.
    pub(crate) fn judge(file: &Path) -> Self {
        check_packets(&fs::read(file).expect("the cut can be read"));
        Self::judge_copy(file)
    }

    /// The same for what a player has written down in packets of its own.
    pub(crate) fn judge_copy(file: &Path) -> Self {
        let cut = Self::read(file);
        assert_contiguous(&cut.counters);
        if cut.has_video() {
            assert_eq!(cut.counters.len(), cut.units, "every picture decodes");
        }
        cut
    }

    /// The same for a stream whose first pictures are there to be decoded but not to be shown.
    pub(crate) fn judge_refreshing(file: &Path) -> Self {
        let cut = Self::judge_joined(file);
        assert_contiguous(&cut.counters);
        cut
    }

    /// The same for several recordings in a row.
    pub(crate) fn judge_joined(file: &Path) -> Self {
        check_packets(&fs::read(file).expect("the cut can be read"));
        Self::read(file)
    }

    fn read(file: &Path) -> Self {
        let media = text(file);
        assert_eq!(
            complaints(media),
            "",
            "ffmpeg decodes {media} without a word"
        );
        let probed = probe(media, "-show_streams -show_packets");
        let packets = array(&probed["packets"]);
        check_timestamps(packets);
        let codec = |stream: &Value| {
            stream["codec_name"]
                .as_str()
                .expect("a known codec")
                .to_owned()
        };
        let mut cut = Self {
            counters: Vec::new(),
            codecs: array(&probed["streams"]).iter().map(codec).collect(),
            seconds: span(packets),
            units: packets
                .iter()
                .filter(|packet| packet["stream_index"] == 0)
                .count(),
        };
        if cut.has_video() {
            cut.counters = card::counters(media);
        }
        cut
    }

    pub(crate) fn first(&self) -> u64 {
        *self.counters.first().expect("a picture")
    }

    pub(crate) fn last(&self) -> u64 {
        *self.counters.last().expect("a picture")
    }

    fn has_video(&self) -> bool {
        ["h264", "hevc", "mpeg2video"].contains(&self.codecs[0].as_str())
    }
}

/// Each picture is followed by the next one of the card.
pub(crate) fn assert_contiguous(counters: &[u64]) {
    for pair in counters.windows(2) {
        assert_eq!(pair[1], pair[0] + 1, "no picture is missing: {counters:?}");
    }
}

/// Whole packets, tables first, and counters that go on (ISO/IEC 13818-1, 2.4.3.3).
fn check_packets(stream: &[u8]) {
    assert_eq!(stream.len() % PACKET, 0, "whole packets");
    let mut counters = BTreeMap::new();
    for (place, packet) in stream.chunks_exact(PACKET).enumerate() {
        assert_eq!(packet[0], 0x47, "packet {place} begins with the sync byte");
        assert_eq!(
            packet[1] & 0x80,
            0,
            "packet {place} is not marked as damaged"
        );
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        assert!(
            place > 0 || pid == 0,
            "the PAT comes first, not PID {pid:#x}"
        );
        let has_payload = packet[3] & 0x10 != 0;
        if pid == 0x1fff || !has_payload {
            continue;
        }
        let counter = packet[3] & 0x0f;
        if let Some(before) = counters.insert(pid, counter) {
            assert_eq!(
                counter,
                (before + 1) & 0x0f,
                "packet {place}: PID {pid:#x} goes on"
            );
        }
    }
}

/// Each stream's decoding times rise, and no two pictures are shown at the same time.
fn check_timestamps(packets: &[Value]) {
    let mut last_dts = BTreeMap::new();
    let mut shown = BTreeMap::new();
    for packet in packets {
        let stream = packet["stream_index"].as_u64();
        let (dts, pts) = (packet["dts"].as_i64(), packet["pts"].as_i64());
        assert!(
            dts.is_some() && pts.is_some(),
            "a packet without a time: {packet}"
        );
        if let Some(before) = last_dts.insert(stream, dts) {
            assert!(
                dts > before,
                "stream {stream:?}: {dts:?} follows {before:?}"
            );
        }
        let twice = shown.insert((stream, pts), ()).is_some();
        assert!(!twice, "stream {stream:?} shows twice at {pts:?}");
    }
}

/// From the first to the last time at which something of the first stream is shown.
fn span(packets: &[Value]) -> f64 {
    let first = packets.iter().filter(|packet| packet["stream_index"] == 0);
    let times = first.map(|packet| number(&packet["pts_time"]));
    let (start, end) = times.fold((f64::MAX, f64::MIN), |(start, end), time| {
        (start.min(time), end.max(time))
    });
    end - start
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
