//! What is wrong with OBS, as far as it can be seen from here, in words for its user.

use std::time::{Duration, Instant};

use lookback_replay::{Channel, Problem, Wall};

use super::destination::Destination;

/// Keyframes further apart than this make clips start too early and decks slow.
const KEYFRAMES_MAX: Duration = Duration::from_secs(2);

/// How long an encoder that has left out frames is told of.
const SKIPS_ARE_NEWS: Duration = Duration::from_secs(60);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures: u64,
    skips: Skips,
    /// The last profile that records into lookback.
    profile: Option<String>,
}

#[derive(Debug, Default)]
struct Skips {
    /// What OBS has counted, since it counts anew with each output.
    counted: Option<u64>,
    count: u64,
    last: Option<Instant>,
}

impl Health {
    /// The recording ended by an error.
    pub(super) fn recording_failed(&mut self) {
        self.failures += 1;
    }

    /// So many frames the encoders of OBS have left out.
    pub(super) fn skipped(&mut self, frames: u64, now: Instant) {
        let skips = &mut self.skips;
        let before = skips.counted.replace(frames);
        let more = before.map_or(0, |before| frames.saturating_sub(before));
        if more > 0 {
            skips.count += more;
            skips.last = Some(now);
        }
    }

    /// OBS is another one from here on, or the same anew.
    pub(super) fn met(&mut self) {
        self.skips.counted = None;
    }

    /// OBS records to there now.
    pub(super) fn leads_to(&mut self, destination: &Destination) {
        if destination.channel.is_some() {
            self.profile = Some(destination.profile.clone());
        }
    }

    /// What is wrong; `destination` is where OBS records to.
    pub(super) fn problems(&self, destination: &Destination, now: Instant) -> Vec<Problem> {
        let skips = &self.skips;
        let is_news = |last: Instant| now < last + SKIPS_ARE_NEWS;
        let skipped = skips.last.is_some_and(is_news).then(|| Problem {
            code: "encoder_skips",
            count: skips.count,
            hint: "OBS leaves out frames, for its encoder does not keep up: choose a hardware encoder or a \
                   faster preset, or a smaller size"
                .to_owned(),
        });
        let failed = (self.failures > 0).then(|| Problem {
            code: "recording_failed",
            count: self.failures,
            hint: "a recording of OBS ended by an error; OBS tells which in its log".to_owned(),
        });
        let switched = self
            .profile
            .as_ref()
            .filter(|_| destination.channel.is_none());
        let switched = switched.map(|profile| Problem {
            code: "profile_switched",
            count: 1,
            hint: format!(
                "OBS now has profile {}, which does not record into lookback: {profile} did",
                destination.profile
            ),
        });
        [failed, skipped, switched].into_iter().flatten().collect()
    }
}

/// What is wrong with what comes from OBS.
pub(super) fn of_stream(channel: &Channel, now: Wall) -> Vec<Problem> {
    let status = channel.status(now);
    let problem = |code, hint: String| Problem {
        code,
        count: 1,
        hint,
    };
    let codec = status.video.as_ref().map(|video| &video.codec_string);
    let is_mpeg2 = codec.is_some_and(|codec| codec.starts_with("mp4v"));
    let mpeg2 = is_mpeg2.then(|| {
        let hint = "OBS records MPEG-2 video, which is what it takes when no encoder is chosen: in Settings > \
                    Destination > Recording choose a Video Encoder, such as libx264 or hevc_nvenc";
        problem("mpeg2_video", hint.to_owned())
    });
    let has_no_keyframe = status.problems.iter().any(|it| it.code == "no_keyframe");
    let undecodable = codec.is_none() && status.window.is_none() && has_no_keyframe;
    let without_parameters = undecodable.then(|| {
        let hint = "OBS sends pictures without parameter sets, so that nothing decodes them: take away \
                    global_header from Muxer Settings and Video Encoder Settings";
        problem("no_parameter_sets", hint.to_owned())
    });
    let interval = channel.keyframe_interval();
    let interval = interval.filter(|interval| *interval > KEYFRAMES_MAX);
    let long_gop = interval.map(|interval| {
        let hint = format!(
            "keyframes come {:.1} s apart: in Settings > Output > Recording set Keyframe interval (frames) \
             to half a second, which is 30 at 60 frames a second",
            interval.as_secs_f64()
        );
        problem("long_gop", hint)
    });
    [mpeg2, without_parameters, long_gop]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use lookback_mpegts::{MuxStream, Muxer, MuxerConfig, Pcr, Pid, Ticks, Unit};
    use lookback_testcard::{Config, TestCard};

    use super::*;
    use crate::clock;
    use crate::settings::Name;
    use crate::testing::{record, recorder, video};

    fn codes(problems: &[Problem]) -> Vec<&'static str> {
        assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
        problems.iter().map(|problem| problem.code).collect()
    }

    fn leads(profile: &str, channel: Option<Name>) -> Destination {
        Destination {
            profile: profile.to_owned(),
            channel,
        }
    }

    #[test]
    fn an_encoder_that_skips_is_told_of_while_it_is_news() {
        let (mut health, start) = (Health::default(), Instant::now());
        let none = leads("A", None);
        health.skipped(40, start);
        assert!(
            codes(&health.problems(&none, start)).is_empty(),
            "what was before is not counted"
        );
        health.skipped(45, start);
        health.skipped(3, start);
        health.skipped(5, start);
        let problems = health.problems(&none, start);
        assert_eq!((problems[0].code, problems[0].count), ("encoder_skips", 7));
        assert!(codes(&health.problems(&none, start + SKIPS_ARE_NEWS)).is_empty());
        health.met();
        health.skipped(900, start + SKIPS_ARE_NEWS);
        assert!(codes(&health.problems(&none, start + SKIPS_ARE_NEWS)).is_empty());
    }

    #[test]
    fn a_profile_that_leads_elsewhere_is_told_of_until_one_leads_here() {
        let (mut health, now) = (Health::default(), Instant::now());
        let (here, elsewhere) = (leads("A", Some(Name::main())), leads("B", None));
        health.leads_to(&elsewhere);
        assert!(codes(&health.problems(&elsewhere, now)).is_empty());
        health.leads_to(&here);
        assert!(codes(&health.problems(&here, now)).is_empty());
        health.leads_to(&elsewhere);
        let problems = health.problems(&elsewhere, now);
        assert_eq!(codes(&problems), ["profile_switched"]);
        assert!(problems[0].hint.contains("profile B") && problems[0].hint.contains("A did"));
    }

    #[test]
    fn recordings_that_failed_are_counted() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.recording_failed();
        health.recording_failed();
        let problems = health.problems(&leads("A", None), now);
        assert_eq!(
            (problems[0].code, problems[0].count),
            ("recording_failed", 2)
        );
    }

    #[test]
    fn a_stream_that_is_as_it_should_be_has_no_problem() {
        let recorder = recorder();
        let channel = recorder.add_channel("main");
        assert!(codes(&of_stream(&channel, clock::now())).is_empty());
        record(&channel, &video(3.0), clock::now());
        assert!(codes(&of_stream(&channel, clock::now())).is_empty());
    }

    #[test]
    fn keyframes_that_are_far_apart_are_told_of() {
        let mut card = card();
        let sparse = pictures(H264, 100, |n| match n {
            0 => card.picture(0),
            n if card.is_keyframe(n) => card.picture(n + 1),
            n => card.picture(n),
        });
        assert_eq!(codes_of(&sparse), ["long_gop"]);
    }

    #[test]
    fn pictures_without_parameter_sets_are_told_of() {
        let mut card = card();
        let bare = pictures(H264, 400, |n| without_parameter_sets(&card.picture(n)));
        assert_eq!(codes_of(&bare), ["no_parameter_sets"]);
    }

    #[test]
    fn mpeg_2_is_told_of() {
        // A sequence header of 640 by 360 with 30 pictures a second (ISO/IEC 13818-2, 6.2.2.1), an I picture
        // and the beginning of a slice.
        let sequence = [0, 0, 1, 0xb3, 0x28, 0x01, 0x68, 0x35, 0xff, 0xff, 0xe0, 0];
        let picture = [0, 0, 1, 0, 0, 0x0f, 0xff, 0xf8, 0, 0, 1, 1, 0x12, 0x34];
        let stream = pictures(MPEG_2, 60, |_| [&sequence[..], &picture].concat());
        assert_eq!(codes_of(&stream), ["mpeg2_video"]);
    }

    const H264: u8 = 0x1b;
    const MPEG_2: u8 = 0x02;

    fn card() -> TestCard {
        let config = Config {
            width: 320,
            height: 180,
            ..Config::default()
        };
        TestCard::new(config).expect("a size it takes")
    }

    fn codes_of(stream: &[u8]) -> Vec<&'static str> {
        let recorder = recorder();
        let channel = recorder.add_channel("main");
        record(&channel, stream, clock::now());
        codes(&of_stream(&channel, clock::now()))
    }

    /// A stream of pictures, 30 a second.
    fn pictures(stream_type: u8, count: u64, mut picture: impl FnMut(u64) -> Vec<u8>) -> Vec<u8> {
        let mut muxer = Muxer::new(MuxerConfig {
            streams: vec![MuxStream {
                pid: Pid::new(0x100),
                stream_type,
                stream_id: 0xe0,
                descriptors: Vec::new(),
            }],
            ..MuxerConfig::default()
        });
        let mut bytes = Vec::new();
        muxer.write_tables(&mut bytes);
        for n in 0..count {
            let at = Ticks(90_000 + i64::try_from(n).expect("not many") * 3000);
            let payload = picture(n);
            let unit = Unit {
                stream: 0,
                pts: at,
                dts: at,
                random_access: n == 0,
                pcr: Some(Pcr::from(at - Ticks(18_000))),
                payload: &[&payload[..]],
            };
            muxer.write_unit(&mut bytes, unit);
        }
        bytes
    }

    /// An access unit in Annex B without its SPS and PPS.
    fn without_parameter_sets(unit: &[u8]) -> Vec<u8> {
        let starts: Vec<usize> = (0..unit.len() - 3)
            .filter(|&at| unit[at..at + 3] == [0, 0, 1])
            .collect();
        let ends = starts.iter().skip(1).copied().chain([unit.len()]);
        let nals = starts.iter().copied().zip(ends);
        let kept = nals.filter(|(start, _)| ![7, 8].contains(&(unit[start + 3] & 31)));
        kept.flat_map(|(start, end)| unit[start..end].to_vec())
            .collect()
    }
}
