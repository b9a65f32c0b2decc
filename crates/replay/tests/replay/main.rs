//! The recorder as a whole: streams in, clips out, in virtual time.

mod arbitrary;
mod damage;
mod elementary;
mod follow;
mod memory;
mod oracle;
mod parts;
mod products;
mod renditions;
mod replays;
mod runs;
mod segments;
mod selections;
mod status;
mod support;
