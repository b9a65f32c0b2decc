//! OBS: whether it can be reached, and whether its profile records into lookback as replays need it.

use serde::Deserialize;
use serde_json::json;

use super::finding::Finding;
use crate::obs::{Connection, OpenError, Password, Refusal, Studio, Subscriptions, studio};
use crate::settings::Endpoint;
use crate::source::windows_pipe;

const TITLE: &str = "OBS";

/// The first with obs-websocket 5.
const OLDEST: u32 = 28;

/// Connects and looks. Where nobody has said that there is an OBS (`address` is none), there may be none.
pub(super) async fn look(
    address: Option<&Endpoint>,
    password: Option<&Password>,
    sources: &[String],
) -> Vec<Finding> {
    let usual = super::OBS.parse().expect("an address and a port");
    let opened = Connection::open(address.unwrap_or(&usual), password, Subscriptions::NONE).await;
    match opened {
        Ok((connection, _events)) => examine(&connection, sources).await,
        Err(error) => vec![unopened(&error, address.is_some())],
    }
}

fn unopened(error: &OpenError, is_named: bool) -> Finding {
    // The part behind the colon says what to do.
    let told = error.to_string();
    let (detail, advice) = told.rsplit_once("): ").map_or_else(
        || {
            told.split_once(": ")
                .unwrap_or((&told, "look into OBS's log"))
        },
        |(detail, advice)| (&told[..=detail.len()], advice),
    );
    match error {
        OpenError::Unreachable { .. } if !is_named => Finding::warning(TITLE, detail, advice),
        _ => Finding::bad(TITLE, detail, advice),
    }
}

async fn examine(studio: &impl Studio, sources: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    // One that is refused says why, and does not keep the others from being looked at.
    let mut take = |title: &str, found: Result<Vec<Finding>, Refusal>| match found {
        Ok(found) => findings.extend(found),
        Err(refusal) => findings.push(Finding::warning(
            title,
            refusal.to_string(),
            "close what OBS asks, and try again",
        )),
    };
    take(TITLE, version(studio).await.map(|found| vec![found]));
    take("OBS: output", output(studio, sources).await);
    take("OBS: frames", frames(studio).await);
    findings
}

async fn version(studio: &impl Studio) -> Result<Finding, Refusal> {
    let version = studio::version(studio).await?;
    let detail = format!(
        "{} answers, with obs-websocket {}",
        version.obs_version, version.obs_web_socket_version
    );
    let major = version.obs_version.split('.').next();
    let major: Option<u32> = major.and_then(|major| major.parse().ok());
    Ok(match major {
        Some(major) if major < OLDEST => {
            Finding::warning(TITLE, detail, format!("take OBS {OLDEST} or later"))
        }
        _ => Finding::good(TITLE, detail),
    })
}

/// What the profile says of the recording.
#[derive(Clone, Debug, Default)]
struct Profile {
    name: String,
    url: String,
    format: String,
    video_encoder: String,
    audio_encoder: String,
    /// `NAME=VALUE`, with spaces between them.
    options: String,
    /// Pictures from a keyframe to the next.
    gop: String,
    fps: f64,
}

async fn output(studio: &impl Studio, sources: &[String]) -> Result<Vec<Finding>, Refusal> {
    let name = studio::profiles(studio).await?.current;
    let read = async |category: &str, name: &str| {
        let parameter = studio::parameter(studio, category, name).await?;
        Ok::<_, Refusal>(parameter.value.or(parameter.default).unwrap_or_default())
    };
    let is_ours = read("Output", "Mode").await? == "Advanced"
        && read("AdvOut", "RecType").await? == "FFmpeg"
        && read("AdvOut", "FFOutputToFile").await? == "false";
    if !is_ours {
        return Ok(vec![Finding::bad(
            "OBS: output",
            format!("profile {name} does not record into lookback"),
            "lookback obs setup makes a profile that does; by hand: Settings > Output, Advanced, \
             Recording, Custom Output (FFmpeg), Output to URL",
        )]);
    }
    let video = studio::video_settings(studio).await?;
    let profile = Profile {
        name,
        url: read("AdvOut", "FFURL").await?,
        format: read("AdvOut", "FFFormat").await?,
        video_encoder: read("AdvOut", "FFVEncoder").await?,
        audio_encoder: read("AdvOut", "FFAEncoder").await?,
        options: read("AdvOut", "FFVCustom").await?,
        gop: read("AdvOut", "FFVGOPSize").await?,
        fps: video.fps_numerator / video.fps_denominator,
    };
    let records = studio::record_status(studio).await?.active;
    Ok(vec![
        destination(&profile, sources),
        encoders(&profile),
        keyframes(&profile),
        recording(records),
    ])
}

fn destination(profile: &Profile, sources: &[String]) -> Finding {
    let title = "OBS: output";
    let Profile {
        name, url, format, ..
    } = profile;
    let is_taken = sources.iter().any(|source| {
        source == url || windows_pipe(url).is_some_and(|url| url.eq_ignore_ascii_case(source))
    });
    if format != "mpegts" {
        let shown = if format.is_empty() {
            "no format"
        } else {
            format
        };
        Finding::bad(
            title,
            format!("profile {name} records {shown}, of which lookback reads nothing"),
            "Settings > Output > Recording: Container Format mpegts",
        )
    } else if !is_taken {
        Finding::warning(
            title,
            format!("profile {name} records to {url}, and nothing is known to be read there"),
            format!(
                "Settings > Output > Recording: File path or URL {}",
                sources.join(" or ")
            ),
        )
    } else {
        Finding::good(title, format!("profile {name} records mpegts to {url}"))
    }
}

fn encoders(profile: &Profile) -> Finding {
    let title = "OBS: encoders";
    let (video, audio) = (&profile.video_encoder, &profile.audio_encoder);
    let options = options(&profile.options);
    let without_b_frames = [
        ("bf", "0"),
        ("tune", "zerolatency"),
        ("preset", "ultrafast"),
    ];
    if video.is_empty() {
        Finding::bad(
            title,
            "no video encoder is chosen: OBS then records MPEG-2",
            "Settings > Output > Recording: Video Encoder, such as libx264 or hevc_nvenc",
        )
    } else if audio.is_empty() {
        Finding::warning(
            title,
            "no audio encoder is chosen: OBS then records MPEG audio, which browsers do not play",
            "Settings > Output > Recording: Audio Encoder aac",
        )
    } else if video == "libx264" && !without_b_frames.iter().any(|it| options.contains(it)) {
        Finding::warning(
            title,
            "libx264 makes B-frames: a deck shows a replay of them half a second late",
            "Settings > Output > Recording: Video Encoder Settings tune=zerolatency",
        )
    } else {
        Finding::good(title, format!("{video} and {audio}"))
    }
}

/// Replays begin on keyframes: further apart, there is nothing to begin on for too long.
const GOP_MAX_S: f64 = 2.0;

fn keyframes(profile: &Profile) -> Finding {
    let title = "OBS: keyframes";
    // What stands among the encoder's own settings is set later, and wins.
    let own = options(&profile.options);
    let own = own.iter().rev().find(|(name, _)| *name == "g");
    let gop = own.map_or(&*profile.gop, |(_, value)| value);
    let seconds = gop
        .parse()
        .map_or(f64::NAN, |pictures: f64| pictures / profile.fps);
    let advice = format!(
        "Settings > Output > Recording: Keyframe interval (frames) {:.0}",
        profile.fps / 2.0
    );
    if seconds > 0.0 && seconds <= GOP_MAX_S {
        Finding::good(title, format!("one every {seconds:.1} s"))
    } else if seconds > GOP_MAX_S {
        let detail = format!("one every {seconds:.1} s: a replay begins up to that much too early");
        Finding::warning(title, detail, advice)
    } else {
        Finding::warning(title, "the encoder chooses how far they are apart", advice)
    }
}

fn options(text: &str) -> Vec<(&str, &str)> {
    text.split_whitespace()
        .filter_map(|option| option.split_once('='))
        .collect()
}

fn recording(records: bool) -> Finding {
    let title = "OBS: recording";
    match records {
        true => Finding::good(title, "it records"),
        false => Finding::warning(
            title,
            "it does not record",
            "press Start Recording, or let OBS start with --startrecording",
        ),
    }
}

/// `GetStats`, of which every version has these.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    render_skipped_frames: u64,
    render_total_frames: u64,
    output_skipped_frames: u64,
    output_total_frames: u64,
}

/// Of a hundred pictures, one is seen to be missing.
const SKIPPED_MAX: f64 = 0.01;

async fn frames(studio: &impl Studio) -> Result<Vec<Finding>, Refusal> {
    let stats = studio::read(studio, "GetStats", json!({})).await?;
    Ok(vec![frames_judged(&stats)])
}

fn frames_judged(stats: &Stats) -> Finding {
    let title = "OBS: frames";
    let share = |skipped: u64, total: u64| skipped as f64 / total.max(1) as f64;
    let encoding = share(stats.output_skipped_frames, stats.output_total_frames);
    let drawing = share(stats.render_skipped_frames, stats.render_total_frames);
    if encoding > SKIPPED_MAX {
        let percent = encoding * 100.0;
        Finding::warning(
            title,
            format!("{percent:.1} % are left out since the encoder is too slow"),
            "take an encoder of the hardware, a faster preset, or fewer pictures a second",
        )
    } else if drawing > SKIPPED_MAX {
        let percent = drawing * 100.0;
        Finding::warning(
            title,
            format!("{percent:.1} % are not drawn in time"),
            "OBS as administrator (Windows), fewer sources, or fewer pictures a second",
        )
    } else {
        Finding::good(title, "none are left out")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::finding::Verdict::{self, Bad, Good, Warning};
    use super::*;

    const SOURCE: &str = "/run/user/1000/lookback/obs.ts";

    /// An OBS 29.0.2, whose answers were written down from the real one, with these parameters in its profile.
    struct Told(&'static [(&'static str, &'static str)]);

    impl Studio for Told {
        async fn ask(&self, request: &str, data: Value) -> Result<Value, Refusal> {
            Ok(match request {
                "GetVersion" => {
                    json!({"obsVersion": "29.0.2", "obsWebSocketVersion": "5.1.0", "rpcVersion": 1,
                           "platform": "debian", "platformDescription": "Debian GNU/Linux 12"})
                }
                "GetProfileList" => json!({"currentProfileName": "Show", "profiles": ["Show"]}),
                "GetProfileParameter" => {
                    let name = data["parameterName"].as_str().expect("a name");
                    let value = self.0.iter().find(|(known, _)| *known == name);
                    json!({"parameterValue": value.map(|(_, value)| value), "defaultParameterValue": null})
                }
                "GetVideoSettings" => {
                    json!({"baseWidth": 1920, "baseHeight": 1080, "outputWidth": 1920, "outputHeight": 1080,
                           "fpsNumerator": 60, "fpsDenominator": 1})
                }
                "GetRecordStatus" => json!({"outputActive": true, "outputPaused": false,
                    "outputBytes": 1, "outputDuration": 1, "outputTimecode": "00:00:00.001"}),
                _ => {
                    return Err(Refusal::NotReady {
                        request: request.to_owned(),
                    });
                }
            })
        }
    }

    const SET_UP: [(&str, &str); 9] = [
        ("Mode", "Advanced"),
        ("RecType", "FFmpeg"),
        ("FFOutputToFile", "false"),
        ("FFURL", SOURCE),
        ("FFFormat", "mpegts"),
        ("FFVEncoder", "hevc_nvenc"),
        ("FFAEncoder", "aac"),
        ("FFVGOPSize", "30"),
        ("FFVCustom", "forced-idr=1"),
    ];

    fn verdicts(findings: &[Finding]) -> Vec<(&str, Verdict)> {
        let findings = findings.iter();
        findings.map(|it| (&*it.title, it.verdict)).collect()
    }

    #[tokio::test]
    async fn a_profile_that_is_set_up_is_good() {
        let found = examine(&Told(&SET_UP), &[SOURCE.to_owned()]).await;
        let expected = [
            ("OBS", Good),
            ("OBS: output", Good),
            ("OBS: encoders", Good),
            ("OBS: keyframes", Good),
            ("OBS: recording", Good),
            // It has not been told of frames, and is not ready to tell.
            ("OBS: frames", Warning),
        ];
        assert_eq!(verdicts(&found), expected, "{found:#?}");
    }

    #[tokio::test]
    async fn a_profile_that_records_elsewhere_is_bad() {
        for told in [
            &[][..],
            &[("Mode", "Simple")],
            &[("Mode", "Advanced"), ("RecType", "Standard")],
            &[
                ("Mode", "Advanced"),
                ("RecType", "FFmpeg"),
                ("FFOutputToFile", "true"),
            ],
        ] {
            let found = output(&Told(told), &[]).await.expect("answers");
            assert_eq!(verdicts(&found), [("OBS: output", Bad)]);
            assert!(found[0].detail.contains("profile Show"), "{found:?}");
        }
    }

    fn profile(change: impl FnOnce(&mut Profile)) -> Profile {
        let mut profile = Profile {
            name: "Show".into(),
            url: SOURCE.into(),
            format: "mpegts".into(),
            video_encoder: "libx264".into(),
            audio_encoder: "aac".into(),
            options: "preset=veryfast tune=zerolatency".into(),
            gop: "30".into(),
            fps: 60.0,
        };
        change(&mut profile);
        profile
    }

    #[test]
    fn output_goes_where_lookback_reads() {
        let pipe = r"\\.\pipe\obs_piping_to_buffer";
        let sources = [SOURCE.to_owned(), pipe.to_owned()];
        let judge = |change: fn(&mut Profile)| destination(&profile(change), &sources).verdict;
        assert_eq!(judge(|_| {}), Good);
        assert_eq!(
            judge(|it| it.url = "//./pipe/obs_piping_to_buffer".into()),
            Good
        );
        assert_eq!(judge(|it| it.url = "tcp://10.0.0.1:9".into()), Warning);
        assert_eq!(judge(|it| it.format = "matroska".into()), Bad);
        assert_eq!(judge(|it| it.format = String::new()), Bad);
    }

    #[test]
    fn encoders_are_chosen_and_make_no_b_frames() {
        let judge = |change: fn(&mut Profile)| encoders(&profile(change)).verdict;
        assert_eq!(judge(|_| {}), Good);
        assert_eq!(judge(|it| it.options = "bf=0".into()), Good);
        assert_eq!(judge(|it| it.options = "preset=ultrafast".into()), Good);
        assert_eq!(judge(|it| it.options = "preset=veryfast".into()), Warning);
        assert_eq!(judge(|it| it.audio_encoder = String::new()), Warning);
        assert_eq!(judge(|it| it.video_encoder = String::new()), Bad);
    }

    #[test]
    fn keyframes_are_close_together() {
        let found = |change: fn(&mut Profile)| keyframes(&profile(change));
        assert_eq!(found(|_| {}).detail, "one every 0.5 s");
        assert_eq!(found(|it| it.gop = "120".into()).verdict, Good);
        assert_eq!(found(|it| it.gop = "250".into()).verdict, Warning);
        assert_eq!(
            found(|it| it.options = "bf=0 g=600".into()).verdict,
            Warning
        );
        for unset in ["", "0", "many"] {
            let mut profile = profile(|_| {});
            profile.gop = unset.into();
            let found = keyframes(&profile);
            assert_eq!(found.verdict, Warning, "{unset}");
            assert!(found.advice.is_some_and(|it| it.ends_with("30")));
        }
    }

    #[test]
    fn recording_runs_or_does_not() {
        assert_eq!(recording(true).verdict, Good);
        assert_eq!(recording(false).verdict, Warning);
    }

    #[test]
    fn frames_are_left_out_by_the_encoder_or_not_drawn() {
        let judge = |output, render| {
            frames_judged(&Stats {
                render_skipped_frames: render,
                render_total_frames: 1000,
                output_skipped_frames: output,
                output_total_frames: 1000,
            })
        };
        assert_eq!(judge(10, 10).verdict, Good);
        assert!(judge(11, 50).detail.contains("1.1 % are left out"));
        assert!(judge(0, 50).detail.contains("5.0 % are not drawn"));
        let fresh = Stats {
            render_skipped_frames: 0,
            render_total_frames: 0,
            output_skipped_frames: 0,
            output_total_frames: 0,
        };
        assert_eq!(frames_judged(&fresh).verdict, Good);
    }

    #[test]
    fn an_obs_that_cannot_be_reached_may_be_none() {
        let address: Endpoint = super::super::OBS.parse().expect("an address");
        let unreachable = OpenError::Unreachable {
            address: address.clone(),
            reason: "refused (os error 111)".into(),
        };
        let found = unopened(&unreachable, false);
        assert_eq!(found.verdict, Warning);
        assert_eq!(
            found.detail,
            "no OBS answers at 127.0.0.1:4455 (refused (os error 111))"
        );
        assert!(
            found
                .advice
                .is_some_and(|it| it.starts_with("is OBS running, "))
        );
        assert_eq!(unopened(&unreachable, true).verdict, Bad);
        let wrong = unopened(&OpenError::PasswordWrong { address }, false);
        assert_eq!(wrong.verdict, Bad);
        assert!(
            wrong
                .advice
                .is_some_and(|it| it.contains("Show Connect Info"))
        );
    }
}
