//! Files of clips, as a strict reader of another make sees them.

mod files;
mod reader;
mod rig;
mod segments;
