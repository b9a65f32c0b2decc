//! What the card shows, and where.
//!
//! The layout is a grid of 80 by 45 units. At 1280x720 a unit is a macroblock, and most edges lie on
//! its borders, which is what makes keyframes small. The colours are few, and all that moves does so
//! over an even ground, so that a picture is mostly a copy of the one before.

mod parts;

use parts::{Ball, Digits, Lamps, Strip};

use crate::Config;
use crate::h264::Change;
use crate::paint::{Canvas, Rgb, TextStyle};
use crate::picture::{Area, Picture};

const GRID_WIDTH: usize = 80;
const GRID_HEIGHT: usize = 45;

/// How much of the channel's name is shown.
const CHANNEL_LENGTH_MAX: usize = 24;

const GROUND: Rgb = rgb(0x10141b);
const TRACK: Rgb = rgb(0x1b222d);
const WHITE: Rgb = rgb(0xf2f5f9);
const QUIET: Rgb = rgb(0x8593a6);
const ACCENT: Rgb = rgb(0xffb02e);

/// A picture's worth of drawing, and all that is drawn beforehand for it.
pub(crate) struct Card {
    config: Config,
    ground: Picture,
    clock: Digits,
    counter: Digits,
    ball: Ball,
    lamps: Lamps,
    strip: Strip,
}

impl Card {
    pub(crate) fn new(config: &Config) -> Self {
        let grid = Grid::new(config);
        let (width, height) = config.format().coded_size();
        let mut canvas = Canvas::new(width, height, GROUND);
        draw_head(&mut canvas, grid, config);
        draw_bars(&mut canvas, grid);
        draw_captions(&mut canvas, grid);
        let track = grid.area(4, 34, 72, 3);
        canvas.rounded(track, grid.px(1.5), TRACK);
        let digits = |units| grid.text(units, 0.135, WHITE);
        Self {
            config: config.clone(),
            ground: canvas.picture(),
            clock: Digits::new(grid.area(4, 27, 36, 4), 12, digits(4.0)),
            counter: Digits::new(grid.area(64, 29, 12, 2), 8, digits(2.0)),
            ball: Ball::new(grid.unit, track),
            lamps: Lamps::new(grid.unit, track),
            strip: Strip::new(config.width, config.height),
        }
    }

    /// A picture to draw on.
    pub(crate) fn blank(&self) -> Picture {
        self.ground.clone()
    }

    /// Draws picture `n` over any other picture of this card.
    pub(crate) fn draw(&self, n: u64, picture: &mut Picture) {
        let moment = self.moment(n);
        self.ball.draw(moment, &self.ground, picture);
        self.lamps.draw(moment, picture);
        self.clock.draw(&moment.time_of_day(), picture);
        let number = format!("{:08}", n % 100_000_000);
        self.counter.draw(&number, picture);
        self.strip.draw(n, picture);
    }

    /// What may differ between picture `n` and the one before it.
    pub(crate) fn changes(&self, n: u64) -> Vec<Change> {
        let mut changes = vec![
            self.ball.change(self.moment(n - 1), self.moment(n)),
            self.clock.change(),
            self.counter.change(),
            self.strip.change(),
        ];
        changes.extend(self.lamps.changes());
        changes
    }

    /// When picture `n` is shown.
    fn moment(&self, n: u64) -> Moment {
        let fps = u64::from(self.config.fps);
        Moment {
            second: u64::from(self.config.clock_start_s) + n / fps,
            frame: n % fps,
            fps,
        }
    }
}

/// A moment on the card's clock.
#[derive(Clone, Copy)]
struct Moment {
    /// Seconds since a midnight.
    second: u64,
    /// Pictures since the second began.
    frame: u64,
    /// Pictures in a second.
    fps: u64,
}

impl Moment {
    /// HH:MM:SS.mmm.
    fn time_of_day(self) -> String {
        let millisecond = self.frame * 1000 / self.fps;
        let (second, minute, hour) = (self.second % 60, self.second / 60 % 60, self.second / 3600);
        format!("{:02}:{minute:02}:{second:02}.{millisecond:03}", hour % 24)
    }
}

/// The name, and on the right the format and the channel.
fn draw_head(canvas: &mut Canvas, grid: Grid, config: &Config) {
    let mut left = grid.area(4, 3, 0, 0).x as f32;
    let top = grid.area(0, 3, 0, 0).y as f32;
    for (text, boldness, colour) in [("↺", 0.14, ACCENT), ("lookback", 0.15, WHITE)] {
        let style = grid.text(2.0, boldness, colour);
        canvas.text(text, left, top, style);
        left += style.width(text) + grid.px(1.0);
    }

    let mut right = grid.area(76, 3, 0, 0).x as f32;
    let top = grid.area(0, 4, 0, 0).y as f32;
    let channel = config.channel.to_uppercase();
    let channel: String = channel.chars().take(CHANNEL_LENGTH_MAX).collect();
    let format = format!("{}×{} {} FPS", config.width, config.height, config.fps);
    for (text, boldness, colour) in [(&channel, 0.16, WHITE), (&format, 0.12, QUIET)] {
        let style = grid.text(1.0, boldness, colour);
        right -= style.width(text);
        canvas.text(text, right, top, style);
        right -= grid.px(1.5);
    }
}

/// Bars of 75 %, and below them a ramp from black to white.
fn draw_bars(canvas: &mut Canvas, grid: Grid) {
    for (bar, bits) in (0..8u8).rev().enumerate() {
        let channel = |bit: u8| f32::from(bits >> bit & 1) * 0.75;
        // From bright to dark: green weighs most, then red, then blue.
        let colour = [channel(1), channel(2), channel(0)];
        canvas.fill(grid.area(4 + 9 * bar, 8, 9, 12), colour);
    }
    for step in 0..12 {
        canvas.fill(grid.area(4 + 6 * step, 20, 6, 2), [step as f32 / 11.0; 3]);
    }
}

/// What the numbers are.
fn draw_captions(canvas: &mut Canvas, grid: Grid) {
    let style = grid.text(1.0, 0.12, QUIET);
    for (text, x) in [("TIME", 4), ("FRAME", 64)] {
        let at = grid.area(x, 25, 1, 1);
        canvas.text(text, at.x as f32, at.y as f32, style);
    }
}

/// Where units lie in pixels.
#[derive(Clone, Copy)]
struct Grid {
    x: usize,
    y: usize,
    unit: usize,
}

impl Grid {
    /// The largest grid that fits, in the middle.
    fn new(config: &Config) -> Self {
        let unit = even((config.width / GRID_WIDTH).min(config.height / GRID_HEIGHT));
        Self {
            x: even((config.width - GRID_WIDTH * unit) / 2),
            y: even((config.height - GRID_HEIGHT * unit) / 2),
            unit,
        }
    }

    fn area(self, x: usize, y: usize, width: usize, height: usize) -> Area {
        let px = |units| units * self.unit;
        Area::new(self.x + px(x), self.y + px(y), px(width), px(height))
    }

    fn px(self, units: f32) -> f32 {
        self.unit as f32 * units
    }

    /// Text whose capitals are so many units high, and whose strokes are so bold relative to that.
    fn text(self, units: f32, boldness: f32, colour: Rgb) -> TextStyle {
        let cap_height = self.px(units);
        TextStyle {
            cap_height,
            weight: cap_height * boldness,
            colour,
        }
    }
}

fn even(number: usize) -> usize {
    number & !1
}

const fn rgb(hex: u32) -> Rgb {
    [
        (hex >> 16 & 0xff) as f32 / 255.0,
        (hex >> 8 & 0xff) as f32 / 255.0,
        (hex & 0xff) as f32 / 255.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_milliseconds_and_starts_again_at_midnight() {
        let time = |second, frame| {
            Moment {
                second,
                frame,
                fps: 30,
            }
            .time_of_day()
        };
        assert_eq!(time(0, 1), "00:00:00.033");
        assert_eq!(time(23 * 3600 + 59 * 60 + 59, 29), "23:59:59.966");
        assert_eq!(time(24 * 3600 + 61, 0), "00:01:01.000");
    }

    /// What does not lie in a change is never sent again, so a picture must be the same there.
    #[test]
    fn changes_hold_all_that_differs() {
        let config = Config {
            width: 854,
            height: 480,
            ..Config::default()
        };
        let card = Card::new(&config);
        let (mut before, mut after) = (card.blank(), card.blank());
        for n in 1..90 {
            card.draw(n - 1, &mut before);
            card.draw(n, &mut after);
            for change in card.changes(n) {
                let Area { x, y, .. } = change.area;
                before.copy(&after, change.area, x, y);
            }
            assert!(before == after, "picture {n}");
        }
    }
}
