//! Standard input, until it ends.
//!
//! A thread reads it: a read that waits cannot be called off, and nothing else shall wait for it. While
//! the channel is busy, what comes is read and dropped, so that the writer never blocks.

use std::io::{self, BufRead};

use super::{Feed, record_blocking};

pub(super) fn run(feed: &Feed) {
    let mut input = io::stdin().lock();
    let mut reported = false;
    loop {
        let waiting = match input.fill_buf() {
            Ok([]) => return feed.ended(&Ok(())),
            Ok(bytes) => bytes.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return feed.ended(&Err(error)),
        };
        if let Some(writer) = feed.try_connect() {
            return record_blocking(feed, writer, input);
        }
        input.consume(waiting);
        if !reported {
            feed.report_second();
            reported = true;
        }
    }
}
