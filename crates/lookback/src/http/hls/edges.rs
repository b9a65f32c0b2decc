//! Who waits for what comes next: a playlist with another part in it, or the part itself.
//!
//! One task for each channel looks how far it is, whenever something comes, as long as anybody waits.

use std::collections::HashMap;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use lookback_replay::Channel;
use tokio::sync::watch;
use tokio::time::timeout;

/// How far a channel is: the segment that is being recorded, and the parts of it that are there.
pub(super) type Edge = (u64, usize);

/// How long anybody waits: three segments (RFC 8216bis 6.2.5.2).
const PATIENCE: Duration = Duration::from_secs(6);

/// The channels of which somebody waits for something.
#[derive(Default)]
pub(super) struct Edges(Mutex<HashMap<String, watch::Sender<Edge>>>);

impl Edges {
    /// Waits until the channel is so far. Says whether it is.
    pub(super) async fn reached(self: &Arc<Self>, channel: &Arc<Channel>, wanted: Edge) -> bool {
        if channel.edge() >= wanted {
            return true;
        }
        let mut edge = self.watch(channel);
        let reached = edge.wait_for(|edge| *edge >= wanted);
        matches!(timeout(PATIENCE, reached).await, Ok(Ok(_)))
    }

    fn watch(self: &Arc<Self>, channel: &Arc<Channel>) -> watch::Receiver<Edge> {
        let mut watched = self.lock();
        if let Some(edge) = watched.get(channel.name()) {
            return edge.subscribe();
        }
        let (edge, receiver) = watch::channel(channel.edge());
        watched.insert(channel.name().to_owned(), edge.clone());
        tokio::spawn(look(Arc::clone(self), Arc::clone(channel), edge));
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Edge>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells how far the channel is, until nobody waits any more.
async fn look(edges: Arc<Edges>, channel: Arc<Channel>, told: watch::Sender<Edge>) {
    let mut follower = channel.follow();
    loop {
        let mut asleep = false;
        // What wakes it may also be the end of a run, of which no follower is told.
        let news = poll_fn(|cx| {
            let is_news = follower.poll_next(cx).is_ready() || mem::replace(&mut asleep, true);
            if is_news {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        tokio::select! {
            () = news => {
                let now = channel.edge();
                told.send_if_modified(|edge| mem::replace(edge, now) != now);
            }
            () = told.closed() => {
                let mut watched = edges.lock();
                // Somebody may have come meanwhile.
                if told.receiver_count() == 0 {
                    watched.remove(channel.name());
                    return;
                }
            }
        }
    }
}
