//! The transport of a deck: a player that never decodes.
//!
//! A [`Deck`] takes commands (load, play, pause, seek, step, speed) and gives access units with the moment at
//! which each has to leave, on one timeline that only rises. Whoever asks ([`Deck::poll`]) hands in the
//! clock; there is no other, so that whole matches of commands run in virtual time.
//!
//! What the reader of the feed decodes is always decodable: after a jump comes a keyframe, and the pictures
//! between it and the wanted one pass quickly, before they can be seen. Slow motion is a matter of
//! timestamps alone ([`Stretch`](stretch)); rewind and fast motion show keyframes.
#![forbid(unsafe_code)]

mod command;
mod deck;
mod head;
mod output;
mod preroll;
mod reader;
mod sound;
mod speed;
mod stretch;

pub use command::{Idle, Item, Load, Seek, Then};
pub use deck::Deck;
pub use output::{Mode, Next, Output, Status};
pub use preroll::{black_of, preroll_of};
pub use reader::{Live, Source};
pub use speed::{Speed, SpeedError};
