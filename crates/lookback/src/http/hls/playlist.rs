//! Playlists (RFC 8216 4): text that is made of segments, and of nothing else.

use std::fmt::Write;
use std::time::Duration;

use lookback_mp4::{carries, language};
use lookback_replay::{Program, Segment, SegmentPart, Segments};

use super::{Kind, sounds};
use crate::time::rfc3339;

const BEGIN: &str = "#EXTM3U\n#EXT-X-VERSION:7\n";
/// The same of a playlist that leaves out what the player has.
const BEGIN_DELTA: &str = "#EXTM3U\n#EXT-X-VERSION:9\n";

/// How far from the end everything is said again, in the longest segments: the least that there may be.
const SKIP_UNTIL: f64 = 6.0;

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
    let kinds = kinds(program);
    let mut text = BEGIN.to_owned();
    if kinds.len() > 1 {
        for (&stream, number) in sounds.iter().zip(1..) {
            rendition(program, stream, number, query, &mut text);
        }
    }
    variant(segments, &sounds, kinds[0], &mut text);
    writeln!(text, "{}.m3u8{query}", kinds[0]).expect(NEVER_FAILS);
    text
}

/// The media playlists of a program: the one that is watched, and the tracks of sound that go with it.
fn kinds(program: &Program) -> Vec<Kind> {
    let sounds = sounds(program).len();
    match program.codecs().first() {
        Some(&first) if !carries(first) => vec![Kind::Ts],
        Some(first) if first.is_video() && sounds > 1 => {
            let sounds = (1..=sounds).map(Kind::Sound);
            [Kind::Video].into_iter().chain(sounds).collect()
        }
        _ => vec![Kind::All],
    }
}

/// A media playlist: all segments of the window, and the parts of the newest. It has no end, since the channel may
/// go on. As a `delta` it leaves out the segments far from its end, which the player knows.
pub(super) fn media(segments: &Segments, kind: Kind, links: &Links<'_>, delta: bool) -> String {
    let has_parts = !kind.is_ts() && segments.program.video().is_some();
    let first = segments.list.first();
    let target = segments.longest.as_secs_f64().ceil().max(1.0);
    let (number, run) = first.map_or((0, 0), |first| (first.number, first.run));
    let known = match delta {
        true => known(&segments.list, SKIP_UNTIL * target),
        false => 0,
    };
    let mut text = if known > 0 { BEGIN_DELTA } else { BEGIN }.to_owned();
    for line in [
        format!("#EXT-X-TARGETDURATION:{target}"),
        server_control(has_parts, target),
        format!("#EXT-X-MEDIA-SEQUENCE:{number}"),
        format!("#EXT-X-DISCONTINUITY-SEQUENCE:{run}"),
    ] {
        writeln!(text, "{line}").expect(NEVER_FAILS);
    }
    let mut all = segments.list.iter().chain(&segments.current);
    if matches!(kind, Kind::Sound(_)) || all.all(|segment| segment.is_closed) {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    if known > 0 {
        writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={known}").expect(NEVER_FAILS);
    }
    let ending = if kind.is_ts() { "ts" } else { "m4s" };
    let Links { id, query } = links;
    let (known, list) = segments.list.split_at(known);
    let mut before = known.last();
    for segment in list {
        head(segment, before, kind, links, &mut text);
        if has_parts {
            parts(segments, segment, kind, links, &mut text);
        }
        let (number, length) = (segment.number, segment.duration().as_secs_f64());
        writeln!(text, "#EXTINF:{length:.5},").expect(NEVER_FAILS);
        writeln!(text, "{kind}/{id}-{number}.{ending}{query}").expect(NEVER_FAILS);
        before = Some(segment);
    }
    // Of another run, or with other parameter sets, it is not known yet what stands in front of it.
    let current = segments.current.as_ref();
    let goes_on = |current: &&Segment| before.map(map_of) == Some(map_of(current));
    if let Some(current) = current.filter(goes_on).filter(|_| has_parts) {
        head(current, before, kind, links, &mut text);
        let next = parts(segments, current, kind, links, &mut text);
        let uri = part_uri(current, next, kind, links);
        writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,{uri}").expect(NEVER_FAILS);
        reports(segments, kind, query, &mut text);
    }
    text
}

/// How far the other playlists are that are watched together with this one: as far as it is itself.
fn reports(segments: &Segments, kind: Kind, query: &str, text: &mut String) {
    let kinds = kinds(&segments.program);
    let newest = segments.list.last().map(|segment| segment.number);
    let part = segments.parts.last();
    let part = part.filter(|part| Some(part.number) >= newest);
    let Some(segment) = part.map(|part| part.number).or(newest) else {
        return;
    };
    let part = part.map_or_else(String::new, |part| format!(",LAST-PART={}", part.index));
    let others = kinds.iter().filter(|other| **other != kind);
    for other in others.filter(|_| kinds.contains(&kind)) {
        let uri = format!("URI=\"{other}.m3u8{query}\"");
        writeln!(
            text,
            "#EXT-X-RENDITION-REPORT:{uri},LAST-MSN={segment}{part}"
        )
        .expect(NEVER_FAILS);
    }
}

/// How many segments lie wholly further from the end than so many seconds.
fn known(list: &[Segment], until: f64) -> usize {
    let mut from_end = 0.0;
    let near = list.iter().rev().take_while(|segment| {
        let is_near = from_end < until;
        from_end += segment.duration().as_secs_f64();
        is_near
    });
    list.len() - near.count()
}

/// What stands in front of a segment, whether it is complete or not.
fn head(
    segment: &Segment,
    before: Option<&Segment>,
    kind: Kind,
    links: &Links<'_>,
    text: &mut String,
) {
    let Links { id, query } = links;
    // One for each run: of one that had no segment as well, or players would count wrong.
    let runs = before.map_or(0, |before| segment.run - before.run);
    for _ in 0..runs {
        text.push_str("#EXT-X-DISCONTINUITY\n");
    }
    if !kind.is_ts() && before.map(map_of) != Some(map_of(segment)) {
        let (run, parameters) = map_of(segment);
        let uri = format!("{kind}/{id}-{run}-{parameters}.mp4{query}");
        writeln!(text, "#EXT-X-MAP:URI=\"{uri}\"").expect(NEVER_FAILS);
    }
    let start = rfc3339(segment.start);
    writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{start}").expect(NEVER_FAILS);
}

/// The parts of a segment that there are, if they are listed still. Gives how many.
fn parts(
    segments: &Segments,
    segment: &Segment,
    kind: Kind,
    links: &Links<'_>,
    text: &mut String,
) -> usize {
    let mut count = 0;
    let parts = segments.parts.iter();
    for part in parts.filter(|part| part.number == segment.number) {
        let length = part.duration().as_secs_f64();
        let uri = part_uri(segment, part.index, kind, links);
        let independent = match part.is_independent || matches!(kind, Kind::Sound(_)) {
            true => ",INDEPENDENT=YES",
            false => "",
        };
        writeln!(text, "#EXT-X-PART:DURATION={length:.5},{uri}{independent}").expect(NEVER_FAILS);
        count += 1;
    }
    count
}

fn part_uri(segment: &Segment, index: usize, kind: Kind, links: &Links<'_>) -> String {
    let (number, Links { id, query }) = (segment.number, links);
    format!("URI=\"{kind}/{id}-{number}.{index}.m4s{query}\"")
}

/// The initialization segment that a segment needs.
fn map_of(segment: &Segment) -> (u64, u64) {
    (segment.run, segment.parameters)
}

/// What a player may ask, and how far from the end it stays: three parts.
fn server_control(has_parts: bool, target: f64) -> String {
    let skip_until = SKIP_UNTIL * target;
    let control =
        format!("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={skip_until:.1}");
    if !has_parts {
        return control;
    }
    let part = SegmentPart::LENGTH_MAX.as_secs_f64();
    let hold_back = 3.0 * part;
    format!("{control},PART-HOLD-BACK={hold_back:.3}\n#EXT-X-PART-INF:PART-TARGET={part:.3}")
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
