//! Playlists (RFC 8216 4): text that is made of segments, and of nothing else.

use std::fmt::Write;
use std::time::Duration;

use lookback_mp4::{carries, language};
use lookback_replay::{Program, Segment, Segments};

use super::{Kind, sounds};
use crate::time::rfc3339;

const BEGIN: &str = "#EXTM3U\n#EXT-X-VERSION:7\n";

/// Writing to a text.
const NEVER_FAILS: &str = "a String takes any text";

/// What addresses are made with.
pub(super) struct Links<'a> {
    /// What tells the segments of this process from others.
    pub(super) id: &'a str,
    /// What stands behind each address.
    pub(super) query: String,
}

/// The multivariant playlist: what the newest run has, for players to judge whether they can play it.
pub(super) fn index(segments: &Segments, links: &Links<'_>) -> String {
    let program = &segments.program;
    let query = &links.query;
    let sounds = sounds(program);
    let mut text = BEGIN.to_owned();
    let kind = match program.codecs().first() {
        Some(&first) if !carries(first) => Kind::Ts,
        Some(first) if first.is_video() && sounds.len() > 1 => Kind::Video,
        _ => Kind::All,
    };
    if kind == Kind::Video {
        for (&stream, number) in sounds.iter().zip(1..) {
            rendition(program, stream, number, query, &mut text);
        }
    }
    variant(segments, &sounds, kind, &mut text);
    writeln!(text, "{kind}.m3u8{query}").expect(NEVER_FAILS);
    text
}

/// A media playlist: all segments of the window. It has no end, since the channel may go on.
pub(super) fn media(segments: &Segments, kind: Kind, links: &Links<'_>) -> String {
    let Links { id, query } = links;
    let mut text = BEGIN.to_owned();
    let write = |text: &mut String, line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let first = segments.list.first();
    let target = segments.longest.as_secs_f64().ceil().max(1.0);
    write(&mut text, format!("#EXT-X-TARGETDURATION:{target}"));
    let (number, run) = first.map_or((0, 0), |first| (first.number, first.run));
    write(&mut text, format!("#EXT-X-MEDIA-SEQUENCE:{number}"));
    write(&mut text, format!("#EXT-X-DISCONTINUITY-SEQUENCE:{run}"));
    let ending = if kind == Kind::Ts { "ts" } else { "m4s" };
    let mut before: Option<&Segment> = None;
    for segment in &segments.list {
        // One for each run: of one that had no segment as well, or players would count wrong.
        let runs = before.map_or(0, |before| segment.run - before.run);
        for _ in 0..runs {
            write(&mut text, "#EXT-X-DISCONTINUITY".to_owned());
        }
        let map = |segment: &Segment| (segment.run, segment.parameters);
        if kind != Kind::Ts && before.map(map) != Some(map(segment)) {
            let (run, parameters) = map(segment);
            let uri = format!("{kind}/{id}-{run}-{parameters}.mp4{query}");
            write(&mut text, format!("#EXT-X-MAP:URI=\"{uri}\""));
        }
        let start = rfc3339(segment.start);
        write(&mut text, format!("#EXT-X-PROGRAM-DATE-TIME:{start}"));
        let length = segment.duration().as_secs_f64();
        write(&mut text, format!("#EXTINF:{length:.5},"));
        let number = segment.number;
        write(&mut text, format!("{kind}/{id}-{number}.{ending}{query}"));
        before = Some(segment);
    }
    text
}

/// A track of sound that can be chosen.
fn rendition(program: &Program, stream: usize, number: usize, query: &str, text: &mut String) {
    let language = language(&program.config().streams[stream].descriptors);
    let language = std::str::from_utf8(&language)
        .ok()
        .filter(|&language| language != "und");
    let is_first = number == 1;
    let yes = |is| if is { "YES" } else { "NO" };
    let name = language.map_or_else(
        || number.to_string(),
        |language| format!("{number} {language}"),
    );
    write!(
        text,
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"{name}\",DEFAULT={},AUTOSELECT={}",
        yes(is_first),
        yes(is_first || language.is_some()),
    )
    .expect(NEVER_FAILS);
    if let Some(language) = language {
        write!(text, ",LANGUAGE=\"{language}\"").expect(NEVER_FAILS);
    }
    if let Some(format) = program.audio(stream) {
        write!(text, ",CHANNELS=\"{}\"", format.channels).expect(NEVER_FAILS);
    }
    let kind = Kind::Sound(number);
    writeln!(text, ",URI=\"{kind}.m3u8{query}\"").expect(NEVER_FAILS);
}

/// What a player judges by.
fn variant(segments: &Segments, sounds: &[usize], kind: Kind, text: &mut String) {
    let program = &segments.program;
    let (peak, average) = bandwidth(&segments.list);
    write!(
        text,
        "#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average}"
    )
    .expect(NEVER_FAILS);
    let mut codecs: Vec<&str> = Vec::new();
    let video = program.video().map(|video| video.codec_string.as_str());
    let audio = sounds
        .iter()
        .filter_map(|&stream| program.audio(stream))
        .map(|audio| audio.codec_string.as_str());
    for codec in video.into_iter().chain(audio) {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    if !codecs.is_empty() {
        write!(text, ",CODECS=\"{}\"", codecs.join(",")).expect(NEVER_FAILS);
    }
    if let Some(video) = program.video() {
        write!(text, ",RESOLUTION={}x{}", video.width, video.height).expect(NEVER_FAILS);
        if let Some((frames, seconds)) = video.frame_rate {
            let rate = f64::from(frames) / f64::from(seconds);
            write!(text, ",FRAME-RATE={rate:.3}").expect(NEVER_FAILS);
        }
    }
    if kind == Kind::Video {
        text.push_str(",AUDIO=\"sound\"");
    }
    text.push('\n');
}

/// Bits in a second: of the segment with the most, and of all. They are counted where they lie in the log, in the packets
/// of the transport stream, of which fragments are a little less.
fn bandwidth(list: &[Segment]) -> (u64, u64) {
    let longest = list.iter().map(Segment::duration).max().unwrap_or_default();
    let rate = |segments: &mut dyn Iterator<Item = &Segment>| {
        let (mut bytes, mut length) = (0, Duration::ZERO);
        for segment in segments {
            bytes += segment.offsets.end - segment.offsets.start;
            length += segment.duration();
        }
        (bytes as f64 * 8.0 / length.as_secs_f64().max(0.001)).ceil() as u64
    };
    // A short one at the end of a run, which may be a single large picture, says little (4.3.4.2).
    let peak = list
        .iter()
        .filter(|segment| segment.duration() * 2 >= longest)
        .map(|segment| rate(&mut std::iter::once(segment)))
        .max();
    (peak.unwrap_or(0), rate(&mut list.iter()))
}
