//! The profile of OBS: whether it records into lookback, and so that replays can be made of it.

use super::finding::Finding;
use crate::obs::{Refusal, Studio, studio};
use crate::source::{Address, windows_pipe};

/// Where the current profile records to, and how; as findings.
pub(super) async fn output(
    studio: &impl Studio,
    sources: &[String],
) -> Result<Vec<Finding>, Refusal> {
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
    Ok(vec![
        destination(&profile, sources),
        encoders(&profile),
        keyframes(&profile),
    ])
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

fn destination(profile: &Profile, sources: &[String]) -> Finding {
    let title = "OBS: output";
    let Profile {
        name, url, format, ..
    } = profile;
    let is_taken = sources.iter().any(|source| {
        let address = source.parse::<Address>();
        // One of Windows is no address elsewhere.
        address.is_ok_and(|address| address.takes(url))
            || windows_pipe(url).is_some_and(|url| url.eq_ignore_ascii_case(source))
    });
    // Behind it may be a passphrase.
    let shown_url = url.split_once('?').map_or(url.as_str(), |(bare, _)| bare);
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
            format!("profile {name} records to {shown_url}, and nothing is known to be read there"),
            format!(
                "Settings > Output > Recording: File path or URL {}",
                sources.join(" or ")
            ),
        )
    } else {
        Finding::good(
            title,
            format!("profile {name} records mpegts to {shown_url}"),
        )
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

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::super::finding::Verdict::{Bad, Good, Warning};
    use super::*;

    pub(in crate::doctor) const SOURCE: &str = "/run/user/1000/lookback/obs.ts";

    /// An OBS 29.0.2, whose answers were written down from the real one, with these parameters in its profile.
    pub(in crate::doctor) struct Told(
        pub(in crate::doctor) &'static [(&'static str, &'static str)],
    );

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

    pub(in crate::doctor) const SET_UP: [(&str, &str); 9] = [
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
            assert!(
                matches!(&found[..], [one] if one.verdict == Bad),
                "{found:?}"
            );
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
        let sources = [SOURCE, pipe, "srt://0.0.0.0:9000"].map(str::to_owned);
        let judge = |change: fn(&mut Profile)| destination(&profile(change), &sources).verdict;
        let locked = "srt://127.0.0.1:9000?passphrase=correcthorse";
        let found = destination(&profile(|it| it.url = locked.into()), &sources);
        assert_eq!(found.verdict, Good);
        assert!(!found.detail.contains("correcthorse"), "{found:?}");
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
}
