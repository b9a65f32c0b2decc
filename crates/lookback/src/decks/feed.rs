//! What one reader of a deck gets: a transport stream without end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lookback_deck::Output;
use lookback_mpegts::{PACKET_LEN, Pid, SYNC_BYTE};
use lookback_replay::Program;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::transport::Transport;

/// A reader of a deck. All of them are on one timeline, each with packets of its own.
pub(crate) struct Feed {
    start: VecDeque<Output>,
    outputs: Receiver<Arc<Output>>,
    writer: Option<Writer>,
    transport: fn(&Program) -> Transport,
    ended: bool,
    /// Behind `outputs`, so that it is dropped after it.
    _leaves: Leaves,
}

struct Writer {
    program: Program,
    transport: Transport,
}

/// Tells the deck that a reader has left.
struct Leaves(Arc<Notify>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// What is there is given in pieces of about this size.
const PIECE: usize = 64 << 10;

/// When there has been nothing for so long, a packet without meaning is sent: only a write shows that
/// the other side has gone.
const SILENCE: Duration = Duration::from_secs(1);

/// A null packet (ISO/IEC 13818-1, 2.4.3.3), which everybody drops.
const NULL_PACKET: [u8; PACKET_LEN] = {
    let mut packet = [0xff; PACKET_LEN];
    packet[0] = SYNC_BYTE;
    packet[1] = 0x1f;
    packet[3] = 0x10;
    packet
};

/// Why a feed ends.
enum End {
    Behind(u64),
    Over,
    OtherStreams,
}

impl Feed {
    /// `start` comes first. `left` is told at the end.
    pub(super) fn new(
        start: Vec<Output>,
        outputs: Receiver<Arc<Output>>,
        left: Arc<Notify>,
    ) -> Self {
        Self {
            start: start.into(),
            outputs,
            writer: None,
            transport: Transport::feed,
            ended: false,
            _leaves: Leaves(left),
        }
    }

    /// Without what brings pictures out of a decoder at once: ffmpeg takes it for pictures that have no time, and
    /// loses count of it.
    pub(crate) fn plain(self) -> Self {
        Self {
            transport: Transport::new,
            ..self
        }
    }

    /// What comes next, as soon as there is something. `None` when the reader has to connect again: it was
    /// too slow, or the streams are others from here on.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let mut bytes = Vec::new();
        if !self.ended
            && let Err(end) = self.gather(&mut bytes).await
        {
            self.ended = true;
            match end {
                End::Behind(units) => warn!("a reader of a deck is cut off: {units} units behind"),
                End::OtherStreams => info!("a feed ends: what comes next has other streams"),
                End::Over => {}
            }
        }
        // What came before the end is whole.
        (!bytes.is_empty()).then(|| bytes.into())
    }

    async fn gather(&mut self, bytes: &mut Vec<u8>) -> Result<(), End> {
        while let Some(output) = self.start.pop_front() {
            self.write(&output, bytes)?;
        }
        while bytes.len() < PIECE {
            let output = match self.outputs.try_recv() {
                Ok(output) => output,
                Err(TryRecvError::Empty) if !bytes.is_empty() => return Ok(()),
                Err(TryRecvError::Empty) => match timeout(SILENCE, self.outputs.recv()).await {
                    Ok(Ok(output)) => output,
                    Ok(Err(RecvError::Lagged(units))) => return Err(End::Behind(units)),
                    Ok(Err(RecvError::Closed)) => return Err(End::Over),
                    Err(_) => {
                        bytes.extend(NULL_PACKET);
                        return Ok(());
                    }
                },
                Err(TryRecvError::Lagged(units)) => return Err(End::Behind(units)),
                Err(TryRecvError::Closed) => return Err(End::Over),
            };
            self.write(&output, bytes)?;
        }
        Ok(())
    }

    fn write(&mut self, output: &Output, bytes: &mut Vec<u8>) -> Result<(), End> {
        match (output, &mut self.writer) {
            (Output::Program(program), None) => {
                self.writer = Some(Writer {
                    program: program.clone(),
                    transport: (self.transport)(program),
                });
            }
            (Output::Program(program), Some(writer)) => {
                if !can_follow(&writer.program, program) {
                    return Err(End::OtherStreams);
                }
                writer.transport.set_program(program.config());
                writer.program = program.clone();
            }
            (Output::Unit(unit), Some(writer)) => writer.transport.write(unit, bytes),
            (Output::Still, Some(writer)) => writer.transport.rest(bytes),
            _ => {}
        }
        Ok(())
    }
}

/// Whether players that decode the one go on with the other: they look for streams only at the start.
fn can_follow(before: &Program, after: &Program) -> bool {
    let streams = |program: &Program| -> Vec<(Pid, u8)> {
        let streams = program.config().streams.iter();
        streams
            .map(|stream| (stream.pid, stream.stream_type))
            .collect()
    };
    before.codecs() == after.codecs() && streams(before) == streams(after)
}
