//! Conversions and exports as clients see them. What ffmpeg makes of them is seen end to end.

use super::*;
use crate::library::Template;
use crate::testing::eventually;

const MISSING: &str = "no-such-ffmpeg";

async fn with_library(template: &str) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let template: Template = template.parse().expect("a template");
    let library = Library::open(folder.path(), template).expect("a folder");
    let server = with_jobs(Guard::new(Vec::new(), true, None), MISSING, Some(library));
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(2.0), clock::now());
    (folder, server)
}

impl Server {
    /// The path under which a clip of everything takes commands.
    async fn clip_command(&self, command: &str) -> String {
        let url = self.clip().await;
        let id = url
            .strip_prefix("/clips/")
            .and_then(|url| url.strip_suffix(".ts"));
        format!("/api/v1/clips/{}/{command}", id.expect("a clip's URL"))
    }

    /// Waits for the end of a job.
    pub(super) async fn over(&self, job: &Value) -> Value {
        let path = format!("/api/v1/jobs/{}", job["id"].as_str().expect("an id"));
        loop {
            let job = json_of(self.get(&path).await).await;
            if job["state"] != "queued" && job["state"] != "running" {
                return job;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn requests_that_cannot_be_met_say_why() {
    let server = recorded();
    let (convert, export) = (
        server.clip_command("convert").await,
        server.clip_command("export").await,
    );
    for (path, body, status, code) in [
        (&convert, json!({"preset": "none"}), 422, "unknown_preset"),
        (
            &convert,
            json!({"preset": "gif", "parameters": {"fps": 999}}),
            422,
            "bad_parameter",
        ),
        (
            &convert,
            json!({"preset": "gif", "in_s": 99}),
            422,
            "bad_parameter",
        ),
        (
            &convert,
            json!({"preset": "copy", "in_s": 1}),
            422,
            "bad_parameter",
        ),
        (
            &convert,
            json!({"preset": "gif", "arguments": ["-y"]}),
            400,
            "bad_request",
        ),
        (&convert, json!({}), 400, "bad_request"),
        (&convert, json!({"preset": "gif"}), 503, "no_ffmpeg"),
        (&export, json!({}), 409, "no_library"),
        (
            &export,
            json!({"parameters": {"fps": 1}}),
            422,
            "bad_parameter",
        ),
        (
            &"/api/v1/clips/0/convert".to_owned(),
            json!({"preset": "gif"}),
            404,
            "unknown_clip",
        ),
        (
            &"/api/v1/clips/0/export".to_owned(),
            json!({}),
            404,
            "unknown_clip",
        ),
    ] {
        let problem = problem_of(server.post(path, &body).await).await;
        assert_eq!(problem, (status, code.to_owned()), "{path} {body}");
    }
    for (method, path) in [
        ("GET", "/api/v1/jobs/0"),
        ("DELETE", "/api/v1/jobs/0"),
        ("GET", "/jobs/0/x.mp4"),
    ] {
        let problem = problem_of(server.ask(method, path, &[]).await).await;
        assert_eq!(problem, (404, "unknown_job".to_owned()), "{path}");
    }
    assert_eq!(json_of(server.get("/api/v1/jobs").await).await, json!([]));
}

#[tokio::test]
async fn presets_are_listed_with_what_is_missing() {
    let server = recorded();
    let presets = json_of(server.get("/api/v1/presets").await).await;
    let share = presets
        .as_array()
        .expect("a list")
        .iter()
        .find(|it| it["name"] == "share");
    let share = share.expect("it is built in");
    assert_eq!(share["parameters"]["size"]["default"], "10MB");
    assert_eq!(share["available"], false);
    assert!(
        share["missing"]
            .as_str()
            .is_some_and(|text| text.contains(MISSING) && text.contains("install"))
    );
}

#[tokio::test]
async fn an_export_is_the_clip_under_a_safe_name() {
    let (folder, server) = with_library("{channel}_{name}_{n}").await;
    let url = server.clip().await;
    let whole = bytes_of(server.get(&url).await).await;
    let path = url
        .replace("/clips/", "/api/v1/clips/")
        .replace(".ts", "/export");
    for expected in ["main_a-b_1.ts", "main_a-b_2.ts"] {
        let response = server
            .post(&path, &json!({"name": "a/b", "tags": ["x"]}))
            .await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        let location = header(&response, "location").expect("a place").to_owned();
        let job = json_of(response).await;
        assert_eq!(
            location,
            format!("/api/v1/jobs/{}", job["id"].as_str().expect("an id"))
        );
        let job = server.over(&job).await;
        assert_eq!(job["state"], "done", "{job}");
        assert_eq!(
            job["result"],
            json!({"library": expected, "bytes": whole.len()})
        );
        let saved = std::fs::read(folder.path().join(expected)).expect("it is there");
        assert_eq!(saved, whole);
        let about =
            std::fs::read(folder.path().join(format!("{expected}.json"))).expect("beside it");
        let about: Value = serde_json::from_slice(&about).expect("JSON");
        assert_eq!(
            (&about["name"], &about["tags"]),
            (&json!("a/b"), &json!(["x"]))
        );
        assert!(
            about["start"].is_string() && about["duration_s"].as_f64() > Some(1.5),
            "{about}"
        );
    }
}

#[tokio::test]
async fn an_export_that_fails_says_why_and_leaves_the_clip() {
    let (folder, server) = with_library("{name}").await;
    let export = server.clip_command("export").await;
    let failed = async |body: Value| {
        let job = json_of(server.post(&export, &body).await).await;
        server.over(&job).await["error"]["code"].clone()
    };
    assert_eq!(failed(json!({"name": "x"})).await, Value::Null);
    assert_eq!(failed(json!({"name": "x"})).await, "name_taken");
    folder.close().expect("nobody is in it");
    assert_eq!(failed(json!({"name": "y"})).await, "library_gone");
    let clip = export.replace("/api/v1", "").replace("/export", ".ts");
    assert_eq!(server.get(&clip).await.status(), StatusCode::OK);
}

#[cfg(unix)]
#[tokio::test]
async fn a_result_is_served_like_a_clip() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("ffmpeg");
    let script =
        "#!/bin/sh\ncase \"$*\" in *-encoders*) echo ' A....D aac x';; *) exec cat;; esac\n";
    std::fs::write(&program, script).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).expect("ours");
    let program = program.to_str().expect("a plain path");
    let server = with_jobs(Guard::new(Vec::new(), true, None), program, None);
    let channel = server.recorder.channel("main").expect("just added");
    record(&channel, &video(2.0), clock::now());

    let convert = server.clip_command("convert").await;
    let job = json_of(server.post(&convert, &json!({"preset": "audio"})).await).await;
    let job = server.over(&job).await;
    let url = job["result"]["url"].as_str().expect("a URL").to_owned();
    assert!(url.starts_with("/jobs/") && url.ends_with(".m4a"), "{url}");
    let response = server.get(&url).await;
    assert_eq!(header(&response, "content-type"), Some("audio/mp4"));
    let tag = header(&response, "etag").expect("a tag").to_owned();
    let whole = bytes_of(response).await;
    assert_eq!(job["result"]["bytes"], whole.len());
    let part = server.range(&url, "bytes=1000-300000").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let range = format!(
        "bytes 1000-{}/{}",
        300_000.min(whole.len() - 1),
        whole.len()
    );
    assert_eq!(header(&part, "content-range"), Some(range.as_str()));
    assert_eq!(
        bytes_of(part).await,
        whole.slice(1000..whole.len().min(300_001))
    );
    let known = server.ask("GET", &url, &[("if-none-match", &tag)]).await;
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let head = server.ask("HEAD", &url, &[]).await;
    assert_eq!(
        header(&head, "content-length"),
        Some(whole.len().to_string().as_str())
    );
    let other = url.replace("main", "other");
    assert_eq!(
        problem_of(server.get(&other).await).await.0,
        404,
        "its name is a part of it"
    );

    let id = job["id"].as_str().expect("an id");
    let path = format!("/api/v1/jobs/{id}");
    assert_eq!(
        server.ask("DELETE", &path, &[]).await.status(),
        StatusCode::OK
    );
    assert_eq!(problem_of(server.get(&url).await).await.0, 404);
    eventually("its memory is free", || {
        server.recorder.memory().held_bytes == 0
    })
    .await;
}
