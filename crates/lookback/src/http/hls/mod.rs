//! HLS over the whole window of a channel (RFC 8216): `/hls/CHANNEL/index.m3u8`.
//!
//! ```text
//! index.m3u8    what there is: one variant, and with several tracks of sound a rendition of each
//! all.m3u8      pictures and the sound, in fragmented MP4        all/ID-NUMBER.m4s
//! video.m3u8    pictures alone                                   video/ID-NUMBER.m4s
//! sound-1.m3u8  one track of sound                               sound-1/ID-NUMBER.m4s
//! ts.m3u8       pictures and all sound, as MPEG-TS               ts/ID-NUMBER.ts
//! preview.m3u8  a small H.264 picture and sound, as MPEG-TS      preview/ID-NUMBER.ts
//! ```
//!
//! Of the segment that is being recorded there are parts, `KIND/ID-NUMBER.PART.m4s`, and who asks for a playlist or a
//! part that is still to come is answered when it has come (low-latency HLS, RFC 8216bis).
//!
//! Segments are made when they are asked for, and kept for some seconds, for others who ask. The ID is another one in each process, since
//! numbers begin anew: so an address never means other bytes, and caches may keep what they have got.

mod edges;
mod playlist;
mod preview;
mod recent;

use std::collections::VecDeque;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header, response};
use axum::response::Response;
use lookback_mp4::{Segment as Fragment, carries};
use lookback_replay::{Channel, Clip, Program, Segment, SegmentError, SegmentPart, Segments};
use serde::Deserialize;
use tokio::task;

use self::edges::Edges;
use self::playlist::Links;
use self::recent::{Made, Recent};
use super::App;
use super::body::PieceBody;
use super::guard::QueryToken;
use super::media::{Finish, MPEG_TS, stored};
use super::problem::Problem;
use super::range::none_match_names;
use super::replays::Words;
use super::selection::channel;
use crate::transport::Transport;

/// Addresses are not used again, and nobody guesses them.
const IMMUTABLE: &str = "public, max-age=86400, immutable";

const PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// Initialization segments that are kept: one or two kilobytes each, one for each kind and run.
const MAPS_MAX: usize = 256;

/// What a stream of segments consists of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// All streams, as fragmented MP4.
    All,
    /// Pictures alone.
    Video,
    /// One track of sound, counted from 1.
    Sound(usize),
    /// All streams, as MPEG-TS.
    Ts,
    /// A small H.264 picture and one track of sound, as MPEG-TS, made by ffmpeg.
    Preview,
}

/// What all segments of this process have in common.
pub(super) struct Hls {
    /// In all addresses.
    id: String,
    maps: Mutex<VecDeque<(MapId, Arc<Map>)>>,
    edges: Arc<Edges>,
    recent: Arc<Recent>,
}

/// What a playlist has to have, which is waited for.
#[derive(Deserialize)]
pub(super) struct Reload {
    #[serde(rename = "_HLS_msn")]
    segment: Option<u64>,
    #[serde(rename = "_HLS_part")]
    part: Option<usize>,
    /// Whether the player knows what is far from the end.
    #[serde(rename = "_HLS_skip")]
    skip: Option<String>,
}

/// Which segments a map is for.
#[derive(Clone, Debug, Eq, PartialEq)]
struct MapId {
    channel: String,
    kind: Kind,
    run: u64,
    parameters: u64,
}

/// An initialization segment. It is made once, so that it stays what it was.
struct Map {
    bytes: Bytes,
    /// The streams in it, and so in all segments that go with it.
    streams: Vec<usize>,
}

/// `GET /hls/CHANNEL/index.m3u8`, and the playlists that it names.
pub(super) async fn playlist(
    State(app): State<Arc<App>>,
    Path((name, file)): Path<(String, String)>,
    Words(reload): Words<Reload>,
    token: Option<Extension<QueryToken>>,
) -> Result<Response, Problem> {
    let channel = channel(&app.recorder, Some(&name))?;
    reload.wait(&app.hls, &channel).await?;
    let kind = match file.strip_suffix(".m3u8").ok_or_else(unknown)? {
        "index" => None,
        kind => Some(kind.parse::<Kind>()?),
    };
    if kind == Some(Kind::Preview) {
        app.jobs.makes_previews().await?;
    }
    let segments = channel.segments()?;
    // Who cannot set a header shows the token everywhere.
    let links = Links {
        id: &app.hls.id,
        query: token.map_or_else(String::new, |Extension(QueryToken(token))| {
            format!("?token={token}")
        }),
    };
    let text = match kind {
        None => playlist::index(&segments, &links),
        Some(kind) => playlist::media(&segments, kind, &links, reload.skip.is_some()),
    };
    response::Builder::new()
        .header(header::CONTENT_TYPE, PLAYLIST)
        .header(header::CACHE_CONTROL, "no-cache")
        .finish(Body::from(text))
}

/// `GET /hls/CHANNEL/KIND/FILE`: a segment, or what stands in front of segments.
pub(super) async fn media(
    State(app): State<Arc<App>>,
    Path((name, kind, file)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let channel = channel(&app.recorder, Some(&name))?;
    let kind: Kind = kind.parse()?;
    let (id, rest) = file.split_once('-').ok_or_else(unknown)?;
    if id != app.hls.id {
        return Err(SegmentError::Passed.into());
    }
    let tag = format!("\"{name}-{kind}-{file}\"");
    let head = response::Builder::new().header(header::CACHE_CONTROL, IMMUTABLE);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    if none_match_names(known, &tag) {
        return head
            .header(header::ETAG, tag)
            .status(StatusCode::NOT_MODIFIED)
            .finish(Body::empty());
    }
    match (kind, rest.rsplit_once('.')) {
        (Kind::Ts, Some((number, "ts"))) => {
            let (segment, clip) = channel.segment(number.parse().map_err(|_| unknown())?)?;
            let units = clip.units_of(&segment);
            let body = PieceBody::new(units, Transport::piece(&clip.program()));
            head.header(header::CONTENT_TYPE, MPEG_TS)
                .header(header::ETAG, tag)
                .finish(Body::new(body))
        }
        (Kind::Preview, Some((number, "ts"))) => {
            let (segment, clip) = channel.segment(number.parse().map_err(|_| unknown())?)?;
            let head = head.header(header::CONTENT_TYPE, MPEG_TS);
            let preview = preview::of(&app, segment, &clip).await?;
            stored(&headers, &tag, head, &preview)
        }
        (_, Some((number, "m4s"))) if !kind.is_ts() => {
            let of = number.split('.').next().and_then(|of| of.parse().ok());
            if channel.has_passed(of.ok_or_else(unknown)?) {
                return Err(SegmentError::Passed.into());
            }
            let make = app.hls.made(&channel, kind, number);
            let made = app.hls.recent.get(&tag, make).await?;
            let head = head.header(header::CONTENT_TYPE, "video/iso.segment");
            stored(&headers, &tag, head, &made)
        }
        (_, Some((map, "mp4"))) if !kind.is_ts() => {
            let (run, parameters) = map.split_once('-').ok_or_else(unknown)?;
            let number = |text: &str| text.parse().map_err(|_| unknown());
            let map = app
                .hls
                .map(&channel, kind, number(run)?, number(parameters)?)
                .await?;
            head.header(header::CONTENT_TYPE, "video/mp4")
                .header(header::ETAG, tag)
                .finish(Body::from(map.bytes.clone()))
        }
        _ => Err(unknown()),
    }
}

impl Reload {
    /// Waits until the playlist has what is asked for.
    async fn wait(&self, hls: &Hls, channel: &Arc<Channel>) -> Result<(), Problem> {
        let wanted = match (self.segment, self.part) {
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err(Problem::bad_request("_HLS_part goes with _HLS_msn")),
            (Some(segment), None) => (segment.saturating_add(1), 0),
            (Some(segment), Some(part)) => (segment, part.saturating_add(1)),
        };
        if wanted.0 > channel.edge().0.saturating_add(2) {
            let detail = "_HLS_msn lies far behind what is there: load the playlist without it";
            return Err(Problem::bad_request(detail));
        }
        match hls.edges.reached(channel, wanted).await {
            true => Ok(()),
            false => {
                let detail = "nothing has come for a while: is the source still sending?";
                let not_yet = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_yet", detail);
                Err(not_yet.with(header::RETRY_AFTER, "1".to_owned()))
            }
        }
    }
}

impl Hls {
    pub(super) fn new(memory_limit: u64) -> Self {
        Self {
            id: format!("{:016x}", RandomState::new().hash_one("hls")),
            maps: Mutex::default(),
            edges: Arc::default(),
            recent: Arc::new(Recent::new(memory_limit)),
        }
    }

    /// A segment, or a part of one, with the streams of a kind.
    async fn made(
        &self,
        channel: &Arc<Channel>,
        kind: Kind,
        number: &str,
    ) -> Result<Made, Problem> {
        let (wanted, run, parameters, clip) = self.wanted(channel, number).await?;
        let map = self.map(channel, kind, run, parameters).await?;
        let recent = Arc::clone(&self.recent);
        let made = task::spawn_blocking(move || {
            let fragment = fragment(&clip, wanted, |stream, _| map.streams.contains(&stream))?;
            Ok(recent.copy(fragment)?)
        });
        made.await.map_err(|_| Problem::mp4_fault())?
    }

    /// A segment, or a part of one, which is waited for if it is the next to come: what it is, the run and the
    /// parameter sets that it belongs to, and the clip that it is in.
    async fn wanted(
        &self,
        channel: &Arc<Channel>,
        number: &str,
    ) -> Result<(Wanted, u64, u64, Arc<Clip>), Problem> {
        let parse = |text: &str| text.parse::<u64>().map_err(|_| unknown());
        let Some((number, index)) = number.split_once('.') else {
            let (segment, clip) = channel.segment(parse(number)?)?;
            let (run, parameters) = (segment.run, segment.parameters);
            return Ok((Wanted::Segment(segment), run, parameters, clip));
        };
        let (number, index) = (parse(number)?, index.parse().map_err(|_| unknown())?);
        let edge = channel.edge();
        if (number, index) == edge || (number, index) == (edge.0.saturating_add(1), 0) {
            self.edges.reached(channel, (number, index + 1)).await;
        }
        let (part, clip) = channel.part(number, index)?;
        let (run, parameters) = (part.run, part.parameters);
        Ok((Wanted::Part(part), run, parameters, clip))
    }

    /// What stands in front of the segments of a run that have these parameter sets.
    async fn map(
        &self,
        channel: &Arc<Channel>,
        kind: Kind,
        run: u64,
        parameters: u64,
    ) -> Result<Arc<Map>, Problem> {
        let id = MapId {
            channel: channel.name().to_owned(),
            kind,
            run,
            parameters,
        };
        if let Some(map) = self.known(&id) {
            return Ok(map);
        }
        let Segments { list, .. } = channel.segments()?;
        // In a later one more streams have begun.
        let newest = list
            .iter()
            .rfind(|segment| (segment.run, segment.parameters) == (run, parameters))
            .ok_or(SegmentError::Passed)?;
        let (segment, clip) = channel.segment(newest.number)?;
        let made = task::spawn_blocking(move || {
            let has = |stream, program: &Program| kind.has(stream, program);
            fragment(&clip, Wanted::Segment(segment), has)
        });
        let made = made.await.map_err(|_| Problem::mp4_fault())??;
        let made = Arc::new(Map {
            bytes: made.init(),
            streams: made.streams().to_vec(),
        });
        let mut maps = self.lock();
        // Somebody else may have been quicker.
        if let Some((_, map)) = maps.iter().find(|(known, _)| *known == id) {
            return Ok(Arc::clone(map));
        }
        maps.push_back((id, Arc::clone(&made)));
        if maps.len() > MAPS_MAX {
            maps.pop_front();
        }
        Ok(made)
    }

    fn known(&self, id: &MapId) -> Option<Arc<Map>> {
        let maps = self.lock();
        let (_, map) = maps.iter().find(|(known, _)| known == id)?;
        Some(Arc::clone(map))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(MapId, Arc<Map>)>> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a fragment is made of.
enum Wanted {
    Segment(Segment),
    Part(SegmentPart),
}

/// A segment, or a part of one, as a fragment with some of its streams. Every byte of it is looked at.
fn fragment(
    clip: &Arc<Clip>,
    wanted: Wanted,
    has: impl Fn(usize, &Program) -> bool,
) -> Result<Fragment, Problem> {
    let program = clip.program();
    let has = |stream| has(stream, &program);
    // What counts up in fragments may begin anew.
    let counted = |number: u64| (number as u32).wrapping_add(1);
    let made = match wanted {
        Wanted::Segment(segment) => Fragment::new(clip, segment.span, counted(segment.number), has),
        Wanted::Part(part) => Fragment::part(clip, &part, counted(part.number), has),
    };
    Ok(made?)
}

/// The tracks of sound that an MP4 can have, by their positions in the program.
fn sounds(program: &Program) -> Vec<usize> {
    let codecs = program.codecs().iter().enumerate();
    codecs
        .filter(|(_, codec)| codec.is_audio() && carries(**codec))
        .map(|(stream, _)| stream)
        .collect()
}

impl Kind {
    /// Whether its segments are transport streams, which need no map and have no parts.
    fn is_ts(self) -> bool {
        matches!(self, Self::Ts | Self::Preview)
    }

    /// Whether a stream of the program belongs to it. A run that has fewer tracks of sound than the newest gives
    /// its last one for those that it lacks: silence would be no better.
    fn has(self, stream: usize, program: &Program) -> bool {
        match self {
            Self::All | Self::Ts | Self::Preview => true,
            Self::Video => stream == 0,
            Self::Sound(number) => {
                let sounds = sounds(program);
                let at = number.min(sounds.len()).saturating_sub(1);
                sounds.get(at) == Some(&stream)
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Video => f.write_str("video"),
            Self::Sound(number) => write!(f, "sound-{number}"),
            Self::Ts => f.write_str("ts"),
            Self::Preview => f.write_str("preview"),
        }
    }
}

impl FromStr for Kind {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "all" => Ok(Self::All),
            "video" => Ok(Self::Video),
            "ts" => Ok(Self::Ts),
            "preview" => Ok(Self::Preview),
            text => {
                let number = text.strip_prefix("sound-").and_then(|n| n.parse().ok());
                let number = number.filter(|&number| number > 0);
                number.map(Self::Sound).ok_or_else(unknown)
            }
        }
    }
}

impl From<SegmentError> for Problem {
    fn from(error: SegmentError) -> Self {
        let (status, code) = match error {
            SegmentError::Passed => (StatusCode::GONE, "segment_passed"),
            SegmentError::NotYet => (StatusCode::NOT_FOUND, "unknown_segment"),
        };
        Self::new(status, code, error.to_string())
    }
}

fn unknown() -> Problem {
    let detail = "there is no such playlist or segment; /hls/CHANNEL/index.m3u8 says what there is";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}
