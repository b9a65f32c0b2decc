//! The samples of a file: where each lies in it, and where its bytes lie in the log.
//!
//! Nothing of the samples themselves is kept. What is kept of each is 24 bytes, and 8 for each of its NAL
//! units, so that any part of the file can be copied together when it is asked for.

use std::ops::Range;

use bytes::Bytes;
use lookback_mpegts::Pid;
use lookback_replay::{Clip, Elementary, Gone};

/// Bytes that are copied together at a time: a reader that stalls keeps its last ones.
const READ_MAX: usize = 128 << 10;

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Content {
    /// In the order of the file.
    samples: Vec<Sample>,
    /// The NAL units of all pictures.
    nals: Vec<Nal>,
    /// Parameter sets, with their lengths, in front of samples, by number.
    parameters: Vec<(usize, Bytes)>,
    /// The PID of each track.
    pids: Vec<Pid>,
    len: u64,
}

struct Sample {
    /// Position in the content.
    at: u64,
    /// Log offset of a packet.
    packet: u64,
    /// The first of its NAL units. Without any its bytes are taken as they are.
    nals: u32,
    /// Bytes of the packet's payload in front of its own.
    skip: u16,
    track: u8,
}

/// A NAL unit of a sample.
struct Nal {
    /// Bytes of the stream in front of it that stay out, its start code among them.
    skip: u32,
    len: u32,
}

/// Where the bytes of a sample begin in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Start {
    pub(crate) packet: u64,
    pub(crate) skip: u16,
}

/// Bytes of the length in front of a NAL unit.
pub(crate) const LENGTH_LEN: usize = 4;

impl Content {
    pub(crate) fn new(pids: Vec<Pid>) -> Self {
        Self {
            pids,
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Memory that it takes beside itself.
    pub(crate) fn bytes(&self) -> usize {
        let sets = self.parameters.iter();
        self.samples.capacity() * size_of::<Sample>()
            + self.nals.capacity() * size_of::<Nal>()
            + self.pids.capacity() * size_of::<Pid>()
            + sets
                .map(|(_, sets)| sets.len() + size_of::<(usize, Bytes)>())
                .sum::<usize>()
    }

    /// Adds a frame of sound of so many bytes.
    pub(crate) fn push_frame(&mut self, track: usize, start: Start, len: u32) {
        self.push(track, start);
        self.len += u64::from(len);
    }

    /// Makes the sample that was added last longer.
    pub(crate) fn extend(&mut self, len: u32) {
        self.len += u64::from(len);
    }

    /// Adds a picture of these NAL units of the bytes that begin at `packet`. Gives its length.
    pub(crate) fn push_picture(
        &mut self,
        track: usize,
        packet: u64,
        parameters: Option<Bytes>,
        nals: &[Range<usize>],
    ) -> u32 {
        self.push(track, Start { packet, skip: 0 });
        let before = self.len;
        if let Some(sets) = parameters {
            self.len += sets.len() as u64;
            self.parameters.push((self.samples.len() - 1, sets));
        }
        let mut at = 0;
        for nal in nals {
            self.nals.push(Nal {
                skip: fit(nal.start - at),
                len: fit(nal.len()),
            });
            at = nal.end;
            self.len += (LENGTH_LEN + nal.len()) as u64;
        }
        fit((self.len - before) as usize)
    }

    fn push(&mut self, track: usize, start: Start) {
        self.samples.push(Sample {
            at: self.len,
            packet: start.packet,
            nals: fit(self.nals.len()),
            skip: start.skip,
            track: track as u8,
        });
    }

    /// Gives back memory that was taken in advance.
    pub(crate) fn shrink(&mut self) {
        self.samples.shrink_to_fit();
        self.nals.shrink_to_fit();
    }

    /// Up to `max` bytes from `offset` on, at least one unless that is at or behind the end.
    pub(crate) fn read(
        &self,
        clip: &Clip,
        offset: u64,
        max: usize,
        place: &mut Place,
    ) -> Result<Bytes, Gone> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(max).min(READ_MAX);
        let mut reading = Reading {
            source: clip.elementary(),
            skip: 0,
            wanted,
            out: Vec::with_capacity(wanted),
            rest: None,
        };
        let known = place.0.take().filter(|known| known.at == offset);
        let mut number = match known {
            Some(known) => {
                self.go_on(&known, &mut reading)?;
                known.sample + 1
            }
            None => {
                let behind = self.samples.partition_point(|sample| sample.at <= offset);
                behind.saturating_sub(1)
            }
        };
        while reading.room() > 0 {
            reading.skip = offset.saturating_sub(self.samples[number].at);
            self.copy(number, &mut reading)?;
            number += 1;
        }
        place.0 = reading.rest.map(|rest| Standing {
            at: offset + wanted as u64,
            sample: number - 1,
            rest,
        });
        Ok(clip.counted(reading.out))
    }

    /// Copies what is left of the sample in which the last reading ended.
    fn go_on(&self, known: &Standing, reading: &mut Reading<'_>) -> Result<(), Gone> {
        let Rest {
            packet,
            skip,
            len,
            nals,
        } = known.rest;
        let pid = self.pids[usize::from(self.samples[known.sample].track)];
        reading.source.stand(pid, packet..u64::MAX);
        reading.source.skip(skip.into())?;
        let nals_end = self.nals_of(known.sample).end;
        reading.take(len, nals)?;
        self.copy_nals(nals..nals_end, reading)
    }

    fn copy(&self, number: usize, reading: &mut Reading<'_>) -> Result<(), Gone> {
        let sample = &self.samples[number];
        let pid = self.pids[usize::from(sample.track)];
        reading.source.stand(pid, sample.packet..u64::MAX);
        let nals = self.nals_of(number);
        if nals.is_empty() {
            let next = self.samples.get(number + 1);
            let end = next.map_or(self.len, |next| next.at);
            reading.source.skip(sample.skip.into())?;
            return reading.take(end - sample.at, nals.end);
        }
        let sets = self.parameters.binary_search_by_key(&number, |&(at, _)| at);
        if let Ok(at) = sets {
            reading.put(&self.parameters[at].1);
        }
        self.copy_nals(nals, reading)
    }

    fn copy_nals(&self, nals: Range<usize>, reading: &mut Reading<'_>) -> Result<(), Gone> {
        // What is stepped over is stepped over at once.
        let mut stay_out = 0;
        for (nal, number) in self.nals[nals.clone()].iter().zip(nals) {
            if reading.room() == 0 {
                break;
            }
            stay_out += u64::from(nal.skip);
            reading.put(&nal.len.to_be_bytes());
            if reading.skip >= u64::from(nal.len) {
                reading.skip -= u64::from(nal.len);
                stay_out += u64::from(nal.len);
            } else if reading.room() > 0 {
                reading.source.skip(stay_out)?;
                reading.take(nal.len.into(), number + 1)?;
                stay_out = 0;
            }
        }
        Ok(())
    }

    /// The NAL units of a sample, by their numbers; none of a frame of sound.
    fn nals_of(&self, sample: usize) -> Range<usize> {
        let start = |sample: &Sample| sample.nals as usize;
        let end = self.samples.get(sample + 1).map_or(self.nals.len(), start);
        start(&self.samples[sample])..end
    }
}

/// Where a reading ended, so that the next one that goes on there need not find its way from the begin of the
/// picture. One that goes on elsewhere makes no use of it.
#[derive(Debug, Default)]
pub struct Place(Option<Standing>);

#[derive(Debug)]
struct Standing {
    /// Position in the content.
    at: u64,
    sample: usize,
    rest: Rest,
}

/// What is left of bytes that lie in the log in one piece but for packets.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// Log offset of a packet.
    packet: u64,
    /// Bytes of its payload in front of what is left.
    skip: u16,
    len: u64,
    /// The first of the NAL units behind it.
    nals: usize,
}

#[cfg(test)]
impl Content {
    /// The same behind a sample of so many bytes that are nowhere.
    pub(crate) fn behind(mut self, gap: u64) -> Self {
        self.samples.iter_mut().for_each(|sample| sample.at += gap);
        let nowhere = Sample {
            at: 0,
            packet: 0,
            nals: 0,
            skip: 0,
            track: 0,
        };
        self.samples.insert(0, nowhere);
        self.parameters.iter_mut().for_each(|(at, _)| *at += 1);
        self.len += gap;
        self
    }
}

/// The part of the content that is wanted, as it comes.
struct Reading<'a> {
    source: Elementary<'a>,
    /// Bytes still to come that lie in front of it.
    skip: u64,
    wanted: usize,
    out: Vec<u8>,
    /// What of a NAL unit or a frame was not wanted any more.
    rest: Option<Rest>,
}

impl Reading<'_> {
    fn room(&self) -> usize {
        self.wanted - self.out.len()
    }

    fn put(&mut self, bytes: &[u8]) {
        let from = usize::try_from(self.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
        self.skip -= from as u64;
        let to = bytes.len().min(from + self.room());
        self.out.extend_from_slice(&bytes[from..to]);
    }

    /// Copies the next `len` bytes, in front of the NAL units from `nals` on.
    fn take(&mut self, len: u64, nals: usize) -> Result<(), Gone> {
        let skip = self.skip.min(len);
        self.skip -= skip;
        self.source.skip(skip)?;
        let room = self.room();
        let wanted = usize::try_from(len - skip).map_or(room, |len| len.min(room));
        self.source.copy(wanted, &mut self.out)?;
        let left = len - skip - wanted as u64;
        self.rest = self
            .source
            .packet()
            .filter(|_| left > 0)
            .map(|packet| Rest {
                packet,
                skip: self.source.consumed(),
                len: left,
                nals,
            });
        Ok(())
    }
}

/// Units are below 64 MiB, and a clip fits into memory.
fn fit(count: usize) -> u32 {
    u32::try_from(count).expect("parts of a clip are counted in less than 4 billion")
}
