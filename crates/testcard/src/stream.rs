//! The card as an MPEG transport stream, with the moments at which its parts are due.
//!
//! One program on the PIDs that libavformat uses, one picture or sound frame in a PES packet, tables
//! before each keyframe and at least every 100 ms, and a clock with each picture.

use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, Pcr, Pid, Ticks, Unit};

use crate::TestCard;

/// Makes the stream without end, part by part in the order of time.
pub struct Stream {
    card: TestCard,
    muxer: Muxer,
    start: Ticks,
    next_picture: u64,
    next_sound: u64,
}

/// A part of a stream: whole packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// When to send it, from picture 0 on.
    pub due: Ticks,
    /// The packets.
    pub bytes: Vec<u8>,
}

impl Stream {
    /// How long before it is shown a picture is sent, by the clock that the stream carries.
    pub const LEAD: Ticks = Ticks(18_000);

    /// A stream of `card` that begins with the keyframe at or before picture `first`. `start` is the
    /// timestamp of picture 0; with [`Self::LEAD`] or more the stream's clock starts above zero.
    pub fn new(card: TestCard, first: u64, start: Ticks) -> Self {
        let next_picture = card.keyframe_before(first);
        let next_sound = TestCard::sound_at(card.picture_time(next_picture));
        let muxer = Muxer::new(MuxerConfig {
            streams: vec![
                stream(0x100, 0x1b, 0xe0), // H.264
                stream(0x101, 0x0f, 0xc0), // AAC in ADTS
            ],
            ..MuxerConfig::default()
        });
        Self {
            card,
            muxer,
            start,
            next_picture,
            next_sound,
        }
    }

    /// The card that the stream shows.
    pub fn card(&self) -> &TestCard {
        &self.card
    }

    fn picture(&mut self) -> Chunk {
        let n = self.next_picture;
        self.next_picture += 1;
        let due = self.card.picture_time(n);
        let pts = self.start + due;
        let random_access = self.card.is_keyframe(n);
        let mut bytes = Vec::new();
        let since_keyframe = n - self.card.keyframe_before(n);
        if since_keyframe.is_multiple_of(u64::from(self.card.config().fps / TABLES_A_SECOND)) {
            self.muxer.write_tables(&mut bytes);
        }
        let pcr = Some(Pcr::from(pts - Self::LEAD));
        let payload = self.card.picture(n);
        let payload = &[&payload[..]][..];
        let unit = Unit {
            stream: VIDEO,
            pts,
            dts: pts,
            random_access,
            pcr,
            payload,
        };
        self.muxer.write_unit(&mut bytes, unit);
        Chunk { due, bytes }
    }

    fn sound(&mut self) -> Chunk {
        let k = self.next_sound;
        self.next_sound += 1;
        let due = TestCard::sound_time(k);
        let pts = self.start + due;
        let mut bytes = Vec::new();
        let payload = self.card.sound(k);
        let payload = &[&payload[..]][..];
        let unit = Unit {
            stream: AUDIO,
            pts,
            dts: pts,
            random_access: false,
            pcr: None,
            payload,
        };
        self.muxer.write_unit(&mut bytes, unit);
        Chunk { due, bytes }
    }
}

impl Iterator for Stream {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let picture_due = self.card.picture_time(self.next_picture);
        let sound_due = TestCard::sound_time(self.next_sound);
        Some(if picture_due <= sound_due {
            self.picture()
        } else {
            self.sound()
        })
    }
}

const VIDEO: usize = 0;
const AUDIO: usize = 1;

const TABLES_A_SECOND: u32 = 10;

fn stream(pid: u16, stream_type: u8, stream_id: u8) -> MuxStream {
    MuxStream {
        pid: Pid::new(pid),
        stream_type,
        stream_id,
        descriptors: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use lookback_mpegts::Packet;

    fn chunks(fps: u32, start: Ticks) -> impl Iterator<Item = Chunk> {
        let config = Config {
            width: 320,
            height: 180,
            fps,
            ..Config::default()
        };
        let card = TestCard::new(config).expect("a good configuration");
        Stream::new(card, 0, start).take_while(|chunk| chunk.due < Ticks(3 * 90_000))
    }

    fn packets(chunk: &Chunk) -> impl Iterator<Item = Packet<'_>> {
        let (packets, rest) = chunk.bytes.as_chunks();
        assert!(rest.is_empty(), "whole packets");
        packets.iter().map(Packet::new)
    }

    #[test]
    fn tables_come_with_each_keyframe_and_every_100_ms() {
        for fps in [25, 30, 50, 60] {
            let mut last = Ticks::ZERO;
            for chunk in chunks(fps, Stream::LEAD) {
                let pids: Vec<_> = packets(&chunk).map(Packet::pid).collect();
                let is_keyframe = packets(&chunk)
                    .any(|packet| packet.adaptation().is_some_and(|field| field.random_access));
                let has_tables = pids[0] == Pid::PAT && pids[1] == Pid::new(0x1000);
                assert!(has_tables || !is_keyframe, "{fps} fps, {:?}", chunk.due);
                if has_tables {
                    last = chunk.due;
                }
                assert!(
                    chunk.due - last < Ticks(9_000),
                    "{fps} fps, {:?}",
                    chunk.due
                );
            }
        }
    }

    #[test]
    fn the_clock_comes_with_each_picture_and_goes_on_over_its_wrap() {
        // The clock starts at 33 bits of ones, and the first picture is 200 ms later.
        let start = Stream::LEAD + Ticks(-1);
        let mut pictures = 0;
        for chunk in chunks(50, start) {
            let clocks: Vec<_> = packets(&chunk)
                .filter(|packet| packet.pid() == Pid::new(0x100))
                .filter_map(|packet| packet.adaptation()?.pcr)
                .collect();
            if packets(&chunk).any(|packet| packet.pid() == Pid::new(0x100)) {
                assert_eq!(clocks, [Pcr::from(chunk.due - Ticks(1))]);
                pictures += 1;
            }
        }
        assert_eq!(pictures, 150);
    }
}
