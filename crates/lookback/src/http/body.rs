//! Bodies of video: what is stored, and the live edge.

use std::io;
use std::mem;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use lookback_mp4::{Mp4, Place, Segment};
use lookback_replay::{Clip, Followed, Follower, Gone, Product, Units};

use crate::transport::Transport;

/// What hyper is given at a time of what it only views. Large enough for few calls into the system, small
/// enough that a client that has gone has cost little.
const VIEWED_MAX: usize = 128 << 10;

/// The same of what is written anew while it is read: a client that has stopped reading holds as much.
pub(super) const COPIED_MAX: usize = 16 << 10;

/// The same of what is copied together, which is counted in the memory: fewer calls, and as much copied at a time
/// as stays in the cache until it is sent.
const COUNTED_MAX: usize = 128 << 10;

/// What has a length and bytes that never change.
pub(super) trait Stored: Send + Sync + 'static {
    /// Bytes that are read at a time.
    const FRAME_MAX: usize = VIEWED_MAX;

    /// Where a reading ended, which helps the next one.
    type Place: Default + Send + Unpin + 'static;

    /// All of its bytes.
    fn len(&self) -> u64;
    /// Up to `max` bytes from `offset` on, at least one before the end.
    fn read(&self, offset: u64, max: usize, place: &mut Self::Place) -> Result<Bytes, Gone>;
}

impl Stored for Clip {
    type Place = ();

    fn len(&self) -> u64 {
        self.len()
    }

    fn read(&self, offset: u64, max: usize, (): &mut ()) -> Result<Bytes, Gone> {
        self.read(offset, max)
    }
}

impl Stored for Mp4 {
    const FRAME_MAX: usize = COUNTED_MAX;

    type Place = Place;

    fn len(&self) -> u64 {
        self.len()
    }

    fn read(&self, offset: u64, max: usize, place: &mut Place) -> Result<Bytes, Gone> {
        self.read(offset, max, place)
    }
}

impl Stored for Segment {
    const FRAME_MAX: usize = COUNTED_MAX;

    type Place = Place;

    fn len(&self) -> u64 {
        self.len()
    }

    fn read(&self, offset: u64, max: usize, place: &mut Place) -> Result<Bytes, Gone> {
        self.read(offset, max, place)
    }
}

impl Stored for Product {
    type Place = ();

    fn len(&self) -> u64 {
        self.len()
    }

    fn read(&self, offset: u64, max: usize, (): &mut ()) -> Result<Bytes, Gone> {
        self.read(offset, max)
    }
}

/// A part of what is stored. Its frames are views of it, so nothing is copied on the way to the socket; only those
/// of an MP4, or of a piece of one, are copied together one by one. A reader that is slow holds only its place.
pub(super) struct StoredBody<T: Stored> {
    stored: Arc<T>,
    left: Range<u64>,
    place: T::Place,
}

impl<T: Stored> StoredBody<T> {
    pub(super) fn new(stored: Arc<T>, part: Range<u64>) -> Self {
        Self {
            stored,
            left: part,
            place: T::Place::default(),
        }
    }
}

impl<T: Stored> Body for StoredBody<T> {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        let left = self.left.end - self.left.start;
        if left == 0 {
            return Poll::Ready(None);
        }
        let max = usize::try_from(left).map_or(T::FRAME_MAX, |left| left.min(T::FRAME_MAX));
        let this = &mut *self;
        let read = this.stored.read(this.left.start, max, &mut this.place);
        Poll::Ready(Some(read.map(|bytes| {
            this.left.start += bytes.len() as u64;
            Frame::data(bytes)
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    /// Exact, so that the answer has a length.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}

/// Units as a piece of a transport stream, which is written while it is read.
pub(super) struct PieceBody {
    units: Units,
    transport: Transport,
}

impl PieceBody {
    pub(super) fn new(units: Units, transport: Transport) -> Self {
        Self { units, transport }
    }
}

impl Body for PieceBody {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        let mut buffer = Vec::new();
        while buffer.len() < COPIED_MAX {
            match self.units.next() {
                Ok(Some(unit)) => self.transport.write(&unit, &mut buffer),
                Ok(None) if buffer.is_empty() => return Poll::Ready(None),
                Ok(None) => break,
                Err(gone) => return Poll::Ready(Some(Err(gone))),
            }
        }
        Poll::Ready(Some(Ok(Frame::data(buffer.into()))))
    }
}

/// What a channel records, as it comes, without end.
pub(super) struct LiveBody {
    follower: Follower,
    transport: Option<Transport>,
    buffer: Vec<u8>,
}

impl LiveBody {
    pub(super) fn new(follower: Follower) -> Self {
        Self {
            follower,
            transport: None,
            buffer: Vec::new(),
        }
    }

    fn take(&mut self, followed: Followed) {
        match (followed, &mut self.transport) {
            (Followed::Program(program), Some(transport)) => {
                transport.set_program(program.config())
            }
            (Followed::Program(program), None) => self.transport = Some(Transport::new(&program)),
            (Followed::Unit(unit), Some(transport)) => transport.write(&unit, &mut self.buffer),
            // The timeline goes on over a jump, and so do the counters: nothing needs to be said.
            (Followed::Jumped, _) => {}
            (Followed::Unit(_), None) => unreachable!("a follower begins with the program"),
        }
    }
}

impl Body for LiveBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        while self.buffer.len() < COPIED_MAX {
            match self.follower.poll_next(cx) {
                Poll::Ready(followed) => self.take(followed),
                Poll::Pending if self.buffer.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        // A picture may be of any size.
        let bytes = mem::take(&mut self.buffer);
        let bytes = self.follower.channel().counted(bytes);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}
