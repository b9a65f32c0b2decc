//! Scenes, the program, and an OBS that ends and comes again.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Obs, custom_output, write_settings};
use crate::support::{eventually, free_port, text};

impl Obs {
    /// Starts OBS so that it records into `url` as MPEG-TS, with a transition `Stinger` that shows `film`.
    pub(crate) fn with_stinger(url: &str, film: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("obs-")
            .tempdir()
            .expect("a folder");
        let port = free_port();
        let outputs = custom_output(url, "mpegts");
        write_settings(folder.path(), port, &outputs, &json!({}));
        let file = folder
            .path()
            .join(".config/obs-studio/basic/scenes/Test.json");
        let collection = fs::read_to_string(&file).expect("it was written");
        let mut collection: Value = serde_json::from_str(&collection).expect("JSON");
        collection["transitions"] = json!([{"id": "obs_stinger_transition", "name": "Stinger",
            "settings": {"path": text(film), "tp_type": 0, "transition_point": 500}}]);
        fs::write(&file, collection.to_string()).expect("the test's folder takes files");
        Self::run(folder, port, None)
    }

    /// Ends it without a word, and keeps what it has written.
    pub(crate) fn dies(self) -> Dead {
        let Self {
            port,
            folder,
            password,
            ..
        } = self;
        Dead {
            port,
            folder,
            password,
        }
    }

    pub(crate) fn add_scene(&mut self, name: &str) {
        self.request("CreateScene", json!({"sceneName": name}));
    }

    /// Fills a scene with one colour, so that there is something in it.
    pub(crate) fn paint(&mut self, scene: &str) {
        self.request(
            "CreateInput",
            json!({"sceneName": scene, "inputName": format!("colour of {scene}"),
                   "inputKind": "color_source_v3", "sceneItemEnabled": true,
                   "inputSettings": {"color": 0xff20_4060_u32}}),
        );
    }

    /// Puts a scene on the program, as if somebody clicked on it.
    pub(crate) fn show(&mut self, scene: &str) {
        self.request("SetCurrentProgramScene", json!({"sceneName": scene}));
    }

    /// The scene on the program.
    pub(crate) fn program(&mut self) -> String {
        let answer = self.request("GetCurrentProgramScene", json!({}));
        scene_of(&answer, "currentProgramSceneName")
    }

    /// The scene in the preview of studio mode.
    pub(crate) fn preview(&mut self) -> String {
        let answer = self.request("GetCurrentPreviewScene", json!({}));
        scene_of(&answer, "currentPreviewSceneName")
    }

    pub(crate) fn until_program(&mut self, scene: &str) {
        eventually(format!("{scene} is the program"), || {
            (self.program() == scene).then_some(())
        });
    }
}

fn scene_of(answer: &Value, key: &str) -> String {
    answer[key]
        .as_str()
        .expect("the name of a scene")
        .to_owned()
}

/// What an OBS has left behind.
pub(crate) struct Dead {
    port: u16,
    folder: tempfile::TempDir,
    password: Option<String>,
}

impl Dead {
    /// Starts it again.
    pub(crate) fn rises(self) -> Obs {
        Obs::run(self.folder, self.port, self.password.as_deref())
    }
}
