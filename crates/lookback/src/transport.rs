//! Access units on their way out, as a transport stream: for `/live` and `/play`.
//!
//! Tables stand before each keyframe and at least every 100 ms, the clock with the units of the first
//! stream and, where those are rare, between them (ISO/IEC 13818-1, 2.7.2 wants one in 100 ms).

use bytes::Bytes;
use lookback_mpegts::{Muxer, MuxerConfig, Pcr, Ticks};
use lookback_replay::{Program, Unit};

/// Writes units as a transport stream.
pub(crate) struct Transport {
    muxer: Muxer,
    /// When the tables are due again.
    tables_at: Option<Ticks>,
    /// What the clock said last.
    clock: Option<Ticks>,
}

/// How far the clock is behind the pictures: the time a decoder has to take a unit in.
const CLOCK_DELAY: Ticks = Ticks(18_000);
const TABLES_EVERY: Ticks = Ticks(9_000);
const CLOCK_EVERY: Ticks = Ticks(7_200);

impl Transport {
    /// A stream of this program.
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            muxer: program.muxer(),
            tables_at: None,
            clock: None,
        }
    }

    /// Goes on with these streams; counters and clock go on too.
    pub(crate) fn set_program(&mut self, config: &MuxerConfig) {
        if self.muxer.config() != config {
            self.muxer.set_program(config.clone());
        }
        self.tables_at = None;
    }

    /// Appends one unit, with what is due before it.
    pub(crate) fn write(&mut self, unit: &Unit, out: &mut Vec<u8>) {
        let carries_clock = unit.stream == 0;
        let is_key = carries_clock && unit.random_access;
        if is_key || self.tables_at.is_none_or(|at| unit.dts >= at) {
            self.muxer.write_tables(out);
            self.tables_at = Some(unit.dts + TABLES_EVERY);
        }
        // Streams are not interleaved to the tick, and the clock must not run backwards.
        let clock = (unit.dts - CLOCK_DELAY).max(self.clock.unwrap_or(Ticks(i64::MIN)));
        let overdue = self.clock.is_none_or(|last| clock - last >= CLOCK_EVERY);
        if !carries_clock && overdue {
            self.muxer.write_pcr(out, Pcr::from(clock));
        }
        if carries_clock || overdue {
            self.clock = Some(clock);
        }
        let pieces: Vec<&[u8]> = unit.payload.iter().map(Bytes::as_ref).collect();
        self.muxer.write_unit(
            out,
            lookback_mpegts::Unit {
                stream: unit.stream,
                pts: unit.pts,
                dts: unit.dts,
                random_access: unit.random_access,
                pcr: carries_clock.then(|| Pcr::from(clock)),
                payload: &pieces,
            },
        );
    }
}
