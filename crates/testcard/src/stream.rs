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
