//! What the card shows, and where.
//!
//! The layout is a grid of 80 by 45 units. At 1280x720 a unit is a macroblock, and most edges lie on
//! its borders, which is what makes keyframes small. The colours are few, and all that moves does so
//! over an even ground, so that a picture is mostly a copy of the one before.

use crate::Config;
use crate::counter::{self, COLUMNS, PARTS_OF_HEIGHT, PARTS_OF_ROW, ROWS};
use crate::h264::{Change, Vector};
use crate::paint::{Canvas, Rgb, TextStyle, yuv};
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
        let mut canvas = {
            let (width, height) = config.format().coded_size();
            Canvas::new(width, height, GROUND)
        };
        draw_head(&mut canvas, grid, config);
        draw_bars(&mut canvas, grid);
        draw_captions(&mut canvas, grid);
        let track = grid.area(4, 34, 72, 3);
        canvas.rounded(track, grid.px(1.5), TRACK);
        Self {
            config: config.clone(),
            ground: canvas.picture(),
            clock: Digits::new(grid, grid.area(4, 27, 36, 4), 12, grid.px(4.0)),
            counter: Digits::new(grid, grid.area(64, 29, 12, 2), 8, grid.px(2.0)),
            ball: Ball::new(grid, track),
            lamps: Lamps::new(grid, track),
            strip: Strip {
                width: config.width,
                height: config.height,
            },
        }
    }

    /// A picture to draw on.
    pub(crate) fn blank(&self) -> Picture {
        self.ground.clone()
    }

    /// Draws picture `n` over any other picture of this card.
    pub(crate) fn draw(&self, n: u64, picture: &mut Picture) {
        let Instant { second, frame } = self.instant(n);
        self.ball
            .draw(second, frame, self.config.fps, &self.ground, picture);
        self.lamps
            .draw(second, frame < self.config.fps.div_ceil(10), picture);
        let time = time_of_day(second, frame * 1000 / self.config.fps);
        self.clock.draw(&time, picture);
        self.counter
            .draw(&format!("{:08}", n % 100_000_000), picture);
        self.strip.draw(n, picture);
    }

    /// What may differ between picture `n` and the one before it.
    pub(crate) fn changes(&self, n: u64) -> Vec<Change> {
        let [here, before] = [n, n - 1].map(|n| {
            let Instant { second, frame } = self.instant(n);
            self.ball.x(second, frame, self.config.fps) as i32
        });
        let followed = vec![Vector {
            dx: before - here,
            dy: 0,
        }];
        let mut changes = vec![Change {
            area: self.ball.track,
            vectors: followed,
        }];
        changes.extend([&self.clock, &self.counter].map(Digits::change));
        changes.extend(self.lamps.changes());
        changes.push(self.strip.change());
        changes
    }

    /// When picture `n` is shown.
    fn instant(&self, n: u64) -> Instant {
        let fps = u64::from(self.config.fps);
        Instant {
            second: u64::from(self.config.clock_start_s) + n / fps,
            frame: (n % fps) as u32,
        }
    }
}

/// A moment on the card's clock: seconds since the midnight before the start, and pictures since.
struct Instant {
    second: u64,
    frame: u32,
}

/// HH:MM:SS.mmm.
fn time_of_day(second: u64, millisecond: u32) -> String {
    let (second, minute, hour) = (second % 60, second / 60 % 60, second / 3600 % 24);
    format!("{hour:02}:{minute:02}:{second:02}.{millisecond:03}")
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
    let channel: String = config.channel.chars().take(CHANNEL_LENGTH_MAX).collect();
    let format = format!("{}×{} {} FPS", config.width, config.height, config.fps);
    for (text, boldness, colour) in [(channel, 0.16, WHITE), (format, 0.12, QUIET)] {
        let style = grid.text(1.0, boldness, colour);
        let text = text.to_uppercase();
        right -= style.width(&text);
        canvas.text(&text, right, top, style);
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
        Area {
            x: self.x + x * self.unit,
            y: self.y + y * self.unit,
            width: width * self.unit,
            height: height * self.unit,
        }
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

/// A line of digits, each in a cell of the same width.
struct Digits {
    area: Area,
    cell: Area,
    cells: usize,
    /// The cells of [`Digits::SIGNS`] one below the other.
    signs: Picture,
}

impl Digits {
    const SIGNS: &str = "0123456789:.";

    fn new(grid: Grid, area: Area, cells: usize, cap_height: f32) -> Self {
        let cell = Area {
            x: 0,
            y: 0,
            width: even(area.width / cells),
            height: area.height,
        };
        let style = grid.text(cap_height / grid.unit as f32, 0.135, WHITE);
        let left = ((cell.width as f32 - style.digit_width()) / 2.0).max(0.0);
        let mut signs = Picture::filled(cell.width, cell.height * Self::SIGNS.len(), [0; 3]);
        for (sign, y) in Self::SIGNS.chars().zip((0..).step_by(cell.height)) {
            let mut canvas = Canvas::new(cell.width, cell.height, GROUND);
            canvas.glyph(sign, left, 0.0, style);
            signs.copy(&canvas.picture(), cell, 0, y);
        }
        Self {
            area,
            cell,
            cells,
            signs,
        }
    }

    fn draw(&self, text: &str, picture: &mut Picture) {
        for (sign, column) in text.chars().zip(0..) {
            let sign = Self::SIGNS
                .find(sign)
                .expect("only digits and signs of time are drawn");
            let from = Area {
                y: sign * self.cell.height,
                ..self.cell
            };
            let x = self.area.x + column * self.cell.width;
            picture.copy(&self.signs, from, x, self.area.y);
        }
    }

    /// A digit that comes up in one cell may have stood in another.
    fn change(&self) -> Change {
        let vectors = either_way(self.cells, self.cell.width).map(|dx| Vector { dx, dy: 0 });
        Change {
            area: self.area,
            vectors: vectors.collect(),
        }
    }
}

/// A ball that flies from one end of its track to the other in a second: it arrives on the second.
struct Ball {
    track: Area,
    shape: Picture,
}

impl Ball {
    fn new(grid: Grid, track: Area) -> Self {
        let size = even(track.height * 2 / 3);
        let mut canvas = Canvas::new(size, size, TRACK);
        canvas.disc(
            Area {
                x: 0,
                y: 0,
                width: size,
                height: size,
            },
            ACCENT,
        );
        let inner = Area {
            x: track.x + 2 * grid.unit,
            width: track.width - 4 * grid.unit,
            ..track
        };
        Self {
            track: inner,
            shape: canvas.picture(),
        }
    }

    fn x(&self, second: u64, frame: u32, fps: u32) -> usize {
        let way = self.track.width - self.shape.width();
        let gone = even(way * frame as usize / fps as usize);
        // In even seconds it leaves the left end, in odd ones the right end.
        self.track.x
            + if second.is_multiple_of(2) {
                gone
            } else {
                even(way) - gone
            }
    }

    fn draw(&self, second: u64, frame: u32, fps: u32, ground: &Picture, picture: &mut Picture) {
        picture.copy(ground, self.track, self.track.x, self.track.y);
        let y = self.track.y + even((self.track.height - self.shape.height()) / 2);
        picture.copy(
            &self.shape,
            self.shape.area(),
            self.x(second, frame, fps),
            y,
        );
    }
}

/// A lamp at either end of the track, which is lit while the ball turns there.
struct Lamps {
    /// Left and right.
    areas: [Area; 2],
    dark: Picture,
    lit: Picture,
}

impl Lamps {
    fn new(grid: Grid, track: Area) -> Self {
        let shape = |colour| {
            let mut canvas = Canvas::new(grid.unit, grid.unit, TRACK);
            let area = Area {
                x: 0,
                y: 0,
                width: grid.unit,
                height: grid.unit,
            };
            canvas.disc(area, colour);
            canvas.picture()
        };
        let area = |x| Area {
            x,
            y: track.y + grid.unit,
            width: grid.unit,
            height: grid.unit,
        };
        Self {
            areas: [
                area(track.x + grid.unit),
                area(track.right() - 2 * grid.unit),
            ],
            dark: shape(GROUND),
            lit: shape(WHITE),
        }
    }

    fn draw(&self, second: u64, is_lit: bool, picture: &mut Picture) {
        for (area, parity) in self.areas.into_iter().zip(0..) {
            let is_lit = is_lit && second % 2 == parity;
            let shape = if is_lit { &self.lit } else { &self.dark };
            picture.copy(shape, shape.area(), area.x, area.y);
        }
    }

    /// The other lamp is often what this one is about to become.
    fn changes(&self) -> [Change; 2] {
        let across = (self.areas[1].x - self.areas[0].x) as i32;
        [0, 1].map(|side| {
            let dx = if side == 0 { across } else { -across };
            Change {
                area: self.areas[side],
                vectors: vec![Vector { dx, dy: 0 }],
            }
        })
    }
}

/// The cells for machines.
struct Strip {
    width: usize,
    height: usize,
}

impl Strip {
    fn draw(&self, n: u64, picture: &mut Picture) {
        let (dark, bright) = (yuv(GROUND), yuv(WHITE));
        for (row, cells) in counter::cells(n).iter().enumerate() {
            for (column, &is_bright) in cells.iter().enumerate() {
                let colour = if is_bright { bright } else { dark };
                picture.fill(self.cell(row, column), colour);
            }
        }
    }

    fn cell(&self, row: usize, column: usize) -> Area {
        let left = |column: usize| even(self.width * column / COLUMNS);
        let top = |row: usize| {
            let parts = PARTS_OF_HEIGHT - (ROWS - row) * PARTS_OF_ROW;
            even(self.height * parts / PARTS_OF_HEIGHT)
        };
        Area {
            x: left(column),
            y: top(row),
            width: left(column + 1) - left(column),
            height: top(row + 1) - top(row),
        }
    }

    /// A cell looks like any other of its kind, and most look like one nearby.
    fn change(&self) -> Change {
        let Area {
            width, height, y, ..
        } = self.cell(0, 0);
        let rows = [0, -(height as i32), height as i32];
        let vectors = rows
            .into_iter()
            .flat_map(|dy| either_way(COLUMNS, width).map(move |dx| Vector { dx, dy }));
        Change {
            area: Area {
                x: 0,
                y,
                width: self.width,
                height: self.height - y,
            },
            vectors: vectors.collect(),
        }
    }
}

/// Steps of a number of pixels to either side, the short ones first.
fn either_way(cells: usize, pixels: usize) -> impl Iterator<Item = i32> {
    (1..cells as i32)
        .map(move |step| step * pixels as i32)
        .flat_map(|dx| [-dx, dx])
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
