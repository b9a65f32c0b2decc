//! The heart of lookback: the last minutes of live video in RAM, and every moment of them at once.
//!
//! A [`Recorder`] has channels; a source writes its bytes into a [`Channel`] through a [`Writer`],
//! straight into the slab where they stay. What passes is scanned ([`scan`]) into an index of access
//! units, so that a [`Clip`] of any length is no more than a pin on a range of the log with a plan
//! ([`layout`]) of what stands in front of it and what is left out. All memory comes from one budget.
//!
//! The crate does no IO, starts no threads and reads no clock: bytes and instants are handed in, views
//! of memory are handed out.
//!
//! ```text
//!  source -> Writer -> slabs of the log -> Clip::read -> socket
//!               |                            ^
//!               v                            |
//!            scanner -> index, runs -> Selection, Layout
//! ```

mod blocks;
mod budget;
mod channel;
mod clip;
mod counters;
mod elementary;
mod follow;
mod index;
mod keyframe;
mod layout;
mod log;
mod numbering;
mod part;
mod plan;
mod problem;
mod product;
mod recorder;
mod rendition;
mod replays;
mod run;
mod scan;
mod segment;
mod slab;
mod sniff;
mod units;
mod wall;

pub use budget::Counted;
pub use channel::{Busy, Channel, ChannelStatus, RecordingState, Window, Writer};
pub use clip::{Clip, ClipError, Gone, Selection};
pub use elementary::Elementary;
pub use follow::{Followed, Follower};
pub use keyframe::Keyframe;
pub use part::SegmentPart;
pub use problem::Problem;
pub use product::{Draft, NoRoom, Product};
pub use recorder::{Limits, Memory, Recorder};
pub use rendition::{Piece, Rendition, RenditionError};
pub use replays::{
    Angle, Edit, Full, Policy, Replay, ReplayError, Replays, Save, Saved, Trim, TrimError, WhenFull,
};
pub use run::{Program, SILENCE};
pub use segment::{Segment, SegmentError, Segments};
pub use units::{Placed, Unit, Units};
pub use wall::Wall;
