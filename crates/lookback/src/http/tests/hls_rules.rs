//! The rules of HLS (RFC 8216bis, and Apple's authoring specification as far as it speaks of servers), held against
//! every playlist while a window slides over several runs.

use std::collections::{BTreeMap, HashMap};

use lookback_mpegts::{MuxStream, Muxer, Pcr, Pid, Ticks};
use lookback_replay::{Selection, Wall};

use super::*;

/// What `--keep` says. Eight segments are a window.
const WINDOW: Duration = Duration::from_secs(16);
const RUN_SECONDS: f64 = 25.0;
/// How much is recorded between two looks.
const STEP_MILLIS: usize = 150;
/// Timestamps count in 90,000ths, and playlists in 100,000ths of a second.
const ROUNDING: f64 = 0.000_1;

#[tokio::test(start_paused = true)]
async fn one_track_of_sound() {
    follow(&video(RUN_SECONDS), &["all", "ts"]).await;
}

#[tokio::test(start_paused = true)]
async fn two_tracks_of_sound() {
    let video = with_second_sound(&video(RUN_SECONDS));
    follow(&video, &["video", "sound-1", "sound-2"]).await;
}

/// Records two runs of the same video, one behind the other, and looks at all playlists meanwhile.
async fn follow(video: &[u8], kinds: &[&'static str]) {
    let server = with_window(WINDOW);
    let channel = server.recorder.channel("main").expect("just added");
    let mut seen = kinds
        .iter()
        .map(|&kind| Seen::new(kind))
        .collect::<Vec<_>>();
    let steps = (RUN_SECONDS * 1000.0) as usize / STEP_MILLIS;
    let mut now = clock::now();
    for run in 0..2 {
        let mut writer = channel.connect("test", now).expect("it is free");
        for piece in video.chunks(video.len().div_ceil(steps)) {
            now = Wall(now.0 + (STEP_MILLIS * 1000) as i64);
            writer.write(piece, now);
            tokio::time::sleep(Duration::from_millis(STEP_MILLIS as u64)).await;
            if channel.segments().is_ok() {
                index(&server, kinds).await;
                for seen in &mut seen {
                    seen.look(&server, kinds).await;
                }
            }
        }
        drop(writer);
        for seen in &mut seen {
            seen.look(&server, kinds).await;
            assert!(seen.sequence > 0 || run == 0, "the window slides");
        }
    }
    for seen in seen {
        let numbers = seen.segments.keys();
        let last = numbers.max().expect("there are segments");
        assert_eq!(seen.segments.len() as u64, last + 1, "each was seen");
        // Behind the first run lies the second.
        assert_eq!(seen.segments[last].run, 1);
        assert!(seen.parts > 50 || seen.kind == "ts", "{} parts", seen.parts);
    }
}

/// The multivariant playlist.
async fn index(server: &Server, kinds: &[&str]) {
    let text = playlist_of(server, "index.m3u8").await;
    let (_, parsed) = m3u8_rs::parse_master_playlist(text.as_bytes()).expect("a playlist");
    let [variant] = &parsed.variants[..] else {
        panic!("one variant: {text}")
    };
    // What it names is there, and what is there it names; MPEG-TS is for who asks.
    let named: Vec<String> = parsed
        .alternatives
        .iter()
        .filter_map(|it| it.uri.clone())
        .collect();
    let renditions = kinds.iter().filter(|kind| kind.starts_with("sound"));
    let expected: Vec<String> = renditions.map(|kind| format!("{kind}.m3u8")).collect();
    assert_eq!(named, expected);
    assert_eq!(variant.uri, format!("{}.m3u8", kinds[0]));
    let average = variant.average_bandwidth.expect("AVERAGE-BANDWIDTH");
    assert!(average <= variant.bandwidth, "{text}");
    let codecs = variant.codecs.as_deref().expect("CODECS");
    assert!(codecs.starts_with("avc1.") && codecs.contains("mp4a.40.2"));
    assert!(variant.resolution.is_some() && variant.frame_rate == Some(30.0));
    assert_eq!(variant.audio.is_some(), !expected.is_empty());
    if let [first, others @ ..] = &parsed.alternatives[..] {
        assert!(first.default && first.autoselect);
        for other in others {
            assert!(!other.default && other.name != first.name);
            assert_eq!(other.group_id, first.group_id);
        }
    }
}

async fn playlist_of(server: &Server, path: &str) -> String {
    let response = server.get(&format!("/hls/main/{path}")).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let kind = header(&response, "content-type");
    assert_eq!(kind, Some("application/vnd.apple.mpegurl"));
    assert_eq!(header(&response, "cache-control"), Some("no-cache"));
    let bytes = bytes_of(response).await;
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// What has been seen of one media playlist.
struct Seen {
    kind: &'static str,
    sequence: u64,
    target: f64,
    segments: BTreeMap<u64, Segment>,
    /// The bytes of each address.
    bytes: HashMap<String, Bytes>,
    parts: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Segment {
    uri: String,
    length: f64,
    /// Discontinuities before it, since the beginning.
    run: u64,
    map: String,
    date: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
struct Part {
    uri: String,
    length: f64,
    is_independent: bool,
}

impl Seen {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            sequence: 0,
            target: 0.0,
            segments: BTreeMap::new(),
            bytes: HashMap::new(),
            parts: 0,
        }
    }

    /// Loads the playlist, and holds it against the rules and against what it was before.
    async fn look(&mut self, server: &Server, kinds: &[&str]) {
        let kind = self.kind;
        let text = playlist_of(server, &format!("{kind}.m3u8")).await;
        let list = List::of(&text);
        list.obeys_the_rules(kind, kinds);
        self.goes_on(&list);
        let delta = playlist_of(server, &format!("{kind}.m3u8?_HLS_skip=YES")).await;
        list.is_told_by(&delta, &text);
        self.load(server, &list).await;
    }

    /// What was told stays so (6.2.1, 6.2.2).
    fn goes_on(&mut self, list: &List) {
        let text = &list.text;
        assert!(
            list.sequence >= self.sequence && list.target >= self.target,
            "{text}"
        );
        (self.sequence, self.target) = (list.sequence, list.target);
        let last = self.segments.keys().next_back().copied();
        assert!(last <= Some(list.sequence + list.segments.len() as u64));
        for (segment, number) in list.segments.iter().zip(list.sequence..) {
            let known = self
                .segments
                .entry(number)
                .or_insert_with(|| segment.clone());
            // When it was recorded is told as exactly as is known by then, and the rest as it was.
            let later = millis(&known.date) - millis(&segment.date);
            assert!(
                (0..2 * STEP_MILLIS as i64).contains(&later),
                "{later} ms: {text}"
            );
            let same = Segment {
                parts: known.parts.clone(),
                date: known.date.clone(),
                ..segment.clone()
            };
            assert_eq!(*known, same, "segment {number}: {text}");
            // Parts are not told of for ever; while they are they stay.
            assert!(
                segment.parts.is_empty() || segment.parts == known.parts,
                "{text}"
            );
        }
    }

    /// Loads each address: it has the same bytes whenever it is asked for.
    async fn load(&mut self, server: &Server, list: &List) {
        let newest = list.segments.iter().rev().take(2);
        let of_newest = newest.flat_map(|segment| {
            let parts = segment.parts.iter().map(|part| &part.uri);
            parts.chain([&segment.uri, &segment.map])
        });
        let oldest = list.segments.iter().take(2).map(|segment| &segment.uri);
        let open = list.open.iter().map(|part| &part.uri);
        let all: Vec<&String> = of_newest.chain(oldest).chain(open).collect();
        for uri in all.into_iter().filter(|uri| !uri.is_empty()) {
            let response = server.get(&format!("/hls/main/{uri}")).await;
            assert_eq!(response.status(), StatusCode::OK, "{uri}: {}", list.text);
            let kind = header(&response, "content-type").expect("a type");
            let of_segment = if self.kind == "ts" {
                "video/mp2t"
            } else {
                "video/iso.segment"
            };
            let is_map = uri.ends_with(".mp4");
            assert_eq!(kind, if is_map { "video/mp4" } else { of_segment });
            let caching = header(&response, "cache-control").expect("it may be kept");
            assert!(caching.contains("immutable"), "{caching}");
            let bytes = bytes_of(response).await;
            assert!(!bytes.is_empty(), "{uri}");
            if let Some(before) = self.bytes.get(uri) {
                assert!(*before == bytes, "{uri} has changed");
            } else {
                self.parts += usize::from(uri.matches('.').count() == 2);
                self.bytes.insert(uri.clone(), bytes);
            }
        }
    }
}

/// A media playlist as a player reads it.
#[derive(Default)]
struct List {
    text: String,
    version: u32,
    target: f64,
    sequence: u64,
    segments: Vec<Segment>,
    /// The parts of the segment that is being recorded.
    open: Vec<Part>,
    attributes: HashMap<String, String>,
    hint: Option<String>,
    /// Address, segment and part.
    reports: Vec<(String, u64, Option<usize>)>,
}

impl List {
    fn of(text: &str) -> Self {
        m3u8_rs::parse_media_playlist(text.as_bytes()).expect("a playlist");
        assert!(text.starts_with("#EXTM3U\n"));
        let mut list = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        let mut next = Segment::default();
        for line in text.lines().skip(1) {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let attributes = attributes(value);
            let attribute = |name: &str| {
                let found = attributes.get(name);
                found.unwrap_or_else(|| panic!("{name}: {line}")).clone()
            };
            match tag {
                "#EXT-X-VERSION" => list.version = parsed(value),
                "#EXT-X-TARGETDURATION" => list.target = f64::from(parsed::<u32>(value)),
                "#EXT-X-MEDIA-SEQUENCE" => list.sequence = parsed(value),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => next.run = parsed(value),
                "#EXT-X-SERVER-CONTROL" | "#EXT-X-PART-INF" => list.attributes.extend(attributes),
                "#EXT-X-DISCONTINUITY" => {
                    next.run += 1;
                    next.map.clear();
                }
                "#EXT-X-MAP" => next.map = attribute("URI"),
                "#EXT-X-PROGRAM-DATE-TIME" => next.date = value.to_owned(),
                "#EXTINF" => next.length = parsed(value.trim_end_matches(',')),
                "#EXT-X-PART" => next.parts.push(Part {
                    uri: attribute("URI"),
                    length: parsed(&attribute("DURATION")),
                    is_independent: line.ends_with(",INDEPENDENT=YES"),
                }),
                "#EXT-X-PRELOAD-HINT" => list.hint = Some(attribute("URI")),
                "#EXT-X-RENDITION-REPORT" => list.reports.push((
                    attribute("URI"),
                    parsed(&attribute("LAST-MSN")),
                    attributes.get("LAST-PART").map(|part| parsed(part)),
                )),
                "#EXT-X-INDEPENDENT-SEGMENTS" => {
                    list.attributes.insert(tag.to_owned(), String::new());
                }
                tag if tag.starts_with('#') => panic!("what is {line}?"),
                uri => {
                    uri.clone_into(&mut next.uri);
                    let (run, map) = (next.run, next.map.clone());
                    list.segments.push(std::mem::take(&mut next));
                    (next.run, next.map) = (run, map);
                }
            }
        }
        list.open = next.parts;
        list
    }

    fn obeys_the_rules(&self, kind: &str, kinds: &[&str]) {
        let text = &self.text;
        let seconds = |name: &str| self.attributes.get(name).map(|value| parsed::<f64>(value));
        let is_fragments = kind != "ts";
        assert!(self.version >= if is_fragments { 6 } else { 3 }, "{text}");
        // The card has closed groups of pictures.
        assert!(self.attributes.contains_key("#EXT-X-INDEPENDENT-SEGMENTS"));
        assert_eq!(self.attributes["CAN-BLOCK-RELOAD"], "YES");
        assert!(
            seconds("CAN-SKIP-UNTIL") >= Some(6.0 * self.target),
            "{text}"
        );
        for (segment, next) in self.segments.iter().zip(self.segments.iter().skip(1)) {
            if segment.run == next.run {
                let apart = millis(&next.date) - millis(&segment.date);
                let length = (segment.length * 1000.0) as i64;
                assert!(
                    (apart - length).abs() <= 2,
                    "{apart} and not {length}: {text}"
                );
            }
        }
        for segment in &self.segments {
            assert!(segment.length.round() <= self.target, "{text}");
            assert_eq!(segment.map.is_empty(), !is_fragments, "{text}");
            assert!(!segment.date.is_empty());
        }
        let Some(part_target) = seconds("PART-TARGET").filter(|_| is_fragments) else {
            assert!(!is_fragments && self.hint.is_none() && self.open.is_empty());
            return;
        };
        assert!(
            seconds("PART-HOLD-BACK") >= Some(3.0 * part_target),
            "{text}"
        );
        let mut from_end: f64 = self.open.iter().map(|part| part.length).sum();
        for (at, segment) in self.segments.iter().enumerate().rev() {
            let is_first_of_run = at
                .checked_sub(1)
                .is_none_or(|at| self.segments[at].run != segment.run);
            let is_far = from_end > 3.0 * self.target;
            assert!(
                is_far || is_first_of_run || !segment.parts.is_empty(),
                "{text}"
            );
            if let [others @ .., _] = &segment.parts[..] {
                self.parts_obey(others, part_target);
                let sum: f64 = segment.parts.iter().map(|part| part.length).sum();
                let rounding = ROUNDING * segment.parts.len() as f64;
                assert!((sum - segment.length).abs() < rounding, "{sum}: {text}");
                assert!(segment.parts.iter().all(|part| part.length <= part_target));
                assert!(segment.parts[0].is_independent, "{text}");
            }
            from_end += segment.length;
        }
        self.parts_obey(&self.open, part_target);
        let listed = self
            .segments
            .iter()
            .flat_map(|segment| &segment.parts)
            .chain(&self.open);
        if let Some(hint) = &self.hint {
            assert!(listed.clone().all(|part| part.uri != *hint), "{text}");
            self.reports_on(kind, kinds);
        } else {
            assert!(self.open.is_empty(), "{text}");
        }
    }

    /// Those that are not the last of their segment (4.4.4.9, 4.4.3.7).
    fn parts_obey(&self, parts: &[Part], target: f64) {
        for part in parts {
            let is_long = part.length >= 0.85 * target;
            assert!(part.length <= target && is_long, "{part:?}: {}", self.text);
        }
    }

    /// What it says of the others that go with it (B.1).
    fn reports_on(&self, kind: &str, kinds: &[&str]) {
        let others = kinds
            .iter()
            .filter(|other| **other != kind && **other != "ts");
        let behind = self.sequence + self.segments.len() as u64;
        let last = match (self.open.len(), self.segments.last()) {
            (0, Some(segment)) => (behind - 1, segment.parts.len()),
            (parts, _) => (behind, parts),
        };
        let expected: Vec<(String, u64, Option<usize>)> = others
            .map(|other| (format!("{other}.m3u8"), last.0, last.1.checked_sub(1)))
            .collect();
        assert_eq!(self.reports, expected, "{}", self.text);
    }

    /// A delta update says the same, and leaves out what is far from the end (6.2.5.1).
    fn is_told_by(&self, delta: &str, text: &str) {
        let Some((head, rest)) = delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=") else {
            assert_eq!(delta, text);
            return;
        };
        assert!(head.contains("#EXT-X-VERSION:9\n"), "{head}");
        let (skipped, rest) = rest.split_once('\n').expect("more");
        assert!(text.ends_with(rest), "{rest}");
        let known = self.segments.len() - rest.matches("#EXTINF").count();
        assert_eq!(parsed::<usize>(skipped), known);
        let told: f64 = self.segments[known..]
            .iter()
            .map(|segment| segment.length)
            .sum();
        assert!(told >= 6.0 * self.target, "{told}");
    }
}

/// `NAME=value,NAME="value"`, without the quotes.
fn attributes(mut text: &str) -> HashMap<String, String> {
    let mut attributes = HashMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(rest) => rest.split_once('"').expect("an end of the quotes"),
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        attributes.insert(name.to_owned(), value.to_owned());
        text = rest.trim_start_matches(',');
    }
    attributes
}

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("what is {text}?"))
}

fn millis(date: &str) -> i64 {
    let date: jiff::Timestamp = parsed(date);
    date.as_millisecond()
}

/// The same with its sound a second time, as another track.
fn with_second_sound(video: &[u8]) -> Vec<u8> {
    let recorder = recorder();
    let channel = recorder.add_channel("whole");
    record(&channel, video, clock::now());
    let clip = channel
        .clip(Selection::default(), clock::now())
        .expect("a clip");
    let mut config = clip.program().config().clone();
    let [_, sound] = &config.streams[..] else {
        panic!("pictures and sound: {config:?}")
    };
    let pid = Pid::new(sound.pid.value() + 1);
    config.streams.push(MuxStream {
        pid,
        ..sound.clone()
    });
    let mut muxer = Muxer::new(config);
    let (mut units, mut out) = (clip.units(), Vec::new());
    while let Some(unit) = units.next().expect("it is kept") {
        if unit.random_access && unit.stream == 0 {
            muxer.write_tables(&mut out);
        }
        let payload: Vec<&[u8]> = unit.payload.iter().map(|piece| &piece[..]).collect();
        let streams = if unit.stream == 0 { 0..1 } else { 1..3 };
        for stream in streams {
            let unit = lookback_mpegts::Unit {
                stream,
                pts: unit.pts,
                dts: unit.dts,
                random_access: unit.random_access,
                pcr: (stream == 0).then(|| Pcr::from(unit.dts - Ticks(9000))),
                payload: &payload,
            };
            muxer.write_unit(&mut out, unit);
        }
    }
    out
}
