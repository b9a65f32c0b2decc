//! A channel's log, read block by block.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use lookback_mpegts::{PACKET_LEN, Packet, PesHeader, Pid};

use crate::channel::Channel;
use crate::index::{Cursor, Entry};
use crate::log::{Block, block_of};
use crate::slab::SLAB_LEN;

/// Reads a channel's log block by block, holding on to the one that was read last.
pub(crate) struct Blocks<'a> {
    channel: &'a Channel,
    current: Option<(u64, Arc<Block>)>,
    viewed: Option<(u64, Bytes)>,
}

impl<'a> Blocks<'a> {
    pub(crate) fn new(channel: &'a Channel) -> Self {
        Self {
            channel,
            current: None,
            viewed: None,
        }
    }

    pub(crate) fn block(&mut self, number: u64) -> Option<&Arc<Block>> {
        if self
            .current
            .as_ref()
            .is_none_or(|(known, _)| *known != number)
        {
            self.current = Some((number, self.channel.block(number)?));
        }
        self.current.as_ref().map(|(_, block)| block)
    }

    /// Hands out the entries from `from` on until it is told to stop or there are no more.
    pub(crate) fn entries(&mut self, from: Cursor, mut take: impl FnMut(Cursor, &Entry) -> bool) {
        let mut cursor = from;
        while let Some(block) = self.block(cursor.block).cloned() {
            for (at, entry) in block.entries().iter().enumerate().skip(cursor.entry) {
                cursor.entry = at;
                if !take(cursor, entry) {
                    return;
                }
            }
            cursor = Cursor {
                block: cursor.block + 1,
                entry: 0,
            };
        }
    }

    /// A view of bytes from `offset` on, up to `end`, within one slab.
    pub(crate) fn view(&mut self, offset: u64, end: u64, max: usize) -> Option<Bytes> {
        let from = (offset % SLAB_LEN as u64) as usize;
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX).min(max);
        let to = |bytes: &Bytes| bytes.len().min(from.saturating_add(wanted));
        // A unit is taken out packet by packet: all are parts of one view.
        if let Some((number, bytes)) = &self.viewed
            && *number == block_of(offset)
            && from < bytes.len()
        {
            return Some(bytes.slice(from..to(bytes)));
        }
        let number = block_of(offset);
        let bytes = self.block(number)?.slab.view();
        let part = (from < bytes.len()).then(|| bytes.slice(from..to(&bytes)));
        self.viewed = Some((number, bytes));
        part
    }

    /// A copy of a range, from as many slabs as it lies in.
    pub(crate) fn copy(&mut self, range: Range<u64>) -> Option<BytesMut> {
        let mut out = BytesMut::with_capacity((range.end - range.start) as usize);
        let mut at = range.start;
        while at < range.end {
            let block = self.block(block_of(at))?;
            let from = (at % SLAB_LEN as u64) as usize;
            let filled = block.slab.filled();
            let to = filled
                .len()
                .min(from.saturating_add((range.end - at) as usize));
            let part = filled.get(from..to).filter(|part| !part.is_empty())?;
            out.extend_from_slice(part);
            at += part.len() as u64;
        }
        Some(out)
    }

    pub(crate) fn header(&mut self, offset: u64) -> Option<[u8; 4]> {
        let from = (offset % SLAB_LEN as u64) as usize;
        let block = self.block(block_of(offset))?;
        match block
            .slab
            .filled()
            .get(from..)
            .and_then(|bytes| bytes.first_chunk())
        {
            Some(header) => Some(*header),
            None => self.copy(offset..offset + 4)?.first_chunk().copied(),
        }
    }

    /// The first bytes of the unit that begins at `offset`, behind its PES header.
    pub(crate) fn head(&mut self, offset: u64, pid: Pid, end: u64) -> Vec<u8> {
        const ENOUGH: usize = 4096;
        let mut head = Vec::new();
        let mut at = offset;
        while at < end && head.len() < ENOUGH {
            let Some(bytes) = self.copy(at..at + PACKET_LEN as u64) else {
                break;
            };
            let Some(packet) = bytes.first_chunk().map(Packet::new) else {
                break;
            };
            if packet.pid() == pid {
                let skip = match PesHeader::parse(packet.payload()) {
                    Ok(header) if packet.unit_start() => header.header_len,
                    _ => 0,
                };
                head.extend_from_slice(packet.payload().get(skip..).unwrap_or_default());
            }
            at += PACKET_LEN as u64;
        }
        head
    }
}
