//! A deck's feed in the pipe of `--play-to`.

use tracing::{info, warn};

use super::Handle;
use crate::sink::Sink;

/// Writes the feed to one reader of the pipe after another, for ever.
pub(crate) async fn feed_pipe(mut sink: Sink, deck: Handle) {
    loop {
        let mut reader = sink.reader().await;
        let mut feed = match deck.feed().await {
            Ok(feed) => feed.plain(),
            Err(error) => {
                warn!("{error}");
                continue;
            }
        };
        while let Some(bytes) = feed.next().await {
            if let Err(error) = reader.write(&bytes).await {
                info!("the reader of the pipe has left ({error})");
                break;
            }
        }
    }
}
