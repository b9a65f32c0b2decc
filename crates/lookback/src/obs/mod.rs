//! OBS Studio, as a program that is spoken to: over obs-websocket, which has come with it since OBS 28.
//!
//! [`connection`] is the protocol; [`studio`] is what is asked over it, and the trait that everything
//! else is written against; [`password`] is where the password comes from.
//!
//! The server stays connected in [`watch`], one task. What it decides by stands apart, without IO:
//! [`replay`] leads the program to a replay and back ([`stage`] does what it says), [`recording`] tells an
//! error from a stop, [`media_keys`] is what OBS's own keys mean to a deck, [`health`] is what is wrong.

#![allow(
    dead_code,
    unused_imports,
    reason = "what asks OBS is added piece by piece on top of this"
)]

mod connection;
mod health;
mod media_keys;
mod output;
mod password;
mod recording;
mod replay;
#[cfg(test)]
mod replies;
mod stage;
mod studio;
mod watch;

pub(crate) use self::connection::{Connection, Event, Events, OpenError, Refusal, Subscriptions};
pub(crate) use self::password::Password;
pub(crate) use self::replay::Shown;
pub(crate) use self::studio::Studio;
pub(crate) use self::watch::{Link, Obs, State, Surroundings};
