//! What fingers do, and a mouse that carries something.

use std::cell::Cell;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::Chromium;
use crate::support::eventually;
use crate::support::window::{Place, Window};

impl Chromium {
    /// Makes the screen one that is touched.
    pub(crate) fn be_touched(&self) {
        let touch = json!({"enabled": true, "maxTouchPoints": 5});
        self.command("Emulation.setTouchEmulationEnabled", touch);
    }

    /// Taps on the middle of an element, when it is there, enabled, and nothing lies above it.
    #[track_caller]
    pub(crate) fn tap(&self, selector: &str) {
        let place = self.inside(selector, 0.5);
        self.fingers(&[&[place]]);
    }

    /// Puts fingers down, moves all of them from place to place, and lifts them: each is a list of places.
    pub(crate) fn fingers(&self, fingers: &[&[Place]]) {
        // As long as a hand takes, which comes to rest before it is lifted: else what follows stops a swing, and is no tap.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("it is later").as_secs_f64();
        let (count, steps) = (fingers.len(), fingers[0].len());
        let touch = |kind: &str, down: usize, at: usize, ago: f64| {
            let points = fingers[..down].iter().enumerate();
            let points: Vec<Value> = points
                .map(|(id, places)| json!({"x": places[at].0, "y": places[at].1, "id": id}))
                .collect();
            json!({"type": kind, "touchPoints": points, "timestamp": now - ago})
        };
        // One after the other, as fingers come down. All is sent at once, so that nothing is a long press.
        let down = (1..=count).map(|down| touch("touchStart", down, 0, 0.4));
        let moves = (1..steps).map(|at| touch("touchMove", count, at, 0.4 - 0.02 * at as f64));
        let up = touch("touchEnd", 0, 0, if steps > 1 { 0.0 } else { 0.35 });
        self.commands("Input.dispatchTouchEvent", down.chain(moves).chain([up]));
    }

    /// Drags an element onto another, as the system drags what a page lets it.
    #[track_caller]
    pub(crate) fn drop_onto(&self, dragged: &str, onto: &str) {
        let intercept = |enabled: bool| {
            let enabled = json!({"enabled": enabled});
            self.command("Input.setInterceptDrags", enabled);
        };
        intercept(true);
        let (x, y) = self.inside(dragged, 0.5);
        self.mouse("mousePressed", (x, y));
        let step = Cell::new(0.0);
        let data = eventually(format!("{dragged} is dragged"), || {
            step.set(step.get() + 4.0);
            self.mouse("mouseMoved", (x + step.get(), y));
            self.dragged.take()
        });
        let place = self.inside(onto, 0.5);
        for kind in ["dragEnter", "dragOver", "drop"] {
            let event = json!({"type": kind, "x": place.0, "y": place.1, "data": data});
            self.command("Input.dispatchDragEvent", event);
        }
        self.mouse("mouseReleased", place);
        intercept(false);
    }

    /// Holds the mouse there.
    pub(crate) fn hover(&self, (x, y): Place) {
        let event = json!({"type": "mouseMoved", "x": x, "y": y});
        self.command("Input.dispatchMouseEvent", event);
    }

    /// Turns the wheel of the mouse, to the right and down.
    pub(crate) fn wheel(&self, (x, y): Place, (right, down): (f64, f64)) {
        let event = json!({"type": "mouseWheel", "x": x, "y": y, "deltaX": right, "deltaY": down});
        self.command("Input.dispatchMouseEvent", event);
    }

    pub(super) fn mouse(&self, kind: &str, place: Place) {
        self.command("Input.dispatchMouseEvent", mouse(kind, place));
    }
}

/// What the mouse does, with its button.
pub(super) fn mouse(kind: &str, (x, y): Place) -> Value {
    json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1})
}
