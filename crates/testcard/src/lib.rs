//! The picture and the sound behind `lookback demo`: real H.264 and AAC-LC from nothing but numbers.
//!
//! A [`TestCard`] shows the time of day, the number of the picture, colour bars, and a ball that
//! meets the end of its track when a second begins, which is also when it beeps: so picture and
//! sound can be checked by eye and ear. Along the bottom the number stands once more in cells that
//! [`read_counter`] reads from any screenshot, so that a test knows which picture it sees.
//!
//! Every picture and every sound frame is a function of its number alone, and is coded without loss
//! (the sound nearly so): what [`TestCard::pixels`] says is what a decoder shows, bit for bit.
//! [`Stream`] puts both into an MPEG transport stream and says when which part of it is due.
#![forbid(unsafe_code)]

mod aac;
mod bits;
mod card;
mod counter;
mod font;
mod h264;
mod paint;
mod picture;
mod sound;
mod stream;

use lookback_mpegts::Ticks;

use card::Card;
use h264::Format;
use picture::Area;
use sound::Sound;

pub use counter::read_counter;
pub use picture::Picture;
pub use stream::{Chunk, Stream};

/// What a test card is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pixels in a row, even, from 320 to 1920.
    pub width: usize,
    /// Rows of pixels, even, from 180 to 1088. Keyframes are smallest if both are multiples of 16.
    pub height: usize,
    /// Pictures a second: 25, 30, 50 or 60.
    pub fps: u32,
    /// The name to show.
    pub channel: String,
    /// The time of day to show on picture 0, in seconds since midnight.
    pub clock_start_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            fps: 30,
            channel: "main".to_owned(),
            clock_start_s: 0,
        }
    }
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        let (width, height) = (self.width, self.height);
        let is_even = width.is_multiple_of(2) && height.is_multiple_of(2);
        if !is_even || !(320..=1920).contains(&width) || !(180..=1088).contains(&height) {
            return Err(ConfigError::Size { width, height });
        }
        if ![25, 30, 50, 60].contains(&self.fps) {
            return Err(ConfigError::Rate { fps: self.fps });
        }
        Ok(())
    }

    fn format(&self) -> Format {
        Format {
            width: self.width,
            height: self.height,
            fps: self.fps,
        }
    }
}

/// Why there is no such test card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The size is odd, too small or too large.
    #[error("no test card of {width}x{height}: it takes even sizes from 320x180 to 1920x1088")]
    Size {
        /// The width asked for.
        width: usize,
        /// The height asked for.
        height: usize,
    },
    /// The rate is not among the known ones.
    #[error("no test card with {fps} pictures a second: it takes 25, 30, 50 or 60")]
    Rate {
        /// The rate asked for.
        fps: u32,
    },
}

/// Makes the pictures and the sound frames.
pub struct TestCard {
    config: Config,
    card: Card,
    sound: Sound,
    /// The picture drawn last, and its number.
    drawn: Picture,
    drawn_number: Option<u64>,
    /// The picture drawn before that.
    drawn_before: Picture,
}

impl TestCard {
    /// A card like `config` says.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let card = Card::new(&config);
        Ok(Self {
            sound: Sound::new(config.clock_start_s),
            drawn: card.blank(),
            drawn_number: None,
            drawn_before: card.blank(),
            card,
            config,
        })
    }

    /// What the card is like.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The access unit of picture `n` in Annex B form: a delimiter, the parameter sets if it is a
    /// keyframe, and the picture.
    ///
    /// Any order of pictures is possible; rising order is fastest.
    pub fn picture(&mut self, n: u64) -> Vec<u8> {
        let format = self.config.format();
        let since_keyframe = n % self.keyframe_interval();
        if since_keyframe == 0 {
            self.draw(n);
            return h264::keyframe(format, n / self.keyframe_interval(), &self.drawn);
        }
        self.draw(n - 1);
        self.draw(n);
        let changes = self.card.changes(n);
        h264::inter(
            format,
            since_keyframe,
            &self.drawn,
            &self.drawn_before,
            &changes,
        )
    }

    /// Whether picture `n` is a keyframe: one is each half second.
    pub fn is_keyframe(&self, n: u64) -> bool {
        n.is_multiple_of(self.keyframe_interval())
    }

    /// The number of the keyframe at or before picture `n`.
    pub fn keyframe_before(&self, n: u64) -> u64 {
        n - n % self.keyframe_interval()
    }

    /// When picture `n` is shown, from picture 0 on.
    pub fn picture_time(&self, n: u64) -> Ticks {
        Ticks((n * (TICKS_PER_SECOND / u64::from(self.config.fps))) as i64)
    }

    /// What a decoder shows for picture `n`.
    pub fn pixels(&self, n: u64) -> Picture {
        let mut picture = self.card.blank();
        self.card.draw(n, &mut picture);
        picture.cropped(Area::new(0, 0, self.config.width, self.config.height))
    }

    /// The AAC-LC frame `k` with its ADTS header: 1024 samples of 48 kHz stereo.
    pub fn sound(&self, k: u64) -> Vec<u8> {
        self.sound.frame(k)
    }

    /// When sound frame `k` begins to be heard, from picture 0 on.
    pub fn sound_time(k: u64) -> Ticks {
        Ticks((k * SOUND_FRAME_TICKS) as i64)
    }

    /// The first sound frame that begins at `time` or later.
    fn sound_at(time: Ticks) -> u64 {
        time.0.unsigned_abs().div_ceil(SOUND_FRAME_TICKS)
    }

    fn keyframe_interval(&self) -> u64 {
        u64::from(self.config.fps.div_ceil(2))
    }

    fn draw(&mut self, n: u64) {
        if self.drawn_number != Some(n) {
            std::mem::swap(&mut self.drawn, &mut self.drawn_before);
            self.card.draw(n, &mut self.drawn);
            self.drawn_number = Some(n);
        }
    }
}

const TICKS_PER_SECOND: u64 = 90_000;

const SOUND_FRAME_TICKS: u64 = aac::FRAME_LEN as u64 * TICKS_PER_SECOND / aac::SAMPLE_RATE as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_the_same_in_any_order() {
        let mut card = TestCard::new(Config::default()).expect("a good configuration");
        let rising: Vec<_> = (0..40).map(|n| card.picture(n)).collect();
        for n in [39, 3, 4, 4, 15, 16, 0, 31, 30, 29] {
            assert_eq!(card.picture(n), rising[n as usize], "picture {n}");
        }
    }

    #[test]
    fn times_are_exact() {
        for fps in [25, 30, 50, 60] {
            let config = Config {
                fps,
                ..Config::default()
            };
            let card = TestCard::new(config).expect("a good configuration");
            assert_eq!(
                card.picture_time(u64::from(fps) * 86_400),
                Ticks(86_400 * 90_000)
            );
        }
        assert_eq!(
            TestCard::sound_time(375),
            Ticks(8 * 90_000),
            "375 frames are 8 seconds"
        );
        assert_eq!(TestCard::sound_at(Ticks(0)), 0);
        assert_eq!(TestCard::sound_at(Ticks(1)), 1);
        assert_eq!(TestCard::sound_at(Ticks(1920)), 1);
    }

    #[test]
    fn the_default_is_small() {
        let mut card = TestCard::new(Config::default()).expect("a good configuration");
        let sizes: Vec<_> = (3000..3300).map(|n| card.picture(n).len()).collect();
        assert!(
            sizes.iter().all(|&size| size < 100_000),
            "largest {:?}",
            sizes.iter().max()
        );
        let bits_per_second = sizes.iter().sum::<usize>() * 8 / 10;
        assert!(bits_per_second < 3_000_000, "{bits_per_second}");
    }

    #[test]
    fn impossible_cards_are_refused() {
        let with = |width, height, fps| {
            TestCard::new(Config {
                width,
                height,
                fps,
                ..Config::default()
            })
            .map(|_| ())
        };
        assert_eq!(
            with(1921, 1080, 30),
            Err(ConfigError::Size {
                width: 1921,
                height: 1080
            })
        );
        assert_eq!(
            with(1280, 2160, 30),
            Err(ConfigError::Size {
                width: 1280,
                height: 2160
            })
        );
        assert_eq!(
            with(300, 180, 30),
            Err(ConfigError::Size {
                width: 300,
                height: 180
            })
        );
        assert_eq!(with(1280, 720, 24), Err(ConfigError::Rate { fps: 24 }));
        assert_eq!(with(320, 1088, 60), Ok(()));
    }
}
