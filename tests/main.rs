//! End to end: the real program with real OBS, players and ffmpeg.
//!
//! `cargo xtask test` installs what they start. The names of the modules `obs` and `windows` stand
//! in `.config/nextest.toml`.

// Windows itself is tested from here as well, under Wine.
#![cfg(unix)]

mod support;

mod command_line;
mod convert;
mod decks;
mod demo;
mod doctor;
mod formats;
mod hls;
mod http;
mod latency;
mod library;
mod memory;
mod mp4;
mod obs;
mod openapi;
mod page;
mod play;
mod players;
mod posters;
mod preview;
mod replays;
mod sources;
mod stop;
mod thumbnails;
mod windows;
mod wrong_input;
