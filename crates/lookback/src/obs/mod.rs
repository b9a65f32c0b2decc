//! OBS Studio, as a program that is spoken to: over obs-websocket, which has come with it since OBS 28.
//!
//! [`connection`] is the protocol; [`studio`] is what is asked over it, and the trait that everything
//! else is written against; [`password`] is where the password comes from.

#![allow(
    dead_code,
    unused_imports,
    reason = "what asks OBS is added piece by piece on top of this"
)]

mod connection;
mod password;
pub(crate) mod studio;

pub(crate) use self::connection::{Connection, Event, Events, OpenError, Refusal, Subscriptions};
pub(crate) use self::password::Password;
pub(crate) use self::studio::Studio;
