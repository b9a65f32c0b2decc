//! Access units on their way out, as a transport stream: for `/live` and the feeds of decks.
//!
//! Tables stand before each keyframe and at least every 100 ms, the clock with the units of the first
//! stream and, where those are rare, between them (ISO/IEC 13818-1, 2.7.2 wants one in 100 ms).

use bytes::Bytes;
use lookback_codec::Flush;
use lookback_mpegts::{Muxer, MuxerConfig, Pcr, Ticks};
use lookback_replay::{Program, Unit};

/// Writes units as a transport stream.
pub(crate) struct Transport {
    muxer: Muxer,
    /// When the tables are due again.
    tables_at: Option<Ticks>,
    /// What the clock said last.
    clock: Option<Ticks>,
    /// Where decoders are to give each picture out at once.
    prompt: Option<Prompt>,
}

/// What makes decoders give pictures out at once.
struct Prompt {
    flush: Flush,
    /// For which streams a player still looks, and for how many pictures it is left to that.
    unseen: Vec<usize>,
    looks: usize,
    /// The timestamps of the newest picture, until what brings it out has been sent.
    newest: Option<Stamps>,
}

#[derive(Clone, Copy)]
struct Stamps {
    /// When it is shown that is shown last.
    pts: Ticks,
    /// When the one that was sent last is decoded.
    dts: Ticks,
}

/// How far the clock is behind the pictures: the time a decoder has to take a unit in.
const CLOCK_DELAY: Ticks = Ticks(18_000);
const TABLES_EVERY: Ticks = Ticks(9_000);
const CLOCK_EVERY: Ticks = Ticks(7_200);
/// More is no rare unit but a gap.
const CLOCK_GAP_MAX: Ticks = Ticks(20 * 90_000);

/// What reaches the first slice of a picture, behind all that an encoder tells of itself.
const HEAD_MAX: usize = 8 << 10;

/// What brings a picture out looks like 16 of them to a player, which gives up on sound after some 200. So where
/// sound comes late, these pictures go without.
const LOOKS_MAX: usize = 20;

/// Between units that bring out a picture: all of them are sent within the time for which it is shown.
const REST_STEP: Ticks = Ticks(12);

impl Transport {
    /// The feed of a deck, which has this program to begin with.
    pub(crate) fn feed(program: &Program) -> Self {
        Self {
            prompt: Prompt::new(program),
            ..Self::new(program)
        }
    }

    /// A piece of a stream of this program, behind other pieces.
    pub(crate) fn piece(program: &Program) -> Self {
        Self {
            muxer: program.muxer().spliced(),
            ..Self::new(program)
        }
    }

    /// A stream of this program.
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            muxer: program.muxer(),
            tables_at: None,
            clock: None,
            prompt: None,
        }
    }

    /// Goes on with these streams; counters and clock go on too.
    pub(crate) fn set_program(&mut self, config: &MuxerConfig) {
        if self.muxer.config() != config {
            self.muxer.set_program(config.clone());
        }
        self.tables_at = None;
    }

    /// Appends one unit, with what is due before it.
    pub(crate) fn write(&mut self, unit: &Unit, out: &mut Vec<u8>) {
        let carries_clock = unit.stream == 0;
        let is_key = carries_clock && unit.random_access;
        if is_key || self.tables_at.is_none_or(|at| unit.dts >= at) {
            self.muxer.write_tables(out);
            self.tables_at = Some(unit.dts + TABLES_EVERY);
        }
        // Streams are not interleaved to the tick, and the clock must not run backwards.
        let clock = (unit.dts - CLOCK_DELAY).max(self.clock.unwrap_or(Ticks(i64::MIN)));
        self.fill_clock(clock, out);
        let overdue = self.clock.is_none_or(|last| clock - last >= CLOCK_EVERY);
        if !carries_clock && overdue {
            self.muxer.write_pcr(out, Pcr::from(clock));
        }
        if carries_clock || overdue {
            self.clock = Some(clock);
        }
        let prompt = self.prompt.as_mut();
        let (before, behind) = prompt.map_or((&[][..], &[][..]), |prompt| prompt.around(unit));
        let payload = unit.payload.iter().map(Bytes::as_ref);
        let pieces: Vec<&[u8]> = [before]
            .into_iter()
            .chain(payload)
            .chain([behind])
            .collect();
        self.muxer.write_unit(
            out,
            lookback_mpegts::Unit {
                stream: unit.stream,
                pts: unit.pts,
                dts: unit.dts,
                random_access: unit.random_access,
                pcr: carries_clock.then(|| Pcr::from(clock)),
                payload: &pieces,
            },
        );
    }

    /// Nothing follows for the moment: appends what brings out the last pictures.
    pub(crate) fn rest(&mut self, out: &mut Vec<u8>) {
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        for (stamps, unit) in prompt.rest() {
            self.muxer.write_unit(
                out,
                lookback_mpegts::Unit {
                    stream: 0,
                    pts: stamps.pts,
                    dts: stamps.dts,
                    random_access: false,
                    pcr: None,
                    payload: &[&unit],
                },
            );
        }
    }

    /// Writes the clock as often as it has to come, where units are rare, as in slow motion.
    fn fill_clock(&mut self, until: Ticks, out: &mut Vec<u8>) {
        let Some(last) = self.clock.filter(|last| until - *last <= CLOCK_GAP_MAX) else {
            return;
        };
        let mut clock = last + CLOCK_EVERY;
        while clock < until {
            self.muxer.write_pcr(out, Pcr::from(clock));
            self.clock = Some(clock);
            clock += CLOCK_EVERY;
        }
    }
}

impl Prompt {
    fn new(program: &Program) -> Option<Self> {
        Some(Self {
            flush: Flush::new(*program.codecs().first()?),
            unseen: (1..program.codecs().len()).collect(),
            looks: LOOKS_MAX,
            newest: None,
        })
    }

    /// What belongs in front of a unit and behind it.
    fn around(&mut self, unit: &Unit) -> (&[u8], &[u8]) {
        if unit.stream > 0 {
            self.unseen.retain(|stream| *stream != unit.stream);
            return (&[], &[]);
        }
        let in_order = unit.pts == unit.dts;
        self.flush
            .follow(&head(&unit.payload), unit.random_access, in_order);
        let shown = self.newest.as_ref().map_or(unit.pts, |newest| newest.pts);
        self.newest = Some(Stamps {
            pts: shown.max(unit.pts),
            dts: unit.dts,
        });
        let before = self.flush.before();
        if !self.unseen.is_empty() && self.looks > 0 {
            self.looks -= 1;
            return (before, &[]);
        }
        (before, self.flush.behind())
    }

    /// What brings out the last pictures, and when.
    fn rest(&mut self) -> Vec<(Stamps, Vec<u8>)> {
        let Some(mut stamps) = self.newest.take() else {
            return Vec::new();
        };
        let units = self.flush.rest().into_iter();
        units
            .map(|unit| {
                stamps.pts += REST_STEP;
                stamps.dts += REST_STEP;
                (stamps, unit)
            })
            .collect()
    }
}

/// The first bytes of a unit.
fn head(payload: &[Bytes]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_MAX);
    for piece in payload {
        head.extend_from_slice(&piece[..piece.len().min(HEAD_MAX - head.len())]);
    }
    head
}

#[cfg(test)]
mod tests {
    use lookback_mpegts::{PACKET_LEN, Packet, Pid};
    use lookback_replay::Selection;

    use super::*;
    use crate::clock;
    use crate::testing::{record, recorder, video};

    /// Two seconds of video, written again.
    fn written() -> Vec<u8> {
        let recorder = recorder();
        let channel = recorder.add_channel("main");
        record(&channel, &video(2.0), clock::now());
        let clip = channel
            .clip(Selection::All, clock::now())
            .expect("recorded");
        let mut transport = Transport::new(&clip.program());
        let mut out = Vec::new();
        let mut units = clip.units();
        while let Some(unit) = units.next().expect("it is all there") {
            transport.write(&unit, &mut out);
        }
        out
    }

    fn packets(bytes: &[u8]) -> impl Iterator<Item = Packet<'_>> {
        let (packets, rest) = bytes.as_chunks::<PACKET_LEN>();
        assert!(rest.is_empty());
        packets.iter().map(Packet::new)
    }

    #[test]
    fn nothing_is_lost_on_the_way() {
        let recorder = recorder();
        let channel = recorder.add_channel("again");
        record(&channel, &written(), clock::now());
        let status = channel.status(clock::now());
        assert_eq!((status.runs, status.discarded_bytes), (1, 0));
        assert!(status.problems.is_empty(), "{:?}", status.problems);
        let window = status.window.expect("it plays");
        assert!(
            (1.9..=2.1).contains(&window.duration.as_secs_f64()),
            "{window:?}"
        );
    }

    #[test]
    fn tables_stand_before_keyframes_and_every_100_ms() {
        let bytes = written();
        let mut since_tables = None;
        let mut tables = 0;
        for packet in packets(&bytes) {
            let random_access = packet.adaptation().is_some_and(|field| field.random_access);
            if packet.pid() == Pid::PAT {
                since_tables = Some(0);
                tables += 1;
            } else if packet.unit_start() && packet.payload().starts_with(&[0, 0, 1, 0xe0]) {
                let since = since_tables.as_mut().expect("tables come first");
                assert!(
                    !random_access || *since == 0,
                    "a keyframe follows its tables"
                );
                *since += 1;
            }
        }
        assert!(tables >= 20, "{tables} in two seconds");
    }

    #[test]
    fn the_clock_rises_and_is_never_far() {
        let bytes = written();
        let clocks: Vec<u64> = packets(&bytes)
            .filter_map(|packet| packet.adaptation().and_then(|field| field.pcr))
            .map(Pcr::base)
            .collect();
        assert!(clocks.len() >= 20);
        for pair in clocks.windows(2) {
            assert!(pair[0] <= pair[1] && pair[1] - pair[0] <= 9_000, "{pair:?}");
        }
    }
}
