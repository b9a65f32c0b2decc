//! Formats and lengths of sound, as ffprobe gives them for the same streams.

use std::io::Write;
use std::process::{Command, Stdio};

use lookback_codec::{
    Codec, audio_configuration, audio_duration, audio_format, audio_frames, silence,
};

use crate::excerpts::{AUDIO, excerpt};

fn format(codec: Codec, payload: &[u8], descriptors: &[u8]) -> (String, u8, u32) {
    let format = audio_format(codec, payload, descriptors).expect("the payload tells");
    assert_eq!(format.codec, codec);
    (format.codec_string, format.channels, format.sample_rate)
}

fn is(string: &str, channels: u8, sample_rate: u32) -> (String, u8, u32) {
    (string.to_owned(), channels, sample_rate)
}

#[test]
fn formats() {
    let of = |codec, payload| format(codec, payload, &[]);
    assert_eq!(
        of(Codec::AacAdts, excerpt!("aac.1")),
        is("mp4a.40.2", 2, 48_000)
    );
    assert_eq!(
        of(Codec::AacAdts, excerpt!("aac-mono.1")),
        is("mp4a.40.2", 1, 44_100)
    );
    assert_eq!(
        of(Codec::AacAdts, excerpt!("aac-51.1")),
        is("mp4a.40.2", 6, 48_000)
    );
    // Its channels are only told in a program configuration.
    assert_eq!(
        of(Codec::AacAdts, excerpt!("aac-41.0")),
        is("mp4a.40.2", 5, 48_000)
    );
    assert_eq!(
        of(Codec::AacLatm, excerpt!("latm.0")),
        is("mp4a.40.2", 2, 48_000)
    );
    assert_eq!(of(Codec::Ac3, excerpt!("ac3.1")), is("ac-3", 6, 48_000));
    assert_eq!(of(Codec::Ac3, excerpt!("ac3-44.1")), is("ac-3", 1, 44_100));
    assert_eq!(of(Codec::Eac3, excerpt!("eac3.1")), is("ec-3", 2, 48_000));
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp2.1")),
        is("mp4a.6B", 1, 48_000)
    );
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp3.2")),
        is("mp4a.6B", 2, 44_100)
    );
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp3-low.2")),
        is("mp4a.69", 1, 22_050)
    );
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp3-lowest.2")),
        is("mp4a.69", 1, 11_025)
    );
}

#[test]
fn opus_channels() {
    let of = |payload, descriptors| format(Codec::Opus, payload, descriptors);
    let surround = excerpt!("opus-51.1");
    assert_eq!(
        of(surround, b"\x05\x04Opus\x7f\x02\x80\x06"),
        is("Opus", 6, 48_000)
    );
    assert_eq!(
        of(surround, b"\x7f\x02\x80\x00"),
        is("Opus", 2, 48_000),
        "dual mono"
    );
    assert_eq!(
        of(surround, b"\x7f\x04\x80\x81\x03\xff"),
        is("Opus", 3, 48_000),
        "explicit"
    );
    // Without a descriptor a packet tells mono from stereo.
    assert_eq!(of(excerpt!("opus.0"), &[]), is("Opus", 2, 48_000));
    assert_eq!(of(excerpt!("opus-short.1"), &[]), is("Opus", 1, 48_000));
    assert_eq!(audio_format(Codec::Opus, &[], &[]), None);
}

#[test]
fn a_payload_that_does_not_tell_has_no_format() {
    assert_eq!(audio_format(Codec::AacLatm, excerpt!("latm.1"), &[]), None);
    for (codec, _) in AUDIO {
        assert_eq!(audio_format(codec, &[0x55; 300], &[]), None);
        assert_eq!(audio_format(codec, &[], &[]), None);
    }
    assert_eq!(audio_format(Codec::H264, excerpt!("aac.1"), &[]), None);
}

#[test]
fn durations() {
    let of = audio_duration;
    assert_eq!(of(Codec::AacAdts, excerpt!("aac.1")), Some(6 * 1920));
    assert_eq!(
        of(Codec::AacAdts, excerpt!("aac-mono.1")),
        Some(6 * 1024 * 90_000 / 44_100)
    );
    assert_eq!(of(Codec::AacAdts, excerpt!("aac-51.1")), Some(13 * 1920));
    assert_eq!(of(Codec::AacLatm, excerpt!("latm.0")), Some(5 * 1920));
    assert_eq!(of(Codec::Opus, excerpt!("opus.1")), Some(4 * 1800));
    assert_eq!(of(Codec::Opus, excerpt!("opus-51.1")), Some(5 * 1800));
    assert_eq!(of(Codec::Opus, excerpt!("opus-short.1")), Some(25 * 225));
    assert_eq!(of(Codec::Opus, excerpt!("opus-voice.1")), Some(5400));
    assert_eq!(of(Codec::Ac3, excerpt!("ac3.1")), Some(2880));
    assert_eq!(
        of(Codec::Ac3, excerpt!("ac3-44.1")),
        Some(3 * 1536 * 90_000 / 44_100)
    );
    assert_eq!(of(Codec::Eac3, excerpt!("eac3.1")), Some(2 * 2880));
    assert_eq!(of(Codec::MpegAudio, excerpt!("mp2.1")), Some(3 * 2160));
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp3.2")),
        Some(3 * 1152 * 90_000 / 44_100)
    );
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp3-low.2")),
        Some(6 * 576 * 90_000 / 22_050)
    );
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp3-lowest.2")),
        Some(6 * 576 * 90_000 / 11_025)
    );
}

#[test]
fn opus_is_trimmed_at_its_end_only() {
    // The first packet is to be cut by the encoder's delay of 312 samples, but its timestamp counts
    // them; of the last packet 312 of 960 samples are left of one second and that delay.
    assert_eq!(
        audio_duration(Codec::Opus, excerpt!("opus.0")),
        Some(4 * 1800)
    );
    assert_eq!(
        audio_duration(Codec::Opus, excerpt!("opus.last")),
        Some(312 * 90_000 / 48_000)
    );
}

#[test]
fn nothing_that_sounds_has_no_duration() {
    assert_eq!(audio_duration(Codec::AacLatm, excerpt!("latm.1")), None);
    assert_eq!(audio_duration(Codec::H264, excerpt!("h264.0")), None);
    for (codec, _) in AUDIO {
        assert_eq!(audio_duration(codec, &[]), None);
        assert_eq!(audio_duration(codec, &[0x55; 300]), None);
    }
}

/// A payload with the sizes of its frames, as ffprobe lists them.
struct Frames {
    codec: Codec,
    payload: &'static [u8],
    sizes: &'static [usize],
    /// Bytes that must be there for a frame to count.
    header: usize,
    samples: i64,
    rate: i64,
}

impl Frames {
    /// The duration of the frames whose first byte `is_heard`.
    fn ticks(&self, is_heard: impl Fn(usize) -> bool) -> Option<i64> {
        let starts = (0..self.sizes.len()).map(|n| self.sizes[..n].iter().sum());
        let heard = i64::try_from(starts.filter(|&start| is_heard(start)).count()).unwrap();
        (heard > 0).then_some(heard * self.samples * 90_000 / self.rate)
    }
}

#[rustfmt::skip] // a table
const FRAMES: [Frames; 6] = [
    Frames { codec: Codec::AacAdts, payload: excerpt!("aac.1"), sizes: &[96, 80, 81, 80, 84, 99], header: 7, samples: 1024, rate: 48_000 },
    Frames { codec: Codec::AacAdts, payload: excerpt!("aac-mono.1"), sizes: &[56, 53, 58, 55, 56, 52], header: 7, samples: 1024, rate: 44_100 },
    Frames { codec: Codec::Ac3, payload: excerpt!("ac3-44.1"), sizes: &[138, 140, 140], header: 8, samples: 1536, rate: 44_100 },
    Frames { codec: Codec::Eac3, payload: excerpt!("eac3.1"), sizes: &[192, 192], header: 8, samples: 1536, rate: 48_000 },
    Frames { codec: Codec::MpegAudio, payload: excerpt!("mp2.1"), sizes: &[96, 96, 96], header: 4, samples: 1152, rate: 48_000 },
    Frames { codec: Codec::MpegAudio, payload: excerpt!("mp3.2"), sizes: &[104, 105, 104], header: 4, samples: 1152, rate: 44_100 },
];

#[test]
fn frames_count_where_they_begin() {
    for frames in FRAMES {
        let Frames {
            codec,
            payload,
            header,
            ..
        } = frames;
        for cut in 0..=payload.len() {
            let heard = audio_duration(codec, &payload[..cut]);
            assert_eq!(
                heard,
                frames.ticks(|start| start + header <= cut),
                "{codec:?} to {cut}"
            );
            let heard = audio_duration(codec, &payload[cut..]);
            assert_eq!(
                heard,
                frames.ticks(|start| start >= cut),
                "{codec:?} from {cut}"
            );
        }
    }
}

#[test]
fn what_looks_like_a_frame_within_a_tail_is_not_believed() {
    for Frames {
        codec,
        payload,
        sizes,
        ..
    } in FRAMES
    {
        let tail_and_cut_frame = &payload[1..sizes[0] + sizes[1] - 1];
        assert_eq!(audio_format(codec, tail_and_cut_frame, &[]), None);
        assert_eq!(audio_duration(codec, tail_and_cut_frame), None);
    }
}

#[test]
fn damage_costs_the_frames_that_it_hits() {
    let mut payload = excerpt!("aac.1").to_vec();
    payload[96] = 0;
    // Without the second header the first is not confirmed either.
    assert_eq!(audio_duration(Codec::AacAdts, &payload), Some(4 * 1920));
}

#[test]
fn silence_is_of_the_same_format_and_decodes_to_nothing() {
    for (codec, kind, payload) in [
        (Codec::AacAdts, "aac", excerpt!("aac.1")),
        (Codec::AacAdts, "aac", excerpt!("aac-mono.1")),
        (Codec::AacAdts, "aac", excerpt!("aac-51.1")),
        (Codec::MpegAudio, "mp3", excerpt!("mp2.1")),
        (Codec::MpegAudio, "mp3", excerpt!("mp3.2")),
        (Codec::MpegAudio, "mp3", excerpt!("mp3-low.2")),
    ] {
        let silence = silence(codec, payload).expect("a codec with silence");
        let stream = silence.payload.repeat(10);
        assert_eq!(format(codec, &stream, &[]), format(codec, payload, &[]));
        // Lengths are rounded down to ticks.
        let rest = audio_duration(codec, &stream).expect("known") - 10 * silence.ticks;
        assert!((0..10).contains(&rest), "{rest}");
        let samples = decoded(kind, &stream);
        assert!(
            samples.len() > 4000 && samples.iter().all(|&byte| byte == 0),
            "{codec:?}"
        );
    }
    assert_eq!(silence(Codec::Ac3, excerpt!("ac3.1")), None);
    assert_eq!(
        silence(Codec::AacAdts, excerpt!("aac-41.0")),
        None,
        "its channels are told within"
    );
}

/// What ffmpeg makes of raw frames, as samples of 16 bits; it must have nothing to say about them.
fn decoded(kind: &str, stream: &[u8]) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "warning", "-f", kind, "-i", "-", "-f", "s16le", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut input = ffmpeg.stdin.take().expect("it is piped");
    input.write_all(stream).expect("ffmpeg reads it");
    drop(input);
    let output = ffmpeg.wait_with_output().expect("ffmpeg ends");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(!complaints.contains("rror"), "{complaints}");
    output.stdout
}

/// What libavformat writes into an MP4 of the same streams.
#[test]
fn configurations() {
    let of = |codec, payload, descriptors: &[u8]| audio_configuration(codec, payload, descriptors);
    assert_eq!(
        of(Codec::AacAdts, excerpt!("aac.1"), &[]),
        Some(vec![0x11, 0x90])
    );
    assert_eq!(
        of(Codec::AacAdts, excerpt!("aac-mono.1"), &[]),
        Some(vec![0x12, 0x08])
    );
    assert_eq!(of(Codec::AacAdts, excerpt!("aac-41.0"), &[]), None);
    assert_eq!(of(Codec::AacLatm, excerpt!("latm.0"), &[]), None);
    assert_eq!(
        of(Codec::MpegAudio, excerpt!("mp2.1"), &[]),
        Some(Vec::new())
    );
    let opus = of(Codec::Opus, excerpt!("opus.1"), &[0x7f, 2, 0x80, 2]);
    let plain = [0, 2, 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0];
    assert_eq!(opus, Some(plain.to_vec()));
    let surround = of(Codec::Opus, excerpt!("opus.1"), &[0x7f, 2, 0x80, 6]);
    let surround = surround.expect("six channels are told");
    assert_eq!(
        (surround[1], &surround[10..]),
        (6, &[1, 4, 2, 0, 4, 1, 2, 3, 5][..])
    );
    // fscod 48 kHz, bsid 8, 3/2 with low frequencies.
    let ac3 = of(Codec::Ac3, excerpt!("ac3.1"), &[]).expect("three bytes");
    assert_eq!((ac3.len(), ac3[0], ac3[1] & 0xfc), (3, 0x10, 0x3c));
    // One substream, bsid 16, stereo.
    let eac3 = of(Codec::Eac3, excerpt!("eac3.1"), &[]).expect("five bytes");
    assert_eq!(
        (eac3.len(), eac3[1] & 7, eac3[2], eac3[3], eac3[4]),
        (5, 0, 0x20, 0x04, 0)
    );
}

#[test]
fn frames_lie_one_behind_the_other() {
    for (codec, payload) in AUDIO {
        let frames: Vec<_> = audio_frames(codec, payload).collect();
        if codec == Codec::AacLatm {
            assert!(frames.is_empty());
            continue;
        }
        assert!(!frames.is_empty(), "{codec:?}");
        assert!(
            frames
                .windows(2)
                .all(|pair| pair[0].bytes.end == pair[1].bytes.start)
        );
        let ticks: i64 = frames
            .iter()
            .map(|frame| i64::from(frame.samples) * 90_000)
            .sum::<i64>()
            / i64::from(frames[0].sample_rate);
        assert_eq!(audio_duration(codec, payload), Some(ticks), "{codec:?}");
    }
    let adts = audio_frames(Codec::AacAdts, excerpt!("aac.1"))
        .next()
        .expect("a frame");
    assert_eq!((adts.framing, adts.samples), (7, 1024));
    let opus = audio_frames(Codec::Opus, excerpt!("opus.1"))
        .next()
        .expect("a frame");
    assert!(opus.framing >= 3 && opus.sample_rate == 48_000);
}
