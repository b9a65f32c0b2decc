//! What a deck is told.

use lookback_mpegts::Ticks;

use crate::reader::{Live, Source};
use crate::speed::Speed;

/// What is in a deck, and how fast it is played.
#[derive(Clone)]
pub struct Item {
    /// What is played.
    pub source: Source,
    /// How fast.
    pub speed: Speed,
    /// Whether the next item always follows, as the next part of the same.
    pub continues: bool,
}

/// What a deck is loaded with.
pub struct Load {
    /// One after the other. An empty list stops the deck.
    pub items: Vec<Item>,
    /// Whether to play at once; otherwise the first picture stands.
    pub play: bool,
    /// What happens at the end of each.
    pub then: Then,
}

/// What happens at the end of an item.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Then {
    /// The last picture stands.
    #[default]
    Hold,
    /// The deck is empty again.
    Idle,
    /// The deck shows what its channel records.
    Live,
    /// After the last item, the first.
    Loop,
    /// The next item; behind the last one, its last picture stands.
    Next,
}

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seek {
    /// So far behind the start of the item.
    To(Ticks),
    /// So much further, or back.
    By(Ticks),
    /// To the first picture.
    In,
    /// To the last picture.
    Out,
    /// To what the channel records now.
    Live,
}

/// What the feed of an empty deck shows.
#[derive(Clone, Default)]
pub enum Idle {
    /// The last picture.
    #[default]
    Last,
    /// Nothing; where no black picture is known of the codec, the last one.
    Black,
    /// A channel.
    Live(Live),
}
