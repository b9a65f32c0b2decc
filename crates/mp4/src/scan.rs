//! One pass over a clip: what its samples are.
//!
//! The index knows where each unit lies and when it is shown, but not how many bytes of it a file has: that
//! takes finding its packets, and in video its start codes. So every byte is looked at once, and the
//! first part of a file can only be sent after that. It goes at the speed of memory.

use std::sync::Arc;

use lookback_codec::Codec;
use lookback_mpegts::Ticks;
use lookback_replay::{Clip, Gone};

use crate::content::Content;
use crate::picture::Pictures;
use crate::reach::{Reach, Wanted};
use crate::sound::Sound;
use crate::{Error, LeftOut};

/// How far in front of a span the sound of a packet may begin whose last frames lie in it.
const SOUND_AHEAD: Ticks = Ticks::SECOND;

/// What the pass has found.
pub(crate) struct Scan {
    pub(crate) tracks: Vec<Track>,
    pub(crate) content: Content,
    pub(crate) left_out: Vec<LeftOut>,
    /// When the first picture is shown, or the first sound heard.
    pub(crate) start: Ticks,
}

/// A stream that goes into the file.
pub(crate) struct Track {
    /// Its position in the program.
    pub(crate) stream: usize,
    pub(crate) language: [u8; 3],
    pub(crate) media: Media,
}

pub(crate) enum Media {
    Pictures(Box<Pictures>),
    Sound(Box<Sound>),
}

/// Why a pass was given up.
pub(crate) enum Stopped {
    Gone,
    /// Parameter sets change: what was found without them is of no use.
    ParametersChange,
}

impl From<Gone> for Stopped {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl Scan {
    pub(crate) fn new(clip: &Arc<Clip>, wanted: &Wanted) -> Result<Self, Error> {
        Self::of(clip, wanted, &|_| true)
    }

    /// The same with those streams only that `has` says.
    pub(crate) fn of(
        clip: &Arc<Clip>,
        wanted: &Wanted,
        has: &dyn Fn(usize) -> bool,
    ) -> Result<Self, Error> {
        let streams = Self::begin(clip, Ticks::ZERO, false, has);
        let lacks_pictures = |scan: &Self| has(0) && scan.lacks_pictures(clip);
        if streams.tracks.is_empty() || lacks_pictures(&streams) {
            return Err(Error::Unsupported(streams.left_out));
        }
        let reach = Reach::of(clip, wanted)?;
        let scan = match Self::pass(clip, &reach, false, has) {
            Err(Stopped::ParametersChange) => Self::pass(clip, &reach, true, has),
            done => done,
        };
        let Ok(mut scan) = scan else {
            return Err(Error::Gone(Gone));
        };
        scan.leave_out_empty();
        if scan.tracks.is_empty() || lacks_pictures(&scan) {
            return Err(Error::Unsupported(scan.left_out));
        }
        scan.content.shrink();
        Ok(scan)
    }

    fn pass(
        clip: &Arc<Clip>,
        reach: &Reach,
        in_band: bool,
        has: &dyn Fn(usize) -> bool,
    ) -> Result<Self, Stopped> {
        let mut scan = Self::begin(clip, reach.start, in_band, has);
        let program = clip.program();
        let pid = |stream: usize| program.config().streams[stream].pid;
        let mut units = clip.units();
        if let Some(from) = reach.seek {
            units.seek(from - SOUND_AHEAD);
        }
        let mut source = clip.elementary();
        let mut over = vec![false; program.codecs().len()];
        let mut last_track = None;
        let mut begun = reach.seek.is_none();
        while let Some(placed) = units.next_placed()? {
            let stream = placed.stream;
            let track = scan.tracks.iter().position(|track| track.stream == stream);
            // A frame of sound may go on in the packet behind those that are wanted.
            let is_over = match track.map(|at| &scan.tracks[at].media) {
                Some(Media::Pictures(_)) => {
                    over[stream] |= placed.dts > reach.last_dts;
                    over[stream]
                }
                _ => {
                    let was_over = over[stream];
                    over[stream] |= placed.pts >= reach.sound.end;
                    was_over
                }
            };
            if is_over && over.iter().all(|&over| over) {
                break;
            }
            let Some(at) = track.filter(|_| !is_over) else {
                continue;
            };
            source.stand(pid(stream), placed.packets.clone());
            let goes_on = last_track == Some(at);
            let content = &mut scan.content;
            let added = match &mut scan.tracks[at].media {
                Media::Pictures(pictures) => {
                    begun |= placed.pts == reach.start && placed.random_access;
                    if begun && placed.dts < reach.first_dts {
                        pictures.learn_from(&placed, &mut source)?;
                        continue;
                    }
                    begun
                        && !(reach.drops_leading && placed.pts < reach.start)
                        && pictures.push(at, &placed, &mut source, content, goes_on)?
                }
                Media::Sound(sound) => {
                    let when = (&reach.sound, goes_on);
                    sound.push(at, &placed, &mut source, content, when)?
                }
            };
            if added {
                last_track = Some(at);
            }
        }
        scan.finish(reach);
        Ok(scan)
    }

    /// Chooses the streams that a file can have.
    fn begin(clip: &Clip, start: Ticks, in_band: bool, has: &dyn Fn(usize) -> bool) -> Self {
        let program = clip.program();
        let streams = &program.config().streams;
        let mut scan = Self {
            tracks: Vec::new(),
            content: Content::default(),
            left_out: Vec::new(),
            start,
        };
        for (stream, &codec) in program.codecs().iter().enumerate() {
            if !has(stream) {
                continue;
            }
            let config = &streams[stream];
            let media = match codec {
                // What is not cut on may begin without a keyframe and its parameter sets.
                Codec::H264 | Codec::Hevc if stream == 0 => {
                    Media::Pictures(Box::new(Pictures::new(codec, in_band)))
                }
                Codec::AacAdts | Codec::Ac3 | Codec::Eac3 | Codec::MpegAudio | Codec::Opus => {
                    Media::Sound(Box::new(Sound::new(codec, config.pid, &config.descriptors)))
                }
                _ => {
                    scan.left_out.push(LeftOut { codec });
                    continue;
                }
            };
            scan.tracks.push(Track {
                stream,
                language: language(&config.descriptors),
                media,
            });
        }
        let pids = scan.tracks.iter().map(|track| streams[track.stream].pid);
        scan.content = Content::new(pids.collect());
        scan
    }

    fn finish(&mut self, reach: &Reach) {
        for track in &mut self.tracks {
            if let Media::Pictures(pictures) = &mut track.media
                && !pictures.timing.is_empty()
            {
                let timing = &mut pictures.timing;
                let end = match reach.length {
                    Some(length) => timing.first_shown() + length.0,
                    None => reach.end.0,
                };
                timing.finish_pictures(end);
            }
        }
    }

    /// Streams that never told what they are cannot be described.
    fn leave_out_empty(&mut self) {
        let left_out = &mut self.left_out;
        self.tracks.retain(|track| {
            let (codec, is_known) = match &track.media {
                Media::Pictures(pictures) => (pictures.codec(), pictures.configuration().is_some()),
                Media::Sound(sound) => (sound.codec(), sound.known().is_some()),
            };
            if !is_known {
                left_out.push(LeftOut { codec });
            }
            is_known && !track.timing().is_empty()
        });
    }

    /// Whether the sound alone is left of a clip with pictures: that is not what was asked for.
    fn lacks_pictures(&self, clip: &Clip) -> bool {
        let has_pictures = |track: &Track| matches!(track.media, Media::Pictures(_));
        clip.program().codecs()[0].is_video() && !self.tracks.iter().any(has_pictures)
    }
}

impl Track {
    pub(crate) fn timing(&self) -> &crate::timing::Timing {
        match &self.media {
            Media::Pictures(pictures) => &pictures.timing,
            Media::Sound(sound) => &sound.timing,
        }
    }

    /// What its times count in, for a second.
    pub(crate) fn scale(&self) -> u32 {
        match &self.media {
            Media::Pictures(_) => 90_000,
            Media::Sound(sound) => sound
                .known()
                .map_or(90_000, |(format, _)| format.sample_rate),
        }
    }
}

/// The language of a stream, from its descriptors (13818-1 2.6.18): three letters, `und` where it is not known.
pub fn language(descriptors: &[u8]) -> [u8; 3] {
    const LANGUAGE: u8 = 0x0a;
    const NONE: [u8; 3] = *b"und";
    let told = lookback_mpegts::Descriptors::new(descriptors)
        .find(|&(tag, _)| tag == LANGUAGE)
        .and_then(|(_, content)| content.first_chunk().copied());
    told.map(|letters: [u8; 3]| letters.map(|letter| letter.to_ascii_lowercase()))
        .filter(|letters| letters.iter().all(u8::is_ascii_lowercase))
        .unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_three_letters() {
        assert_eq!(language(&[0x0a, 4, b'd', b'e', b'u', 0]), *b"deu");
        assert_eq!(
            language(&[0x05, 1, 0, 0x0a, 4, b'E', b'N', b'G', 0]),
            *b"eng"
        );
        for none in [&[][..], &[0x0a, 2, b'd', b'e'], &[0x0a, 4, 0, 0, 0, 0]] {
            assert_eq!(language(none), *b"und");
        }
    }
}
