//! Presets, and what is made of them.

#[cfg(unix)]
mod jobs;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use lookback_replay::{Clip, Selection};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::testing::{record, recorder, video};

fn clip() -> Arc<Clip> {
    let recorder = recorder();
    let channel = recorder.add_channel("main");
    record(&channel, &video(3.0), clock::now());
    let clip = channel.clip(Selection::All, clock::now());
    clip.expect("something is recorded")
}

fn footage() -> Footage {
    static CLIP: LazyLock<Arc<Clip>> = LazyLock::new(clip);
    Footage::of_clip(Arc::clone(&CLIP))
}

fn parameters(given: &Json) -> BTreeMap<String, Json> {
    let given = given.as_object().expect("an object");
    given.clone().into_iter().collect()
}

fn presets() -> &'static Presets {
    static PRESETS: LazyLock<Presets> = LazyLock::new(Presets::built_in);
    &PRESETS
}

fn recipe(preset: &str, given: &Json) -> Result<Recipe, Refused> {
    presets().recipe(preset, &parameters(given))
}

fn line(preset: &str, given: &Json) -> String {
    let arguments = recipe(preset, given)
        .expect("valid")
        .arguments(&footage(), 1.0);
    arguments.expect("it can be made").join(" ")
}

#[test]
fn built_in_presets_are_whole() {
    let presets = Presets::built_in();
    let names: Vec<&str> = presets.all().map(|preset| preset.name()).collect();
    for name in [
        "720p", "audio", "copy", "gif", "share", "sheet", "slow", "still", "vertical", "webm",
        "webp",
    ] {
        assert!(names.contains(&name), "{name}");
        let line = line(name, &json!({}));
        assert!(!line.contains(['{', '}']), "{name}: {line}");
    }
}

#[test]
fn parameters_become_arguments_and_choices_stand_for_several() {
    assert!(line("slow", &json!({"speed": 0.25})).contains("setpts=PTS/0.25"));
    assert!(line("gif", &json!({"fps": "10"})).contains("fps=10,"));
    assert!(line("webm", &json!({"codec": "av1"})).contains("-c:v libsvtav1 -preset 9"));
    assert!(line("vertical", &json!({"height": "1920"})).contains(":1920,"));
    let copy = line("copy", &json!({}));
    assert!(
        copy.contains("-c copy -bsf:a:0 aac_adtstoasc -f mp4"),
        "{copy}"
    );
    assert_eq!(
        recipe("still", &json!({"format": "jpg"}))
            .expect("valid")
            .ending(),
        "jpg"
    );
    assert_eq!(
        recipe("webm", &json!({"codec": "av1"}))
            .expect("valid")
            .encoders(),
        ["libopus", "libsvtav1"]
    );
}

#[test]
fn a_request_sets_declared_parameters_within_their_bounds_and_nothing_else() {
    for (preset, given, word) in [
        ("none", json!({}), "/api/v1/presets"),
        ("gif", json!({"fps": 0}), "from 1 to 50"),
        ("gif", json!({"fps": 1.5}), "whole number"),
        ("gif", json!({"fps": "15 -f null"}), "whole number"),
        ("gif", json!({"fps": [15]}), "whole number"),
        ("gif", json!({"colour": 1}), "fps, width"),
        ("slow", json!({"speed": "NaN"}), "from 0.25 to 1"),
        ("slow", json!({"speed": -1}), "from 0.25 to 1"),
        ("still", json!({"at": "inf"}), "seconds"),
        ("still", json!({"at": -1}), "seconds"),
        ("still", json!({"format": "../x"}), "jpg, png"),
        ("still", json!({"format": ""}), "jpg, png"),
        ("share", json!({"size": "1B"}), "100kB"),
        ("share", json!({"size": true}), "100kB"),
        ("share", json!({"size": "x".repeat(10_000)}), "100kB"),
    ] {
        let error = recipe(preset, &given).expect_err("refused").to_string();
        assert!(error.contains(word), "{error}");
        assert!(error.len() < 300, "{error}");
    }
    for (given, size) in [(json!("2MB"), 2_000_000), (json!(2_000_000), 2_000_000)] {
        let recipe = recipe("share", &json!({"size": given})).expect("valid");
        assert_eq!(recipe.fit().map(|size| size.0), Some(size));
    }
}

proptest! {
    /// Whatever is sent, no text of it gets further than the choices that a preset has.
    #[test]
    fn no_text_becomes_an_argument(text in ".*") {
        for preset in presets().all() {
            for name in preset.parameters().as_object().expect("an object").keys() {
                let given = json!({name.as_str(): text});
                let Ok(recipe) = recipe(preset.name(), &given) else { continue };
                let trimmed = text.trim();
                let known = recipe.parameters()[name].to_string();
                let is_number = trimmed.parse::<f64>().is_ok();
                prop_assert!(is_number || known == format!("{trimmed:?}"), "{preset:?}: {trimmed:?}");
            }
        }
    }

    #[test]
    fn what_has_to_fit_aims_below_its_size(kilobytes in 100u64..20_000, scale in 0.1f64..1.0) {
        let (footage, size) = (footage(), kilobytes * 1000);
        let recipe = recipe("share", &json!({"size": size})).expect("valid");
        let Some(arguments) = recipe.arguments(&footage, scale) else { return Ok(()) };
        let rate = |flag: &str| {
            let at = arguments.iter().position(|argument| argument == flag).expect("it is told");
            arguments[at + 1].parse::<f64>().expect("a number")
        };
        let bytes = (rate("-b:v") + rate("-b:a")) * footage.duration().as_secs_f64() / 8.0;
        prop_assert!(bytes < size as f64 * scale, "{bytes} of {size}");
    }
}

#[test]
fn what_cannot_be_made_of_this_is_refused() {
    let check = |preset: &str, given: Json, part: Part| {
        let footage = footage().part(part)?;
        let recipe = recipe(preset, &given).map_err(|error| error.to_string())?;
        recipe.check(&footage).map_err(|error| error.to_string())
    };
    let whole = Part::default();
    let part = Part {
        in_s: Some(1.0),
        out_s: None,
    };
    assert_eq!(check("still", json!({"at": 2.9}), whole), Ok(()));
    let refused = |outcome: Result<(), String>, word: &str| {
        let error = outcome.expect_err("refused");
        assert!(error.contains(word), "{error}");
    };
    refused(check("still", json!({"at": 3.5}), whole), "behind the end");
    refused(check("still", json!({"at": 2.5}), part), "behind the end");
    refused(check("copy", json!({}), part), "keyframes");
    assert_eq!(check("copy", json!({}), whole), Ok(()));
    assert_eq!(check("720p", json!({}), part), Ok(()));
    for (in_s, out_s) in [
        (2.0, 1.0),
        (1.0, 1.0),
        (-1.0, 1.0),
        (0.0, 99.0),
        (f64::NAN, 1.0),
    ] {
        let part = Part {
            in_s: Some(in_s),
            out_s: Some(out_s),
        };
        assert!(check("720p", json!({}), part).is_err(), "{in_s} to {out_s}");
    }
}

#[test]
fn what_is_too_long_or_too_much_for_a_size_says_so() {
    let mut presets = Presets::built_in();
    let added = "[tiny]\nabout = \"x\"\nfile = \"mp4\"\nfit = \"size\"\nlongest = \"2s\"\narguments = []\n\
                 parameters.size = { type = \"size\", about = \"x\", min = \"1B\", max = \"1MB\", default = \"9kB\" }";
    presets.extend(added.parse().expect("TOML")).expect("valid");
    let recipe = presets.recipe("tiny", &BTreeMap::new()).expect("valid");
    let error = recipe.check(&footage()).expect_err("too long").to_string();
    assert!(error.contains("at most 2s"), "{error}");
    let part = Part {
        in_s: None,
        out_s: Some(2.0),
    };
    let short = footage().part(part).expect("in it");
    let error = recipe.check(&short).expect_err("too much").to_string();
    assert!(error.contains("as small as 9kB"), "{error}");
}

#[test]
fn a_preset_of_the_settings_file_is_checked_when_it_is_read() {
    let extend = |text: &str| Presets::built_in().extend(text.parse().expect("TOML"));
    let preset = |rest: &str| {
        format!("[x]\nabout = \"x\"\nfile = \"mp4\"\narguments = [\"-n{{n}}\"]\n{rest}")
    };
    let number =
        "parameters.n = { type = \"integer\", about = \"x\", min = 1, max = 9, default = 5 }\n";
    assert_eq!(extend(&preset(number)), Ok(()));
    for (text, word) in [
        (preset(""), "{n}"),
        (preset(&number.replace("= 5", "= 50")), "from 1 to 9"),
        (preset(&number.replace("integer", "text")), "text"),
        (preset(&format!("{number}fit = \"n\"")), "size"),
        (preset(&format!("{number}speed = \"m\"")), "no parameter m"),
        (preset(&format!("{number}colour = 1")), "colour"),
        (preset(number).replace("mp4", "../mp4"), "ending"),
        (preset(number).replace("[x]", "[\"a b\"]"), "letters"),
        ("x = 1".to_owned(), "presets.x"),
    ] {
        let error = extend(&text).expect_err("a mistake");
        assert!(error.starts_with("presets."), "{error}");
        assert!(error.contains(word), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}
