//! Pictures in memory: 8 bit, 4:2:0, as the decoder is to show them.

/// The three planes of a picture, rows without gaps. Both sides are even.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    y: Vec<u8>,
    cb: Vec<u8>,
    cr: Vec<u8>,
}

/// A colour: luma and the two chroma differences.
pub(crate) type Yuv = [u8; 3];

impl Picture {
    /// A picture of one colour.
    pub(crate) fn filled(width: usize, height: usize, [y, cb, cr]: Yuv) -> Self {
        debug_assert!(width.is_multiple_of(2) && height.is_multiple_of(2));
        Self {
            width,
            height,
            y: vec![y; width * height],
            cb: vec![cb; width * height / 4],
            cr: vec![cr; width * height / 4],
        }
    }

    /// Samples in a row of luma.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of luma.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The luma samples, row by row.
    pub fn luma(&self) -> &[u8] {
        &self.y
    }

    /// The planes one behind the other, Y, Cb, Cr: what other programs call `yuv420p` or I420.
    pub fn i420(&self) -> Vec<u8> {
        [&self.y[..], &self.cb, &self.cr].concat()
    }

    /// The planes with their row lengths.
    pub(crate) fn planes(&self) -> [Plane<'_>; 3] {
        let plane = |samples, stride| Plane { samples, stride };
        [
            plane(&self.y, self.width),
            plane(&self.cb, self.width / 2),
            plane(&self.cr, self.width / 2),
        ]
    }

    /// Sets the colour of the pixel pair of rows and columns whose upper left pixel is (`x`, `y`).
    pub(crate) fn set_quad(&mut self, x: usize, y: usize, luma: [u8; 4], [cb, cr]: [u8; 2]) {
        let at = y * self.width + x;
        self.y[at..at + 2].copy_from_slice(&luma[..2]);
        self.y[at + self.width..at + self.width + 2].copy_from_slice(&luma[2..]);
        let at = y / 2 * (self.width / 2) + x / 2;
        self.cb[at] = cb;
        self.cr[at] = cr;
    }

    /// Fills a rectangle whose four numbers are even.
    pub(crate) fn fill(&mut self, area: Area, [y, cb, cr]: Yuv) {
        let width = self.width;
        let fill = |plane: &mut [u8], unit: usize, value| {
            for row in area.y / unit..area.bottom() / unit {
                let from = row * (width / unit);
                plane[from + area.x / unit..from + area.right() / unit].fill(value);
            }
        };
        fill(&mut self.y, 1, y);
        fill(&mut self.cb, 2, cb);
        fill(&mut self.cr, 2, cr);
    }

    /// Copies `from` of `source` to where (`x`, `y`) is its upper left corner; all numbers are even.
    pub(crate) fn copy(&mut self, source: &Self, from: Area, x: usize, y: usize) {
        let width = self.width;
        let copy = |plane: &mut [u8], other: &[u8], unit: usize| {
            for row in 0..from.height / unit {
                let s = (from.y / unit + row) * (source.width / unit) + from.x / unit;
                let d = (y / unit + row) * (width / unit) + x / unit;
                let len = from.width / unit;
                plane[d..d + len].copy_from_slice(&other[s..s + len]);
            }
        };
        copy(&mut self.y, &source.y, 1);
        copy(&mut self.cb, &source.cb, 2);
        copy(&mut self.cr, &source.cr, 2);
    }

    /// The whole picture as an area.
    pub(crate) fn area(&self) -> Area {
        Area::new(0, 0, self.width, self.height)
    }

    /// The part of the picture that `area` shows.
    pub(crate) fn cropped(&self, area: Area) -> Self {
        let mut cropped = Self::filled(area.width, area.height, [0; 3]);
        cropped.copy(self, area, 0, 0);
        cropped
    }
}

/// One plane of a picture.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a> {
    pub(crate) samples: &'a [u8],
    pub(crate) stride: usize,
}

impl<'a> Plane<'a> {
    /// `len` samples to the right of (`x`, `y`).
    pub(crate) fn row(self, x: usize, y: usize, len: usize) -> &'a [u8] {
        let at = y * self.stride + x;
        &self.samples[at..at + len]
    }
}

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Area {
    pub(crate) const fn new(x: usize, y: usize, width: usize, height: usize) -> Self {
        Self {
            x,
            y,
            width,
            height,
        }
    }

    pub(crate) fn right(self) -> usize {
        self.x + self.width
    }

    pub(crate) fn bottom(self) -> usize {
        self.y + self.height
    }
}
