//! How fast a deck plays.

use std::fmt;

/// A speed that a deck can play at: 1 is real time, less is slow motion, less than 0 rewinds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Speed(f64);

/// The speed is none that a deck can play at.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("speed {0} is none of: 0.05 to 16 forward, -1 to -16 back")]
pub struct SpeedError(f64);

/// How the pictures of a speed are chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Gait {
    /// All pictures, and the sound as well.
    Real,
    /// All pictures at another pace.
    Stretched,
    /// Keyframes only, forward or back.
    Keys,
}

impl Speed {
    /// Real time.
    pub const NORMAL: Self = Self(1.0);

    /// A speed.
    ///
    /// # Errors
    /// If it is 0, not a number, or beyond what a deck can do.
    pub fn new(speed: f64) -> Result<Self, SpeedError> {
        let known = (0.05..=16.0).contains(&speed) || (-16.0..=-1.0).contains(&speed);
        if known {
            Ok(Self(speed))
        } else {
            Err(SpeedError(speed))
        }
    }

    /// As a number.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Whether it goes back in time.
    pub fn is_reverse(self) -> bool {
        self.0 < 0.0
    }

    pub(crate) fn gait(self) -> Gait {
        match self.0 {
            1.0 => Gait::Real,
            speed if speed > 0.0 && speed <= 4.0 => Gait::Stretched,
            _ => Gait::Keys,
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_a_deck_can_do() {
        for speed in [0.05, 0.5, 1.0, 4.0, 16.0, -1.0, -16.0] {
            assert_eq!(Speed::new(speed).map(Speed::value), Ok(speed));
        }
        for speed in [0.0, 0.01, -0.5, 17.0, -17.0, f64::NAN, f64::INFINITY] {
            assert!(Speed::new(speed).is_err(), "{speed}");
        }
    }
}
