//! The recorder as a whole: streams in, clips out, in virtual time.

mod runs;
mod selections;
mod support;
