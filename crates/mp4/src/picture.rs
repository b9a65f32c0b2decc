//! Pictures on their way into a file, and the parameter sets that they refer to.

use std::ops::Range;

use bytes::Bytes;
use lookback_codec::{Codec, Hdr, ParameterSets, VideoFormat, hdr};
use lookback_replay::{Elementary, Placed};

use crate::content::{Content, LENGTH_LEN};
use crate::nal::{Kind, Splitter, kind};
use crate::scan::Stopped;
use crate::timing::Timing;

/// How far into the first picture HDR is looked for.
const HDR_MAX: usize = 16 << 10;

/// A video stream.
pub(crate) struct Pictures {
    pub(crate) timing: Timing,
    sets: ParameterSets,
    hdr: Option<Hdr>,
    /// The parameter sets change, so that pictures keep their own.
    in_band: bool,
    splitter: Splitter,
    /// The picture at hand, and its NAL units.
    bytes: Vec<u8>,
    nals: Vec<Range<usize>>,
}

impl Pictures {
    pub(crate) fn new(codec: Codec, in_band: bool) -> Self {
        Self {
            timing: Timing::default(),
            sets: ParameterSets::new(codec),
            hdr: None,
            in_band,
            splitter: Splitter::new(),
            bytes: Vec::new(),
            nals: Vec::new(),
        }
    }

    pub(crate) fn codec(&self) -> Codec {
        self.sets.codec()
    }

    pub(crate) fn format(&self) -> Option<VideoFormat> {
        self.sets.video_format()
    }

    pub(crate) fn configuration(&self) -> Option<Vec<u8>> {
        self.sets.decoder_configuration(self.in_band)
    }

    pub(crate) fn in_band(&self) -> bool {
        self.in_band
    }

    pub(crate) fn hdr(&self) -> Hdr {
        self.hdr.unwrap_or_default()
    }

    /// Adds the picture at `placed`, in which `source` stands.
    pub(crate) fn push(
        &mut self,
        track: usize,
        placed: &Placed,
        source: &mut Elementary<'_>,
        content: &mut Content,
        goes_on: bool,
    ) -> Result<bool, Stopped> {
        self.bytes.clear();
        source.copy_rest(&mut self.bytes)?;
        if self.hdr.is_none() {
            let head = &self.bytes[..self.bytes.len().min(HDR_MAX)];
            self.hdr = Some(hdr(self.codec(), head));
        }
        self.find_nals()?;
        if let Some(sets) = &placed.parameters {
            self.learn_all(sets)?;
        }
        if self.nals.is_empty() {
            return Ok(false);
        }
        let parameters = placed.parameters.as_ref().filter(|_| self.in_band);
        let parameters = parameters.map(|sets| with_lengths(&self.splitter, sets));
        let at = content.len();
        let packet = placed.packets.start;
        let size = content.push_picture(track, packet, parameters, &self.nals);
        let (decoded, shown) = (placed.dts.0, placed.pts.0);
        self.timing
            .push_picture(size, placed.random_access, decoded, shown);
        self.timing.place(at, goes_on);
        Ok(true)
    }

    /// Learns the parameter sets of a picture in front of those that are wanted.
    pub(crate) fn learn_from(
        &mut self,
        placed: &Placed,
        source: &mut Elementary<'_>,
    ) -> Result<(), Stopped> {
        if !placed.random_access {
            return Ok(());
        }
        self.bytes.clear();
        source.copy_rest(&mut self.bytes)?;
        self.find_nals()?;
        placed
            .parameters
            .as_ref()
            .map_or(Ok(()), |sets| self.learn_all(sets))
    }

    /// Finds the NAL units of the picture that stay in it.
    fn find_nals(&mut self) -> Result<(), Stopped> {
        let codec = self.codec();
        self.nals.clear();
        let mut learnt = Vec::new();
        for nal in self.splitter.units(&self.bytes) {
            match kind(codec, self.bytes[nal.start]) {
                Kind::Content => self.nals.push(nal),
                Kind::Dropped => {}
                Kind::Parameters => {
                    if self.in_band {
                        self.nals.push(nal.clone());
                    }
                    if !knows(&self.sets, &self.bytes[nal.clone()]) {
                        learnt.push(nal);
                    }
                }
            }
        }
        for nal in learnt {
            let set = self.bytes[nal].to_vec();
            self.learn(&set)?;
        }
        Ok(())
    }

    fn learn_all(&mut self, sets: &[u8]) -> Result<(), Stopped> {
        let units: Vec<Range<usize>> = self.splitter.units(sets).collect();
        units
            .into_iter()
            .try_for_each(|unit| self.learn(&sets[unit]))
    }

    /// Takes over a parameter set. One that takes the place of another, or that cannot be read, has to
    /// stay with its pictures.
    fn learn(&mut self, set: &[u8]) -> Result<(), Stopped> {
        if knows(&self.sets, set) {
            return Ok(());
        }
        let mut more = self.sets.clone();
        more.update(&[&START_CODE[..], set, &START_CODE].concat());
        if knows(&more, set) && self.sets.iter().all(|set| knows(&more, set)) {
            self.sets = more;
        } else if !self.in_band {
            return Err(Stopped::ParametersChange);
        }
        Ok(())
    }
}

const START_CODE: [u8; 3] = [0, 0, 1];

fn knows(sets: &ParameterSets, set: &[u8]) -> bool {
    sets.iter().any(|known| known == set)
}

/// What comes with start codes, with lengths.
fn with_lengths(splitter: &Splitter, sets: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(sets.len() + LENGTH_LEN);
    for unit in splitter.units(sets) {
        let len = u32::try_from(unit.len()).expect("parameter sets are below 64 KiB");
        out.extend(len.to_be_bytes());
        out.extend_from_slice(&sets[unit]);
    }
    out.into()
}
