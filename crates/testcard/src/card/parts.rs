//! The parts of the card that change from picture to picture.
//!
//! Each can say where it changes, and by which vectors its new content is likely to be found in the
//! picture before.

use super::{ACCENT, GROUND, Moment, TRACK, WHITE, even};
use crate::counter::{self, COLUMNS, PARTS_OF_HEIGHT, PARTS_OF_ROW, ROWS};
use crate::h264::{Change, Vector};
use crate::paint::{Canvas, TextStyle, yuv};
use crate::picture::{Area, Picture};

/// A line of digits, each in a cell of the same width.
pub(super) struct Digits {
    area: Area,
    cell: Area,
    cells: usize,
    /// The cells of [`Digits::SIGNS`] one below the other.
    signs: Picture,
}

impl Digits {
    const SIGNS: &str = "0123456789:.";

    pub(super) fn new(area: Area, cells: usize, style: TextStyle) -> Self {
        let cell = Area::new(0, 0, even(area.width / cells), area.height);
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

    pub(super) fn draw(&self, text: &str, picture: &mut Picture) {
        for (sign, column) in text.chars().zip(0..) {
            let sign = Self::SIGNS
                .find(sign)
                .expect("only times and numbers are drawn");
            let from = Area {
                y: sign * self.cell.height,
                ..self.cell
            };
            let x = self.area.x + column * self.cell.width;
            picture.copy(&self.signs, from, x, self.area.y);
        }
    }

    /// A digit that comes up in one cell may have stood in another.
    pub(super) fn change(&self) -> Change {
        let vectors = either_way(self.cells, self.cell.width).map(|dx| Vector { dx, dy: 0 });
        Change {
            area: self.area,
            vectors: vectors.collect(),
        }
    }
}

/// A ball that flies from one end of its track to the other, and arrives when a second begins.
pub(super) struct Ball {
    track: Area,
    shape: Picture,
}

impl Ball {
    pub(super) fn new(unit: usize, track: Area) -> Self {
        let size = even(track.height * 2 / 3);
        let mut canvas = Canvas::new(size, size, TRACK);
        canvas.disc(Area::new(0, 0, size, size), ACCENT);
        // The lamps keep two units at either end.
        let track = Area {
            x: track.x + 2 * unit,
            width: track.width - 4 * unit,
            ..track
        };
        Self {
            track,
            shape: canvas.picture(),
        }
    }

    pub(super) fn draw(&self, moment: Moment, ground: &Picture, picture: &mut Picture) {
        picture.copy(ground, self.track, self.track.x, self.track.y);
        let y = self.track.y + even((self.track.height - self.shape.height()) / 2);
        picture.copy(&self.shape, self.shape.area(), self.x(moment), y);
    }

    /// The ground is the same everywhere, so the ball's surroundings move with it.
    pub(super) fn change(&self, before: Moment, now: Moment) -> Change {
        let dx = self.x(before) as i32 - self.x(now) as i32;
        Change {
            area: self.track,
            vectors: vec![Vector { dx, dy: 0 }],
        }
    }

    /// In even seconds it comes from the left, in odd ones from the right.
    fn x(&self, moment: Moment) -> usize {
        let way = even(self.track.width - self.shape.width());
        let gone = even(way * moment.frame as usize / moment.fps as usize);
        let from_left = if moment.second.is_multiple_of(2) {
            gone
        } else {
            way - gone
        };
        self.track.x + from_left
    }
}

/// A lamp at either end of the track, which lights up for a tenth of a second when the ball turns
/// there.
pub(super) struct Lamps {
    /// Left and right.
    areas: [Area; 2],
    dark: Picture,
    lit: Picture,
}

impl Lamps {
    pub(super) fn new(unit: usize, track: Area) -> Self {
        let shape = |colour| {
            let mut canvas = Canvas::new(unit, unit, TRACK);
            canvas.disc(Area::new(0, 0, unit, unit), colour);
            canvas.picture()
        };
        let area = |x| Area::new(x, track.y + unit, unit, unit);
        Self {
            areas: [area(track.x + unit), area(track.right() - 2 * unit)],
            dark: shape(GROUND),
            lit: shape(WHITE),
        }
    }

    pub(super) fn draw(&self, moment: Moment, picture: &mut Picture) {
        let is_turning = moment.frame * 10 < moment.fps;
        for (area, parity) in self.areas.into_iter().zip(0..) {
            let is_lit = is_turning && moment.second % 2 == parity;
            let shape = if is_lit { &self.lit } else { &self.dark };
            picture.copy(shape, shape.area(), area.x, area.y);
        }
    }

    /// One lamp goes dark like the other is.
    pub(super) fn changes(&self) -> [Change; 2] {
        let [left, right] = self.areas;
        let across = (right.x - left.x) as i32;
        [(left, across), (right, -across)].map(|(area, dx)| Change {
            area,
            vectors: vec![Vector { dx, dy: 0 }],
        })
    }
}

/// The cells for machines, along the bottom.
pub(super) struct Strip {
    width: usize,
    height: usize,
}

impl Strip {
    /// The strip of a picture of this size.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    pub(super) fn draw(&self, n: u64, picture: &mut Picture) {
        let (dark, bright) = (yuv(GROUND), yuv(WHITE));
        for (row, cells) in counter::cells(n).iter().enumerate() {
            for (column, &is_bright) in cells.iter().enumerate() {
                let colour = if is_bright { bright } else { dark };
                picture.fill(self.cell(row, column), colour);
            }
        }
    }

    /// A cell looks like any other of its kind, and one is mostly nearby.
    pub(super) fn change(&self) -> Change {
        let Area {
            width, height, y, ..
        } = self.cell(0, 0);
        let in_row = |dy| either_way(COLUMNS, width).map(move |dx| Vector { dx, dy });
        let row = height as i32;
        Change {
            area: Area::new(0, y, self.width, self.height - y),
            vectors: [0, -row, row].into_iter().flat_map(in_row).collect(),
        }
    }

    fn cell(&self, row: usize, column: usize) -> Area {
        let left = |column| even(self.width * column / COLUMNS);
        let top = |row| {
            let parts = PARTS_OF_HEIGHT - (ROWS - row) * PARTS_OF_ROW;
            even(self.height * parts / PARTS_OF_HEIGHT)
        };
        let (x, y) = (left(column), top(row));
        Area::new(x, y, left(column + 1) - x, top(row + 1) - y)
    }
}

/// Steps of some cells to either side, the short ones first.
fn either_way(cells: usize, pixels: usize) -> impl Iterator<Item = i32> {
    let steps = (1..cells).map(move |cells| (cells * pixels) as i32);
    steps.flat_map(|step| [-step, step])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ball_reaches_an_end_on_the_second_and_the_lamp_there_lights_up() {
        let ground = yuv(TRACK);
        let track = Area::new(16, 16, 288, 24);
        let (ball, lamps) = (Ball::new(8, track), Lamps::new(8, track));
        let blank = Picture::filled(320, 64, ground);
        // What is brighter than the ground, from left to right, in columns of eight pixels.
        let bright = |second, frame| {
            let moment = Moment {
                second,
                frame,
                fps: 30,
            };
            let mut picture = blank.clone();
            ball.draw(moment, &blank, &mut picture);
            lamps.draw(moment, &mut picture);
            let middle = &picture.luma()[28 * 320..][..320];
            let is_bright = |column: &[u8]| column.iter().any(|&luma| luma > ground[0]);
            let columns = middle
                .chunks(8)
                .zip(0..)
                .filter(|(column, _)| is_bright(column));
            columns.map(|(_, at)| at).collect::<Vec<usize>>()
        };
        let (left_lamp, right_lamp) = (3, 36);
        assert_eq!(bright(4, 0), [left_lamp, 4, 5]);
        assert_eq!(bright(4, 2).first(), Some(&left_lamp));
        assert_eq!(bright(4, 15), [19, 20]);
        assert_eq!(bright(5, 0), [34, 35, right_lamp]);
        assert_eq!(bright(5, 2).last(), Some(&right_lamp));
        assert_eq!(bright(5, 15), [19, 20]);
    }
}
