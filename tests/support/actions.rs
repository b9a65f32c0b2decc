//! What a person does, as WebDriver and WebDriver BiDi both write it: ticks of one mouse, or of one keyboard.

use serde_json::{Value, json};

use super::window::Place;

/// Moves the mouse, with its button pressed, from place to place, and lets go.
pub(crate) fn carry(places: impl IntoIterator<Item = Place>) -> Vec<Value> {
    let button = |kind: &str| json!({"type": kind, "button": 0});
    let to = |(x, y): Place| json!({"type": "pointerMove", "x": x, "y": y});
    let mut actions: Vec<Value> = places.into_iter().map(to).collect();
    actions.insert(1, button("pointerDown"));
    actions.push(button("pointerUp"));
    actions
}

/// Presses keys one after the other, each as its character.
pub(crate) fn write(text: &str) -> Vec<Value> {
    let halves = |key: char| {
        ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
    };
    text.chars().flat_map(halves).collect()
}

/// The character of a key that `KeyboardEvent.key` names (WebDriver, 17.4.2).
pub(crate) fn character(key: &str) -> &str {
    match key {
        "Tab" => "\u{e004}",
        "Enter" => "\u{e006}",
        "Escape" => "\u{e00c}",
        "End" => "\u{e010}",
        "Home" => "\u{e011}",
        "ArrowLeft" => "\u{e012}",
        "ArrowRight" => "\u{e014}",
        "Delete" => "\u{e017}",
        key => key,
    }
}
