//! The recorder as a whole: streams in, clips out, in virtual time.

mod damage;
mod runs;
mod selections;
mod support;
