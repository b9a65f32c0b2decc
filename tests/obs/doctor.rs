//! The doctor looks at an OBS that records into lookback, and at one that does not.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;

use super::Stage;
use crate::doctor::Report;
use crate::support::obs::Obs;
use crate::support::server::Server;
use crate::support::text;

#[test]
fn it_tells_a_profile_that_records_from_one_that_does_not() {
    let stage = Stage::new();
    let home = stage.path("lookback");
    let made = DirBuilder::new().mode(0o700).create(&home);
    made.expect("the test's folder takes folders");
    let pipe = home.join("obs.ts");
    let server = Server::start(stage.folder.path(), &["--input", text(&pipe)]);
    let look = |obs: &Obs| {
        let arguments = ["--server", &server.url(""), "--obs", &obs.address()];
        Report::of(stage.folder.path(), &arguments)
    };

    let mut obs = stage.obs(text(&pipe));
    obs.start_recording();
    server.wait_for_window(2.0);
    let report = look(&obs);
    report.says("OBS", "good", "obs-websocket 5");
    report.says("OBS: output", "good", text(&pipe));
    report.says("OBS: encoders", "good", "libx264");
    report.says("OBS: keyframes", "good", "0.5 s");
    report.says("OBS: recording", "good", "it records");
    report.says("pipe for OBS", "good", "is read by lookback");
    report.says("channel main", "good", "640x360");
    assert!(report.on("OBS: frames").is_some(), "they are counted");
    report.ends_with(0);
    obs.stop_recording();
    look(&obs).says("OBS: recording", "warning", "does not record");
    drop(obs);

    let report = look(&Obs::playing());
    report.says(
        "OBS: output",
        "bad",
        "profile Test does not record into lookback",
    );
    report.ends_with(1);
}
