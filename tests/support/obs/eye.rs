//! An eye on a source: which picture it showed when, from as many screenshots as OBS gives.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::Client;

/// Looks until it is dropped.
pub(crate) struct Eye {
    seen: Arc<Mutex<Vec<Glance>>>,
    done: Arc<AtomicBool>,
    looking: Option<JoinHandle<()>>,
}

/// One screenshot.
#[derive(Clone, Copy, Debug)]
struct Glance {
    at: Instant,
    number: Option<u64>,
}

/// A picture that was on for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// `None` is no picture of the card.
    pub(crate) number: Option<u64>,
    /// The first and the last time that it was seen.
    pub(crate) first: Instant,
    pub(crate) last: Instant,
}

impl Eye {
    pub(super) fn on(mut client: Client, source: &str) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::new(AtomicBool::new(false));
        let looking = thread::spawn({
            let (seen, done, source) = (seen.clone(), done.clone(), source.to_owned());
            move || {
                while !done.load(Ordering::Relaxed) {
                    let number = client.counter(&source);
                    let at = Instant::now();
                    lock(&seen).push(Glance { at, number });
                    // OBS draws the canvas and the screenshots in turns.
                    thread::sleep(Duration::from_millis(3));
                }
            }
        });
        Self {
            seen,
            done,
            looking: Some(looking),
        }
    }

    /// What was on after `from`, one after the other.
    pub(crate) fn since(&self, from: Instant) -> Vec<Shown> {
        let mut shown: Vec<Shown> = Vec::new();
        let seen = lock(&self.seen);
        for &Glance { at, number } in seen.iter().skip_while(|glance| glance.at < from) {
            match shown.last_mut() {
                Some(last) if last.number == number => last.last = at,
                _ => shown.push(Shown {
                    number,
                    first: at,
                    last: at,
                }),
            }
        }
        shown
    }

    /// The same for people to read, as it is when it is read.
    pub(crate) fn story(&self, from: Instant) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            self.since(from).iter().try_for_each(|shown| {
                let after = (shown.first - from).as_millis();
                match shown.number {
                    Some(number) => write!(f, "{number} at {after} ms, "),
                    None => write!(f, "no picture at {after} ms, "),
                }
            })
        })
    }

    /// What is on now.
    pub(crate) fn now(&self) -> Option<u64> {
        lock(&self.seen).last().and_then(|glance| glance.number)
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(looking) = self.looking.take()
            && looking.join().is_err()
            && !thread::panicking()
        {
            panic!("no more screenshots");
        }
    }
}

fn lock(seen: &Mutex<Vec<Glance>>) -> std::sync::MutexGuard<'_, Vec<Glance>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
