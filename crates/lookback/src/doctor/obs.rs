//! OBS: whether it can be reached, and whether its profile records into lookback as replays need it.

use serde::Deserialize;
use serde_json::json;

use super::finding::Finding;
use super::profile;
use crate::obs::{Connection, OpenError, Password, Refusal, Studio, Subscriptions, studio};
use crate::settings::Endpoint;

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
    take("OBS: output", profile::output(studio, sources).await);
    take("OBS: recording", recording(studio).await);
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

async fn recording(studio: &impl Studio) -> Result<Vec<Finding>, Refusal> {
    let status = studio::record_status(studio).await?;
    Ok(vec![recording_judged(status.active)])
}

fn recording_judged(records: bool) -> Finding {
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
    use super::super::finding::Verdict::{self, Bad, Good, Warning};
    use super::super::profile::tests::{SET_UP, SOURCE, Told};
    use super::*;

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

    #[test]
    fn recording_runs_or_does_not() {
        assert_eq!(recording_judged(true).verdict, Good);
        assert_eq!(recording_judged(false).verdict, Warning);
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
