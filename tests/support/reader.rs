//! What reads a stream that does not end.

use std::io::Read;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::eventually;

const PACKET: usize = 188;

/// How one begins (ISO/IEC 13818-1, 2.4.3.3).
const NULL_PACKET: [u8; 3] = [0x47, 0x1f, 0xff];

/// Reads a feed on a thread of its own.
pub(crate) struct Reader {
    bytes: Arc<Mutex<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Reader {
    pub(crate) fn start(mut feed: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (into, until) = (Arc::clone(&bytes), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            // Something comes at least once a second.
            while !until.load(Ordering::Relaxed) {
                match feed.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => into
                        .lock()
                        .expect("nobody panics with it")
                        .extend(&buffer[..read]),
                }
            }
        });
        Self {
            bytes,
            stop,
            thread,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.lock().expect("nobody panics with it").len()
    }

    /// What it has read once nothing comes any more: a deck at rest sends a packet without meaning each second.
    pub(crate) fn stop(self) -> Vec<u8> {
        eventually("the feed is at rest", || {
            let bytes = self.bytes.lock().expect("nobody panics with it");
            let last = bytes.len().checked_sub(PACKET)?;
            bytes[last..].starts_with(&NULL_PACKET).then_some(())
        });
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it only reads");
        let mut bytes = mem::take(&mut *self.bytes.lock().expect("nobody panics with it"));
        bytes.truncate(bytes.len() / PACKET * PACKET);
        bytes
    }
}
