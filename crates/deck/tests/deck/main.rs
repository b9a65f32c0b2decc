//! Decks in virtual time.

mod arbitrary;
mod joining;
mod live;
mod rig;
mod sound;
mod spans;
mod transport;
