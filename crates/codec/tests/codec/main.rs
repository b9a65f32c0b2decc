//! The crate on bytes of real encoders, and on bytes of none.

mod arbitrary;
mod black;
mod excerpts;
mod parameter_sets;
mod pictures;
mod sound;
mod streams;
mod written_sps;
