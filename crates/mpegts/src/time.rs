//! Time in a transport stream (13818-1, 2.4.2 and 2.7).
//!
//! A stream writes time in 33 bits at 90 kHz, which wrap after 26.5 hours, and its clock reference
//! (PCR) with nine further bits that count 27 MHz within a tick. Wrapped values are plain `u64`s,
//! called raw; they must not be compared. [`Unwrapper`] turns them into [`Ticks`], which can.

use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// Number of raw PTS, DTS and PCR base values: they count modulo 2^33.
pub const PTS_WRAP: u64 = 1 << 33;

/// Number of PCR values: they count modulo 2^33 times 300.
pub const PCR_WRAP: u64 = PTS_WRAP * 300;

const TICKS_PER_SECOND: f64 = 90_000.0;

/// A moment or a duration in units of 1/90000 second, without wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub i64);

impl Ticks {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// One second.
    pub const SECOND: Self = Self(90_000);

    /// The moment with the 33 bits `raw` that lies nearest to `reference`, at most 2^32 ticks (13
    /// hours) away.
    #[inline]
    pub const fn from_raw_near(raw: u64, reference: Self) -> Self {
        // Moving the 33 bits to the top and back makes bit 32 of the difference its sign.
        let ahead = (raw.wrapping_sub(reference.0 as u64) << 31) as i64 >> 31;
        Self(reference.0.wrapping_add(ahead))
    }

    /// The 33 bits that a stream carries for this moment.
    #[inline]
    pub const fn to_raw(self) -> u64 {
        self.0 as u64 & (PTS_WRAP - 1)
    }

    /// The nearest tick to a number of seconds.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * TICKS_PER_SECOND).round() as i64)
    }

    /// The time in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / TICKS_PER_SECOND
    }
}

impl Add for Ticks {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Ticks {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Ticks {
    type Output = Self;

    #[inline]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Ticks {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Ticks {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// Follows one timeline of raw timestamps across their wrap.
///
/// Each value is taken to lie nearest to the one before it, whether ahead or behind.
#[derive(Debug, Clone, Default)]
pub struct Unwrapper {
    last: Option<Ticks>,
}

impl Unwrapper {
    /// A timeline whose first value is taken as it is.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// A timeline whose first value is taken to lie nearest to `reference`: so that streams which
    /// begin on the two sides of a wrap stay together.
    pub const fn near(reference: Ticks) -> Self {
        Self {
            last: Some(reference),
        }
    }

    /// The moment of the next raw value, of which only the lower 33 bits count.
    #[inline]
    pub fn unwrap(&mut self, raw: u64) -> Ticks {
        let ticks = match self.last {
            Some(last) => Ticks::from_raw_near(raw, last),
            None => Ticks((raw % PTS_WRAP) as i64),
        };
        self.last = Some(ticks);
        ticks
    }
}

/// A program clock reference in units of 1/27000000 second, modulo [`PCR_WRAP`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Pcr(u64);

impl Pcr {
    /// A clock reference of `value` units, taken modulo [`PCR_WRAP`].
    #[inline]
    pub const fn new(value: u64) -> Self {
        Self(value % PCR_WRAP)
    }

    /// The clock reference in 27 MHz units.
    #[inline]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The 33 bits at 90 kHz, as a raw timestamp.
    #[inline]
    pub const fn base(self) -> u64 {
        self.0 / 300
    }

    /// Reads the six bytes of an adaptation field (2.4.3.4).
    #[inline]
    pub(crate) fn from_bytes(bytes: [u8; 6]) -> Self {
        let [b0, b1, b2, b3, b4, b5] = bytes;
        let bits = u64::from_be_bytes([0, 0, b0, b1, b2, b3, b4, b5]);
        // An extension of 300 or more is against the standard; it carries over into the base.
        Self::new((bits >> 15) * 300 + (bits & 0x1ff))
    }

    /// The six bytes of an adaptation field, the reserved bits as ones.
    pub(crate) fn to_bytes(self) -> [u8; 6] {
        let bits = (self.base() << 15) | (0x3f << 9) | (self.0 % 300);
        let [_, _, bytes @ ..] = bits.to_be_bytes();
        bytes
    }
}

impl From<Ticks> for Pcr {
    #[inline]
    fn from(ticks: Ticks) -> Self {
        Self(ticks.to_raw() * 300)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WRAP: i64 = PTS_WRAP as i64;

    #[test]
    fn the_first_value_is_taken_as_it_is() {
        assert_eq!(Unwrapper::new().unwrap(PTS_WRAP - 1), Ticks(WRAP - 1));
        assert_eq!(Unwrapper::new().unwrap(PTS_WRAP + 5), Ticks(5));
    }

    #[test]
    fn time_goes_on_over_the_wrap_and_back() {
        let mut unwrapper = Unwrapper::new();
        let raw = [PTS_WRAP - 3000, 600, PTS_WRAP - 1200, 4200];
        let ticks = raw.map(|raw| unwrapper.unwrap(raw));
        assert_eq!(ticks, [-3000, 600, -1200, 4200].map(|t| Ticks(WRAP + t)));
    }

    #[test]
    fn streams_on_the_two_sides_of_a_wrap_stay_together() {
        let video = Unwrapper::new().unwrap(PTS_WRAP - 100);
        let audio = Unwrapper::near(video).unwrap(50);
        assert_eq!(audio - video, Ticks(150));
        // The other way round, time begins before zero.
        let video = Unwrapper::new().unwrap(50);
        let audio = Unwrapper::near(video).unwrap(PTS_WRAP - 100);
        assert_eq!(audio, Ticks(-100));
    }

    #[test]
    fn seconds_are_90000_ticks() {
        assert_eq!(Ticks::from_secs_f64(1.5), Ticks(135_000));
        assert_eq!(Ticks::from_secs_f64(-0.1), Ticks(-9000));
        assert_eq!(Ticks(45_000).as_secs_f64(), 0.5);
    }

    #[test]
    fn a_clock_counts_300_units_a_tick_and_wraps() {
        assert_eq!(Pcr::new(PCR_WRAP + 301).value(), 301);
        assert_eq!(Pcr::new(301).base(), 1);
        assert_eq!(Pcr::from(Ticks(-1)).value(), PCR_WRAP - 300);
    }

    #[test]
    fn a_clock_is_read_as_the_standard_lays_it_out() {
        // Base 1, six reserved bits, extension 2.
        assert_eq!(Pcr::from_bytes([0, 0, 0, 0, 0xfe, 2]), Pcr::new(302));
        assert_eq!(Pcr::new(302).to_bytes(), [0, 0, 0, 0, 0xfe, 2]);
    }

    proptest! {
        #[test]
        fn a_timeline_without_leaps_is_followed(
            start in 0..WRAP,
            steps in prop::collection::vec(-(WRAP / 2)..WRAP / 2, 0..200),
        ) {
            let mut unwrapper = Unwrapper::new();
            let mut now = Ticks(start);
            prop_assert_eq!(unwrapper.unwrap(now.to_raw()), now);
            for step in steps {
                now += Ticks(step);
                prop_assert_eq!(unwrapper.unwrap(now.to_raw()), now);
            }
        }

        #[test]
        fn the_nearest_moment_is_found(raw: u64, reference in -(1_i64 << 50)..1 << 50) {
            let found = Ticks::from_raw_near(raw, Ticks(reference));
            prop_assert_eq!(found.to_raw(), raw % PTS_WRAP);
            prop_assert!((found.0 - reference).abs() <= WRAP / 2);
        }

        #[test]
        fn a_clock_comes_back_from_its_bytes(value in 0..PCR_WRAP) {
            let pcr = Pcr::new(value);
            prop_assert_eq!(Pcr::from_bytes(pcr.to_bytes()), pcr);
        }

        #[test]
        fn any_bytes_give_a_clock_in_range(bytes: [u8; 6]) {
            prop_assert!(Pcr::from_bytes(bytes).value() < PCR_WRAP);
        }
    }
}
