//! What a deck gives, and what can be seen of it.

use std::time::Instant;

use lookback_mpegts::Ticks;
use lookback_replay::{Program, Unit};

use crate::speed::Speed;

/// What a deck is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// Nothing is loaded.
    Idle,
    /// A picture stands.
    Paused,
    /// Pictures move.
    Playing,
}

/// A deck at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// What it is doing.
    pub mode: Mode,
    /// Which item it is at, from 0 on.
    pub item: usize,
    /// How many there are.
    pub items: usize,
    /// How far behind the start of the item.
    pub position: Ticks,
    /// Length of the item.
    pub duration: Ticks,
    /// How fast it plays, or would.
    pub speed: Speed,
    /// Whether it shows what is being recorded.
    pub live: bool,
}

/// What a deck gives.
#[derive(Clone, Debug)]
pub enum Output {
    /// The streams from here on.
    Program(Program),
    /// A unit, with its timestamps in the feed.
    Unit(Unit),
    /// Nothing follows for the moment: what was sent last is to be seen. Where pictures are shown in another
    /// order than they come in, a keyframe follows.
    Still,
    /// An item was played to its end.
    Ended,
    /// The clip had to be let go; the deck is idle.
    Lost,
}

/// What a deck does next.
#[derive(Clone, Debug)]
pub enum Next {
    /// This is due.
    Now(Output),
    /// Nothing before this instant.
    At(Instant),
    /// Nothing before the next command, or before the waker is told.
    Command,
}
