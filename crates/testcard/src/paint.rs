//! Drawing with soft edges, in RGB, and the way from there to the samples of a picture.

use crate::font::{self, Stroke};
use crate::picture::{Area, Picture, Yuv};

/// A colour with red, green and blue from 0 to 1, as they are displayed (gamma and all).
pub(crate) type Rgb = [f32; 3];

/// Something to draw on.
pub(crate) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
}

/// How large text is and how bold.
#[derive(Clone, Copy)]
pub(crate) struct TextStyle {
    /// From the top of a capital to its foot, in pixels.
    pub(crate) cap_height: f32,
    /// The width of the strokes, in pixels.
    pub(crate) weight: f32,
    pub(crate) colour: Rgb,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize, background: Rgb) -> Self {
        Self {
            width,
            height,
            pixels: vec![background; width * height],
        }
    }

    /// A rectangle with sharp edges.
    pub(crate) fn fill(&mut self, area: Area, colour: Rgb) {
        for y in area.y..area.bottom() {
            self.pixels[y * self.width..][area.x..area.right()].fill(colour);
        }
    }

    /// A rectangle with round corners.
    pub(crate) fn rounded(&mut self, area: Area, radius: f32, colour: Rgb) {
        let half = [area.width as f32 / 2.0, area.height as f32 / 2.0];
        let center = [area.x as f32 + half[0], area.y as f32 + half[1]];
        self.shape(area, colour, |[x, y]| {
            let dx = (x - center[0]).abs() - (half[0] - radius);
            let dy = (y - center[1]).abs() - (half[1] - radius);
            dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
        });
    }

    /// A disc that fills a square.
    pub(crate) fn disc(&mut self, area: Area, colour: Rgb) {
        self.rounded(area, area.width as f32 / 2.0, colour);
    }

    /// A line of text whose outline begins at `x` and whose capitals begin at `top`.
    pub(crate) fn text(&mut self, text: &str, mut x: f32, top: f32, style: TextStyle) {
        for character in text.chars() {
            self.glyph(character, x, top, style);
            x += style.advance(character);
        }
    }

    /// One character whose outline begins at `x`.
    pub(crate) fn glyph(&mut self, character: char, x: f32, top: f32, style: TextStyle) {
        let scale = style.scale();
        let origin = [x + style.weight / 2.0, top + style.weight / 2.0];
        let strokes = font::glyph(character);
        let reach = (font::width(character) * scale + style.weight).ceil() as usize + 2;
        let area = Area {
            x: (x as usize).saturating_sub(1),
            y: (top as usize).saturating_sub(1),
            width: reach + 1,
            height: (style.cap_height * 1.1) as usize + 3,
        };
        self.shape(area, style.colour, |[x, y]| {
            let at = [(x - origin[0]) / scale, (y - origin[1]) / scale];
            let nearest = strokes.iter().map(|stroke| distance(*stroke, at));
            nearest.fold(f32::INFINITY, f32::min) * scale - style.weight / 2.0
        });
    }

    /// Draws where `distance`, in pixels from the edge of a shape, is negative; `area` bounds it.
    fn shape(&mut self, area: Area, colour: Rgb, distance: impl Fn([f32; 2]) -> f32) {
        for y in area.y..area.bottom().min(self.height) {
            for x in area.x..area.right().min(self.width) {
                let cover = 0.5 - distance([x as f32 + 0.5, y as f32 + 0.5]);
                let pixel = &mut self.pixels[y * self.width + x];
                *pixel = mixed(*pixel, colour, cover.clamp(0.0, 1.0));
            }
        }
    }

    /// The picture that shows this canvas; both its sides are even.
    pub(crate) fn picture(&self) -> Picture {
        let mut picture = Picture::filled(self.width, self.height, [0; 3]);
        for y in (0..self.height).step_by(2) {
            for x in (0..self.width).step_by(2) {
                let at = y * self.width + x;
                let quad = [at, at + 1, at + self.width, at + self.width + 1];
                let quad = quad.map(|at| self.pixels[at]);
                let mean = [0, 1, 2].map(|c| quad.iter().map(|pixel| pixel[c]).sum::<f32>() / 4.0);
                let [_, cb, cr] = yuv(mean);
                picture.set_quad(x, y, quad.map(|pixel| yuv(pixel)[0]), [cb, cr]);
            }
        }
        picture
    }
}

impl TextStyle {
    /// How wide a line of text is, from outline to outline.
    pub(crate) fn width(self, text: &str) -> f32 {
        text.chars().map(|c| self.advance(c)).sum::<f32>() - self.gap()
    }

    /// How wide a digit is, from outline to outline.
    pub(crate) fn digit_width(self) -> f32 {
        font::DIGIT_WIDTH * self.scale() + self.weight
    }

    fn advance(self, character: char) -> f32 {
        font::width(character) * self.scale() + self.weight + self.gap()
    }

    fn gap(self) -> f32 {
        self.cap_height * 0.17
    }

    /// Pixels per unit of the font's grid.
    fn scale(self) -> f32 {
        (self.cap_height - self.weight) / font::CAP_HEIGHT
    }
}

/// How far a point is from the middle of a stroke.
fn distance(stroke: Stroke, [x, y]: [f32; 2]) -> f32 {
    match stroke {
        Stroke::Line { from, to } => {
            let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
            let (px, py) = (x - from[0], y - from[1]);
            let length = (dx * dx + dy * dy).max(f32::MIN_POSITIVE);
            let along = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
            (px - along * dx).hypot(py - along * dy)
        }
        Stroke::Arc {
            center,
            radius,
            from,
            to,
        } => {
            let (px, py) = (x - center[0], y - center[1]);
            let behind_start = (py.atan2(px).to_degrees() - from).rem_euclid(360.0);
            if behind_start <= to - from {
                return (px.hypot(py) - radius).abs();
            }
            let to_end = |degrees: f32| {
                let (sin, cos) = degrees.to_radians().sin_cos();
                (px - radius * cos).hypot(py - radius * sin)
            };
            to_end(from).min(to_end(to))
        }
    }
}

fn mixed(under: Rgb, over: Rgb, cover: f32) -> Rgb {
    [0, 1, 2].map(|c| under[c] + (over[c] - under[c]) * cover)
}

/// BT.709 in limited range (ITU-T H.273, 8.3).
pub(crate) fn yuv([red, green, blue]: Rgb) -> Yuv {
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    let cb = (blue - luma) / 1.8556;
    let cr = (red - luma) / 1.5748;
    [16.0 + 219.0 * luma, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr].map(|sample| (sample + 0.5) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_bt_709() {
        assert_eq!(yuv([0.0, 0.0, 0.0]), [16, 128, 128]);
        assert_eq!(yuv([1.0, 1.0, 1.0]), [235, 128, 128]);
        // 75 % bars, as in ITU-R BT.1729 for this matrix.
        assert_eq!(yuv([0.75, 0.75, 0.0]), [168, 44, 136]);
        assert_eq!(yuv([0.0, 0.75, 0.75]), [145, 147, 44]);
        assert_eq!(yuv([0.0, 0.0, 0.75]), [28, 212, 120]);
    }

    #[test]
    fn edges_are_soft_and_shapes_stay_where_they_belong() {
        let mut canvas = Canvas::new(16, 16, [0.0; 3]);
        canvas.disc(
            Area {
                x: 2,
                y: 2,
                width: 10,
                height: 10,
            },
            [1.0; 3],
        );
        let at = |x: usize, y: usize| canvas.pixels[y * 16 + x][0];
        assert_eq!((at(7, 7), at(2, 2), at(14, 7)), (1.0, 0.0, 0.0));
        assert!((0.0..1.0).contains(&at(3, 3)));
    }
}
