//! OBS Studio, as a program that is spoken to: over obs-websocket, which has come with it since OBS 28.
//!
//! [`connection`] is the protocol; [`studio`] is what is asked over it, and the trait that everything
//! else is written against; [`password`] is where the password comes from. [`command`] is `lookback obs`:
//! [`setup`] prepares OBS and [`undo`] puts it back, by what the [`journal`] says, with a [`profile`] and a
//! [`scene`] of our own; [`encoder`] and [`record`] are how it comes to record.

#![allow(
    dead_code,
    unused_imports,
    reason = "what asks OBS is added piece by piece on top of this"
)]

mod command;
mod connection;
mod encoder;
mod journal;
mod outputs;
mod password;
mod profile;
mod record;
#[cfg(test)]
mod rehearsal;
mod report;
mod scene;
mod server;
mod setup;
pub(crate) mod studio;
mod undo;

pub(crate) use self::command::{ObsCommand, run};
pub(crate) use self::connection::{Connection, Event, Events, OpenError, Refusal, Subscriptions};
pub(crate) use self::password::Password;
pub(crate) use self::studio::Studio;
