//! Arbitrary bytes, and arbitrary things done to a recorder: plain functions of a string of bytes, for
//! the properties here and for the fuzzer.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lookback_mpegts::{PACKET_LEN, Ticks};
use lookback_replay::{
    Channel, Clip, Followed, Follower, Limits, Recorder, Selection, Wall, Writer,
};

use crate::support::damage::{Damage, apply};
use crate::support::rig::{BEGINNING, ticks};
use crate::support::{Gaps, Options, Sent, Synthetic, check, seconds, shapes};

const MEMORY: usize = 3 << 20;

/// Records `input` behind two bytes that say in what pieces, and then plays all there is.
pub(crate) fn record_soup(input: &[u8]) {
    let Some((&[piece, gap], soup)) = input.split_first_chunk() else {
        return;
    };
    let recorder = Recorder::new(Limits {
        memory: MEMORY,
        keep: None,
    });
    let channel = recorder.add_channel("soup");
    let mut now = BEGINNING;
    let mut writer = channel
        .connect("soup", now)
        .expect("nothing else is connected");
    let mut follower = channel.follow();
    for piece in soup.chunks(1 + usize::from(piece) * 7) {
        now = now + Duration::from_millis(gap.into());
        writer.write(piece, now);
        assert_within_limit(&recorder);
        follow(&mut follower);
    }
    play(&channel, now);
    drop(writer);
    play(&channel, now);
    follow(&mut follower);
    assert_eq!(channel.status(now).received_bytes, soup.len() as u64);
    assert_within_limit(&recorder);
}

fn assert_within_limit(recorder: &Recorder) {
    let memory = recorder.memory();
    assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
}

fn play(channel: &Arc<Channel>, now: Wall) {
    for selection in [Selection::All, Selection::Last(seconds(2.0))] {
        let Ok(clip) = channel.clip(selection, now) else {
            continue;
        };
        let Some(bytes) = read(&clip) else {
            // Memory can be so short that what others hold leaves no room for it.
            return;
        };
        assert!(
            bytes.len().is_multiple_of(PACKET_LEN)
                && bytes.chunks(PACKET_LEN).all(|packet| packet[0] == 0x47)
        );
        assert!(clip.start() <= clip.end() && clip.runs() > 0);
        let mut units = clip.units();
        while let Some(unit) = units.next().expect("nothing drops it") {
            assert!(unit.stream < clip.program().codecs().len());
        }
    }
}

fn read(clip: &Clip) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < clip.len() {
        let more = clip.read(bytes.len() as u64, usize::MAX).ok()?;
        assert!(!more.is_empty(), "a read gives something before the end");
        bytes.extend_from_slice(&more);
    }
    assert_eq!(bytes.len() as u64, clip.len());
    Some(bytes)
}

/// Takes all that there is to follow, and gives how many units that was.
fn follow(follower: &mut Follower) -> usize {
    let mut units = 0;
    while let Poll::Ready(followed) = follower.poll_next(&mut Context::from_waker(Waker::noop())) {
        units += usize::from(matches!(followed, Followed::Unit(_)));
    }
    units
}

/// A recorder with two channels, and what is done with it.
struct Session {
    recorder: Arc<Recorder>,
    sides: [Side; 2],
    now: Wall,
    /// Clips with a hash of their bytes, and the channel that they are of.
    clips: Vec<(Arc<Clip>, Vec<u8>, usize)>,
}

struct Side {
    channel: Arc<Channel>,
    stream: Synthetic,
    writer: Option<Writer>,
    follower: Follower,
    sent: Sent,
    runs: u8,
    since_damage: usize,
}

/// Does what `script` says: each step is a byte with what to do and to which channel, and one with
/// how.
pub(crate) fn run_session(script: &[u8]) {
    let recorder = Recorder::new(Limits {
        memory: MEMORY,
        keep: None,
    });
    let side = |name: &str| {
        let channel = recorder.add_channel(name);
        Side {
            follower: channel.follow(),
            channel,
            stream: Synthetic::new(Options::default()),
            writer: None,
            sent: Sent::default(),
            runs: 0,
            since_damage: 0,
        }
    };
    let sides = [side("one"), side("two")];
    let mut session = Session {
        sides,
        recorder,
        now: BEGINNING,
        clips: Vec::new(),
    };
    for step in script.as_chunks::<2>().0.iter().take(400) {
        session.step(usize::from(step[0] & 1), step[0] >> 1, step[1]);
        assert_within_limit(&session.recorder);
    }
    for (clip, bytes, _) in &session.clips {
        assert!(
            read(clip).is_none_or(|now| now == *bytes),
            "a clip never changes"
        );
    }
}

impl Session {
    fn step(&mut self, side: usize, what: u8, how: u8) {
        let now = self.now;
        match what % 16 {
            0..=5 => self.record(side, how),
            6 => self.connect(side, how),
            7 => self.change(side, how),
            8 | 9 => self.clip(side, how),
            10 => self.read(how),
            11 if !self.clips.is_empty() => {
                drop(self.clips.swap_remove(usize::from(how) % self.clips.len()))
            }
            12 => self.sides[side].channel.set_paused(how.is_multiple_of(4)),
            13 if how.is_multiple_of(4) => self.sides[side].channel.clear(),
            14 => {
                follow(&mut self.sides[side].follower);
            }
            _ => self
                .recorder
                .expire_clips(now, seconds(f64::from(how) / 10.0)),
        }
    }

    fn connect(&mut self, side: usize, how: u8) {
        let side = &mut self.sides[side];
        side.writer = None;
        let shapes = shapes();
        let shape = &shapes[usize::from(how) % shapes.len()].1;
        side.runs = side.runs.wrapping_add(1).min(254);
        let options = Options {
            id: side.runs,
            picture_len: if how > 200 {
                shape.picture_len
            } else {
                shape.picture_len.min(3000)
            },
            gop: shape.gop.min(4),
            ..shape.clone()
        };
        side.stream = Synthetic::new(options);
        side.writer = side.channel.connect("session", self.now).ok();
        side.since_damage = 0;
    }

    /// The stream goes on, elsewhere in time.
    fn change(&mut self, side: usize, how: u8) {
        let side = &mut self.sides[side];
        side.runs = side.runs.wrapping_add(1).min(254);
        let options = side.stream.options().clone();
        let start = Ticks(i64::from(how) * 400_000_000);
        side.stream.change(Options {
            id: side.runs,
            start,
            ..options
        });
        side.since_damage = 0;
    }

    fn record(&mut self, side: usize, how: u8) {
        let side = &mut self.sides[side];
        let Some(writer) = &mut side.writer else {
            return;
        };
        for part in side.stream.parts(1 + usize::from(how % 32)) {
            self.now = self.now + ticks(Ticks(3600));
            writer.write(&damaged(&part.bytes, &mut side.since_damage, how), self.now);
        }
        side.sent.extend(&std::mem::take(&mut side.stream.sent));
    }

    fn clip(&mut self, side: usize, how: u8) {
        let channel = &self.sides[side].channel;
        let back = |steps: u8| self.now - Duration::from_millis(u64::from(steps) * 100);
        let selection = match how % 4 {
            0 => Selection::All,
            1 => Selection::Last(Duration::from_millis(u64::from(how) * 50)),
            2 => Selection::Span {
                from: None,
                to: Some(back(how / 4)),
            },
            _ => Selection::Span {
                from: Some(back(how / 4)),
                to: Some(back(how / 8)),
            },
        };
        let Ok(clip) = channel.clip(selection, self.now) else {
            return;
        };
        let Some(bytes) = read(&clip) else {
            // Memory can be so short that what others hold leaves no room for it.
            return;
        };
        check(&bytes, &self.sides[side].sent, Gaps::Allowed);
        if how.is_multiple_of(3) {
            self.recorder.keep_clip(&clip, self.now);
        }
        self.clips.push((clip, bytes, side));
    }

    fn read(&mut self, how: u8) {
        let Some((clip, bytes, _)) = self.clips.get(usize::from(how) % self.clips.len().max(1))
        else {
            return;
        };
        let offset = bytes.len() * usize::from(how) / 255;
        if let Ok(read) = clip.read(offset as u64, 1 + usize::from(how) * 997) {
            assert!(bytes[offset..].starts_with(&read), "a clip never changes");
        }
    }
}

/// Damages a part now and then: not so often that the counters of the packets come round unseen.
fn damaged(bytes: &[u8], since_damage: &mut usize, how: u8) -> Vec<u8> {
    *since_damage += 1;
    let packets = bytes.len() / PACKET_LEN;
    if how < 128 || *since_damage < 20 || packets < 2 {
        return bytes.to_vec();
    }
    *since_damage = 0;
    let damage = match how % 6 {
        0 => Damage::Drop(1 + usize::from(how) % 3),
        1 => Damage::Cut(usize::from(how)),
        2 => Damage::Garbage(usize::from(how) * 20),
        3 => Damage::Desync,
        4 => Damage::Mark,
        _ => Damage::Twice,
    };
    apply(bytes, &[(usize::from(how) * 7 % (packets - 1), damage)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::support::cases;

    fn any_soup() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop::collection::vec(any::<u8>(), 0..4000);
        let packet = any::<(u16, u8, u8)>().prop_map(|(pid, flags, noise)| {
            let mut packet = vec![noise; PACKET_LEN];
            packet[..4].copy_from_slice(&[0x47, (pid >> 8) as u8, pid as u8, flags]);
            packet
        });
        let packets = prop::collection::vec(packet, 0..60).prop_map(|packets| packets.concat());
        let shapes = shapes();
        let stream = (0..shapes.len(), 1_usize..20).prop_map(move |(at, pictures)| {
            let options = &shapes[at].1;
            Synthetic::new(Options {
                picture_len: options.picture_len.min(3000),
                ..options.clone()
            })
            .bytes(pictures)
        });
        prop::collection::vec(prop_oneof![bytes, packets, stream], 1..8)
            .prop_map(|pieces| pieces.concat())
    }

    const CONNECT: u8 = 6 << 1;
    const CHANGE: u8 = 7 << 1;
    const CLIP: u8 = 8 << 1;

    /// What the properties below and the fuzzer have found.
    #[test]
    fn what_was_found_once_stays_found() {
        let scripts: [&[[u8; 2]]; 5] = [
            // A timeline that begins anew before the one before it had a second picture.
            &[
                [CONNECT, 0],
                [CHANGE, 152],
                [0, 0],
                [CHANGE, 152],
                [0, 1],
                [CLIP, 180],
            ],
            // A clip so short that the sound in its tail is from before its first picture.
            &[[CONNECT, 216], [0, 10], [CLIP, 11]],
            // The first sound that belongs to a clip is damaged.
            &[
                [CONNECT, 83],
                [0, 124],
                [0, 102],
                [0, 19],
                [0, 152],
                [0, 210],
                [0, 59],
                [0, 140],
                [0, 67],
                [0, 53],
                [CLIP, 179],
            ],
            // The clock of a stream that begins at zero begins before it.
            &[[CONNECT, 0], [CHANGE, 0], [0, 12], [CLIP, 76]],
            // A PID that the run in the middle does not have.
            &[
                [CONNECT, 245],
                [0, 0],
                [CONNECT, 3],
                [0, 0],
                [CONNECT, 199],
                [0, 2],
                [CLIP, 68],
            ],
        ];
        for script in scripts {
            eprintln!("{script:?}");
            run_session(&script.concat());
        }
    }

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn no_soup_panics_or_takes_more_memory(soup in any_soup(), cut: [u8; 2]) {
            record_soup(&[&cut[..], &soup].concat());
        }

    }

    proptest! {
        #![proptest_config(cases(64))]

        #[test]
        fn whatever_is_done_to_a_recorder_its_clips_stay_as_they_are(script in prop::collection::vec(any::<[u8; 2]>(), 0..100)) {
            run_session(&script.concat());
        }
    }
}
