//! Which program is recorded, and of which streams it is made.
//!
//! Of several programs the first in the PAT that has video is taken. A map that is announced but
//! never comes is waited for only as long as the PAT has come a few times.

use std::sync::Arc;

use lookback_codec::codec_of_stream;
use lookback_mpegts::{Pat, Pid, Pmt, PmtStream, SectionReader};

use crate::run::{Tables, Track};

/// Programs that are looked at.
pub(super) const PROGRAMS_MAX: usize = 64;

/// Streams of a program that are looked at.
pub(super) const TRACKS_MAX: usize = 32;

/// Streams of a program that are of no use, but whose counters are followed.
pub(super) const UNKNOWN_MAX: usize = 64;

/// After so many PATs (at least one second of them, as they are sent) a missing map is no longer
/// waited for.
const PATS_WAITED: u32 = 10;

/// PIDs below this carry tables of the whole multiplex.
const RESERVED_PIDS: u16 = 0x20;

/// The program that was chosen.
pub(super) struct Chosen {
    pub(super) tables: Tables,
    pub(super) tracks: Vec<Track>,
    /// What the map names beside them.
    pub(super) unknown: Vec<Pid>,
}

/// Reads PAT and PMTs, and makes a choice.
#[derive(Default)]
pub(super) struct Programs {
    pat_reader: SectionReader,
    pat: Option<Pat>,
    pats_seen: u32,
    maps: Vec<Map>,
}

struct Map {
    program_number: u16,
    pid: Pid,
    reader: SectionReader,
    pmt: Option<Pmt>,
}

impl Programs {
    /// A packet of the PAT. Gives whether the PIDs in [`Self::map_pids`] are others now.
    pub(super) fn push_pat(&mut self, unit_start: bool, payload: &[u8]) -> bool {
        let mut latest = None;
        self.pat_reader.push(unit_start, payload, &mut |section| {
            latest = Pat::parse(section)
                .filter(|pat| pat.current)
                .or(latest.take());
        });
        let Some(pat) = latest else { return false };
        self.pats_seen = self.pats_seen.saturating_add(1);
        if self
            .pat
            .as_ref()
            .is_some_and(|known| known.programs == pat.programs)
        {
            return false;
        }
        let mut old = std::mem::take(&mut self.maps);
        for &(program_number, pid) in pat.programs.iter().take(PROGRAMS_MAX) {
            let known = old
                .iter()
                .position(|map| (map.program_number, map.pid) == (program_number, pid));
            self.maps.push(match known {
                Some(at) => old.swap_remove(at),
                None => Map {
                    program_number,
                    pid,
                    reader: SectionReader::new(),
                    pmt: None,
                },
            });
        }
        self.pat = Some(pat);
        self.pats_seen = 1;
        true
    }

    /// A packet of a PMT. Gives whether anything is new.
    pub(super) fn push_map(&mut self, pid: Pid, unit_start: bool, payload: &[u8]) -> bool {
        let mut new = false;
        for map in self.maps.iter_mut().filter(|map| map.pid == pid) {
            let (number, pmt) = (map.program_number, &mut map.pmt);
            map.reader.push(unit_start, payload, &mut |section| {
                let parsed =
                    Pmt::parse(section).filter(|pmt| pmt.current && pmt.program_number == number);
                if parsed.is_some() && parsed != *pmt {
                    *pmt = parsed;
                    new = true;
                }
            });
        }
        new
    }

    pub(super) fn map_pids(&self) -> impl Iterator<Item = Pid> {
        self.maps.iter().map(|map| map.pid)
    }

    /// Whether a choice may still change only because time passes.
    pub(super) fn waiting(&self) -> bool {
        self.pats_seen <= PATS_WAITED && self.maps.iter().any(|map| map.pmt.is_none())
    }

    /// The first program with video; once nothing more is waited for, the first with any stream
    /// that is understood.
    pub(super) fn choose(&self) -> Option<Chosen> {
        let pat = self.pat.as_ref()?;
        for map in &self.maps {
            match &map.pmt {
                Some(pmt) if tracks(pmt).iter().any(|track| track.codec.is_video()) => {
                    return Some(self.chosen(pat, map, pmt));
                }
                Some(_) => {}
                None if self.pats_seen > PATS_WAITED => {}
                None => return None,
            }
        }
        let (map, pmt) = self
            .maps
            .iter()
            .filter_map(|map| Some((map, map.pmt.as_ref()?)))
            .find(|(_, pmt)| !tracks(pmt).is_empty())?;
        Some(self.chosen(pat, map, pmt))
    }

    fn chosen(&self, pat: &Pat, map: &Map, pmt: &Pmt) -> Chosen {
        let only_program = Pat {
            programs: vec![(map.program_number, map.pid)],
            ..pat.clone()
        };
        let only = (pat.programs.len() > 1).then(|| {
            let own = [Pid::PAT, map.pid, pmt.pcr_pid].into_iter();
            let reserved = (1..RESERVED_PIDS).map(Pid::new);
            own.chain(reserved)
                .chain(pmt.streams.iter().map(|stream| stream.pid))
                .collect::<Arc<[Pid]>>()
        });
        let tracks = tracks(pmt);
        let named = pmt.streams.iter().map(|stream| stream.pid);
        let unknown = [pmt.pcr_pid].into_iter().chain(named);
        let is_track = |pid: &Pid| tracks.iter().any(|track| track.pid == *pid);
        Chosen {
            unknown: unknown
                .filter(|pid| *pid != Pid::NULL && !is_track(pid))
                .take(UNKNOWN_MAX)
                .collect(),
            tables: Tables {
                program_number: map.program_number,
                pmt_pid: map.pid,
                pat: only_program.section(),
                pmt: pmt.section(),
                program_info: pmt.program_info.clone(),
                only,
            },
            tracks,
        }
    }
}

fn tracks(pmt: &Pmt) -> Vec<Track> {
    pmt.streams
        .iter()
        .filter_map(track)
        .take(TRACKS_MAX)
        .collect()
}

fn track(stream: &PmtStream) -> Option<Track> {
    let codec = codec_of_stream(stream.stream_type, &stream.descriptors)?;
    Some(Track {
        pid: stream.pid,
        codec,
        stream_type: stream.stream_type,
        // Read from the stream itself as soon as a unit comes.
        stream_id: if codec.is_video() { 0xe0 } else { 0xc0 },
        descriptors: stream.descriptors.clone(),
        video: None,
        audio: None,
        silence: None,
    })
}
