//! Set-ups and their undoing, with each OBS there is, and cut short wherever they can be.

use super::*;
use crate::obs::encoder::{Choice, Encoder};
use crate::obs::setup::{Outcome, Plan, Wanted};
use crate::obs::undo::{Undone, undo};

fn wanted() -> Wanted {
    Wanted {
        encoder: Choice::Auto,
        encoders: vec![Encoder::named("libx264")],
        bitrate_kbit: None,
        profile: "lookback".to_owned(),
        scene: "Replay".to_owned(),
        server: "127.0.0.1:1688".parse().expect("an address"),
        query: String::new(),
        is_local: true,
    }
}

async fn set_up(stage: &Stage, wanted: &Wanted) -> Result<Outcome, String> {
    let plan = Plan::make(stage, stage, wanted).await;
    let plan = plan.map_err(|failure| failure.to_string())?;
    let outcome = plan.carry_out(stage, stage, stage).await;
    outcome.map_err(|failure| failure.to_string())
}

/// Undoing it leaves what there was.
async fn undoes(world: World, before: &World) {
    let stage = Stage::new(world);
    let undone = undo(&stage, "lookback", &stage)
        .await
        .expect("it can be undone");
    assert_eq!(undone.left, [""; 0]);
    assert_eq!(&stage.reopened(), before);
}

#[tokio::test(start_paused = true)]
async fn every_obs_is_set_up_and_put_back() {
    for version in VERSIONS {
        let before = World::new(version);
        let stage = Stage::new(before.clone());
        let outcome = set_up(&stage, &wanted()).await;
        assert!(
            matches!(outcome, Ok(Outcome::Done(_))),
            "{version:?}: {outcome:?}"
        );
        let after = stage.world();
        assert_eq!(after.profiles["Mine"], before.profiles["Mine"]);
        assert_eq!(after.scenes["Talk"], before.scenes["Talk"]);
        assert_eq!(after.program, "Talk");
        // Half a second at the rate of the copy, and all of its canvas.
        assert_eq!(after.advanced("FFVGOPSize"), Some("30"));
        assert_eq!(after.scenes["Replay"][&7].1["boundsHeight"], 1080.0);
        let hotkey = ("Hotkeys".to_owned(), "OBSBasic.StartStreaming".to_owned());
        assert!(after.profiles["lookback"].contains_key(&hotkey));

        let outcome = set_up(&stage, &wanted()).await;
        assert!(
            matches!(outcome, Ok(Outcome::Unchanged(_))),
            "{version:?}: {outcome:?}"
        );
        assert_eq!(stage.world(), after);
        undoes(after, &before).await;
    }
}

/// Wherever OBS is closed in the middle, the next set-up completes it, and so does undoing.
#[tokio::test(start_paused = true)]
async fn a_set_up_that_is_cut_short_is_completed_or_undone() {
    let before = World::new(VERSIONS[1]);
    let mut unmarked = 0;
    for requests in 0.. {
        let stage = Stage::living(before.clone(), requests);
        if set_up(&stage, &wanted()).await.is_ok() {
            assert!(requests > 100, "{requests} requests");
            break;
        }
        let left = stage.reopened();
        let completed = Stage::new(left.clone());
        match set_up(&completed, &wanted()).await {
            Ok(_) => undoes(completed.world(), &before).await,
            // Between the making of the profile and the first word in it.
            Err(error) => {
                assert!(error.contains("Profile > Remove"), "{requests}: {error}");
                unmarked += 1;
                continue;
            }
        }
        undoes(left, &before).await;
    }
    assert_eq!(unmarked, UNMARKED, "so many requests stand between the two");
}

/// While OBS makes the profile, and while the journal for it is put together.
const UNMARKED: usize = 1;

#[tokio::test(start_paused = true)]
async fn the_next_encoder_is_tried_and_it_is_said() {
    let stage = Stage::new(World::new(VERSIONS[1]));
    let wanted = Wanted {
        encoders: ["h264_nvenc", "libx264"].map(Encoder::named).into(),
        ..wanted()
    };
    let outcome = set_up(&stage, &wanted).await;
    assert!(
        matches!(&outcome, Ok(Outcome::Done(proof)) if proof.encoder == "libx264"),
        "{outcome:?}"
    );
    let told = stage.told();
    let failure = format!("h264_nvenc into {SOURCE}: OBS did not begin to record");
    assert!(told.contains(&failure), "{told:?}");

    let mut world = World::new(VERSIONS[1]);
    world.encoders.clear();
    let error = set_up(&Stage::new(world), &wanted).await;
    let error = error.expect_err("no encoder works");
    assert!(
        error.contains("libx264") && error.contains("--encoder"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ended_unasked() {
    let mut world = World::new(VERSIONS[4]);
    world.running = vec![Output::Stream, Output::Recording];
    world.encoders.push("libx265");
    let mut stage = Stage::new(world.clone());
    let error = set_up(&stage, &wanted()).await.expect_err("it is busy");
    assert!(
        error.contains("the stream, the recording") && error.contains("--yes"),
        "{error}"
    );
    assert_eq!(stage.world(), world);
    stage.yes = true;
    assert!(set_up(&stage, &wanted()).await.is_ok());
    let undone = undo(&stage, "lookback", &stage)
        .await
        .expect("it can be undone");
    assert_eq!(
        undone,
        Undone {
            was_set_up: true,
            left: Vec::new()
        }
    );
    // The recording of before goes on; a stream is the user's to begin.
    assert_eq!(stage.world().running, [Output::Recording]);
}

#[tokio::test(start_paused = true)]
async fn names_of_the_users_are_not_taken() {
    let wanted = |profile: &str, scene: &str| Wanted {
        profile: profile.to_owned(),
        scene: scene.to_owned(),
        ..wanted()
    };
    let before = World::new(VERSIONS[1]);
    for (profile, scene, option) in [
        ("Mine", "Replay", "--profile"),
        ("lookback", "Talk", "--scene"),
        ("lookback", "Camera", "--scene"),
    ] {
        let stage = Stage::new(before.clone());
        let error = set_up(&stage, &wanted(profile, scene)).await;
        let error = error.expect_err("it is the user's");
        assert!(error.contains(option), "{error}");
        assert_eq!(stage.world(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_lookback_does_not_take_over() {
    let stage = Stage::new(World::new(VERSIONS[1]));
    set_up(&stage, &wanted()).await.expect("a set-up");
    let other = Wanted {
        server: "127.0.0.1:1700".parse().expect("an address"),
        ..wanted()
    };
    let error = set_up(&stage, &other).await.expect_err("it is taken");
    assert!(error.contains("http://127.0.0.1:1688"), "{error}");
    let elsewhere = Wanted {
        scene: "Again".to_owned(),
        ..wanted()
    };
    let error = set_up(&stage, &elsewhere)
        .await
        .expect_err("it has a scene");
    assert!(error.contains("undo first"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_camera_runs_on_as_the_user_has_it() {
    let mut before = World::new(VERSIONS[4]);
    before.has_camera = true;
    before.running = vec![Output::VirtualCamera];
    let mut stage = Stage::new(before.clone());
    stage.yes = true;
    let other = Wanted {
        bitrate_kbit: Some(9000),
        ..wanted()
    };
    for wanted in [wanted(), other.clone()] {
        set_up(&stage, &wanted).await.expect("a set-up");
        assert!(stage.world().running.contains(&Output::VirtualCamera));
    }
    undo(&stage, "lookback", &stage)
        .await
        .expect("it can be undone");
    assert_eq!(stage.world().running, [Output::VirtualCamera]);

    // What the user has ended since stays ended.
    set_up(&stage, &wanted()).await.expect("a set-up");
    stage
        .ask("StopVirtualCam", json!({}))
        .await
        .expect("it is there");
    set_up(&stage, &other).await.expect("a set-up");
    assert_eq!(stage.world().running, [Output::Recording]);
    undo(&stage, "lookback", &stage)
        .await
        .expect("it can be undone");
    assert_eq!(stage.world().running, []);
}
