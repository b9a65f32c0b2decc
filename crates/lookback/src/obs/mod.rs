//! OBS Studio, as a program that is spoken to: over obs-websocket, which has come with it since OBS 28.
//!
//! [`connection`] is the protocol; [`studio`] is what is asked over it, and the trait that everything
//! else is written against; [`password`] is where the password comes from. [`command`] is `lookback obs`:
//! [`setup`] prepares OBS and [`undo`] puts it back, by what the [`journal`] says, with a [`profile`] and a
//! [`scene`] of our own; [`encoder`] and [`record`] are how it comes to record.
//!
//! The server stays connected in [`watch`], one task, for one [`session`] after the other. What it decides by stands apart, without IO:
//! [`replay`] leads the program to a replay and back ([`stage`] does what it says), [`recording`] tells an
//! error from a stop, [`media_keys`] is what OBS's own keys mean to a deck, [`health`] is what is wrong.

mod command;
mod connection;
mod destination;
mod encoder;
mod health;
mod journal;
mod media_keys;
mod outputs;
mod password;
mod profile;
mod record;
mod recording;
#[cfg(test)]
mod rehearsal;
mod replay;
#[cfg(test)]
mod replies;
mod report;
mod scene;
mod server;
mod session;
mod setup;
mod stage;
pub(crate) mod studio;
mod undo;
mod watch;

pub(crate) use self::command::{ObsCommand, run};
pub(crate) use self::connection::{Connection, OpenError, Refusal, Subscriptions};
pub(crate) use self::password::Password;
pub(crate) use self::replay::Shown;
pub(crate) use self::studio::Studio;
pub(crate) use self::watch::{Link, Obs, State, Surroundings};
