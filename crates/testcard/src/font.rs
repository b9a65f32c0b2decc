//! Letters of even strokes, drawn from straight lines and arcs, so that they are sharp in any size.
//!
//! A glyph lies in a grid in which capitals and digits are 5 wide and 10 high; y grows downwards.
//! There are digits, capitals, the signs that captions need, and the small letters of the name
//! "lookback".

/// A part of a glyph, along the middle of the stroke.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stroke {
    Line {
        from: [f32; 2],
        to: [f32; 2],
    },
    /// Clockwise, in degrees from the right.
    Arc {
        center: [f32; 2],
        radius: f32,
        from: f32,
        to: f32,
    },
}

use Stroke::{Arc, Line};

/// The height of capitals and digits in the units of the grid.
pub(crate) const CAP_HEIGHT: f32 = 10.0;

/// The width of digits.
pub(crate) const DIGIT_WIDTH: f32 = 5.0;

/// The strokes of a character; a box for one that is not known.
pub(crate) fn glyph(character: char) -> &'static [Stroke] {
    let at = GLYPHS.iter().position(|&(known, _)| known == character);
    at.map_or(UNKNOWN, |at| GLYPHS[at].1)
}

/// How far to the right a glyph reaches.
pub(crate) fn width(character: char) -> f32 {
    if character == ' ' {
        return SPACE;
    }
    let right = |stroke: &Stroke| match *stroke {
        Line { from, to } => from[0].max(to[0]),
        Arc { center, radius, .. } => center[0] + radius,
    };
    glyph(character).iter().map(right).fold(0.0, f32::max)
}

const SPACE: f32 = 2.5;

const fn l(x0: f32, y0: f32, x1: f32, y1: f32) -> Stroke {
    Line {
        from: [x0, y0],
        to: [x1, y1],
    }
}

/// An arc of the usual bowl, 5 wide.
const fn a(center_y: f32, from: f32, to: f32) -> Stroke {
    Arc {
        center: [2.5, center_y],
        radius: 2.5,
        from,
        to,
    }
}

/// The stem at the left, over the whole height.
const STEM: Stroke = l(0.0, 0.0, 0.0, 10.0);

const UNKNOWN: &[Stroke] = &[
    STEM,
    l(0.0, 0.0, 5.0, 0.0),
    l(5.0, 0.0, 5.0, 10.0),
    l(0.0, 10.0, 5.0, 10.0),
];

const ROUND: &[Stroke] = &[
    a(2.5, 180.0, 360.0),
    l(0.0, 2.5, 0.0, 7.5),
    l(5.0, 2.5, 5.0, 7.5),
    a(7.5, 0.0, 180.0),
];

#[rustfmt::skip] // a glyph is read as a row
const GLYPHS: &[(char, &[Stroke])] = &[
    (' ', &[]),
    ('0', ROUND),
    ('1', &[l(0.9, 2.0, 3.2, 0.0), l(3.2, 0.0, 3.2, 10.0)]),
    ('2', &[a(2.5, 185.0, 397.0), l(4.497, 4.004, 0.0, 10.0), l(0.0, 10.0, 5.0, 10.0)]),
    ('3', &[a(2.5, 195.0, 450.0), a(7.5, 270.0, 525.0)]),
    ('4', &[l(3.8, 0.0, 0.0, 7.2), l(0.0, 7.2, 5.0, 7.2), l(3.8, 0.0, 3.8, 10.0)]),
    ('5', &[l(4.6, 0.0, 0.4, 0.0), l(0.4, 0.0, 0.4, 5.4), a(7.5, 213.0, 525.0)]),
    ('6', &[a(7.5, 0.0, 360.0), l(0.0, 2.5, 0.0, 7.5), a(2.5, 180.0, 345.0)]),
    ('7', &[l(0.0, 0.0, 5.0, 0.0), l(5.0, 0.0, 1.7, 10.0)]),
    ('8', &[a(2.5, 0.0, 360.0), a(7.5, 0.0, 360.0)]),
    ('9', &[a(2.5, 0.0, 360.0), l(5.0, 2.5, 5.0, 7.5), a(7.5, 0.0, 165.0)]),
    (':', &[l(2.5, 3.0, 2.5, 3.0), l(2.5, 8.0, 2.5, 8.0)]),
    ('.', &[l(2.5, 10.0, 2.5, 10.0)]),
    ('-', &[l(0.6, 5.5, 3.8, 5.5)]),
    ('_', &[l(0.0, 10.0, 5.0, 10.0)]),
    ('/', &[l(0.0, 10.0, 4.0, 0.0)]),
    ('×', &[l(0.0, 4.6, 4.0, 8.6), l(4.0, 4.6, 0.0, 8.6)]),
    ('A', &[l(0.0, 10.0, 2.6, 0.0), l(2.6, 0.0, 5.2, 10.0), l(0.85, 6.8, 4.35, 6.8)]),
    ('B', &[STEM, l(0.0, 0.0, 2.5, 0.0), a(2.5, 270.0, 450.0), l(0.0, 5.0, 2.5, 5.0), a(7.5, 270.0, 450.0), l(0.0, 10.0, 2.5, 10.0)]),
    ('C', &[a(2.5, 180.0, 345.0), l(0.0, 2.5, 0.0, 7.5), a(7.5, 15.0, 180.0)]),
    ('D', &[STEM, l(0.0, 0.0, 2.5, 0.0), a(2.5, 270.0, 360.0), l(5.0, 2.5, 5.0, 7.5), a(7.5, 0.0, 90.0), l(0.0, 10.0, 2.5, 10.0)]),
    ('E', &[STEM, l(0.0, 0.0, 4.4, 0.0), l(0.0, 5.0, 3.8, 5.0), l(0.0, 10.0, 4.4, 10.0)]),
    ('F', &[STEM, l(0.0, 0.0, 4.4, 0.0), l(0.0, 5.0, 3.8, 5.0)]),
    ('G', &[a(2.5, 180.0, 345.0), l(0.0, 2.5, 0.0, 7.5), a(7.5, 0.0, 180.0), l(5.0, 7.5, 5.0, 5.4), l(5.0, 5.4, 2.8, 5.4)]),
    ('H', &[STEM, l(5.0, 0.0, 5.0, 10.0), l(0.0, 5.0, 5.0, 5.0)]),
    ('I', &[STEM]),
    ('J', &[l(4.6, 0.0, 4.6, 7.5), Arc { center: [2.1, 7.5], radius: 2.5, from: 0.0, to: 160.0 }]),
    ('K', &[STEM, l(4.8, 0.0, 0.0, 6.2), l(1.7, 4.1, 5.0, 10.0)]),
    ('L', &[STEM, l(0.0, 10.0, 4.4, 10.0)]),
    ('M', &[STEM, l(0.0, 0.0, 3.0, 6.0), l(3.0, 6.0, 6.0, 0.0), l(6.0, 0.0, 6.0, 10.0)]),
    ('N', &[STEM, l(0.0, 0.0, 5.0, 10.0), l(5.0, 10.0, 5.0, 0.0)]),
    ('O', ROUND),
    ('P', &[STEM, l(0.0, 0.0, 2.5, 0.0), a(2.5, 270.0, 450.0), l(0.0, 5.0, 2.5, 5.0)]),
    ('Q', &[a(2.5, 180.0, 360.0), l(0.0, 2.5, 0.0, 7.5), l(5.0, 2.5, 5.0, 7.5), a(7.5, 0.0, 180.0), l(3.2, 7.6, 5.2, 10.2)]),
    ('R', &[STEM, l(0.0, 0.0, 2.5, 0.0), a(2.5, 270.0, 450.0), l(0.0, 5.0, 2.5, 5.0), l(2.4, 5.0, 5.0, 10.0)]),
    ('S', &[a(2.5, 90.0, 340.0), a(7.5, 270.0, 520.0)]),
    ('T', &[l(0.0, 0.0, 5.2, 0.0), l(2.6, 0.0, 2.6, 10.0)]),
    ('U', &[l(0.0, 0.0, 0.0, 7.5), a(7.5, 0.0, 180.0), l(5.0, 0.0, 5.0, 7.5)]),
    ('V', &[l(0.0, 0.0, 2.6, 10.0), l(2.6, 10.0, 5.2, 0.0)]),
    ('W', &[l(0.0, 0.0, 1.7, 10.0), l(1.7, 10.0, 3.5, 3.0), l(3.5, 3.0, 5.3, 10.0), l(5.3, 10.0, 7.0, 0.0)]),
    ('X', &[l(0.0, 0.0, 5.0, 10.0), l(5.0, 0.0, 0.0, 10.0)]),
    ('Y', &[l(0.0, 0.0, 2.6, 5.2), l(5.2, 0.0, 2.6, 5.2), l(2.6, 5.2, 2.6, 10.0)]),
    ('Z', &[l(0.0, 0.0, 5.0, 0.0), l(5.0, 0.0, 0.0, 10.0), l(0.0, 10.0, 5.0, 10.0)]),
    ('l', &[STEM]),
    ('o', &[a(6.2, 180.0, 360.0), l(0.0, 6.2, 0.0, 7.5), l(5.0, 6.2, 5.0, 7.5), a(7.5, 0.0, 180.0)]),
    ('k', &[STEM, l(4.3, 3.7, 0.0, 7.6), l(1.7, 6.1, 4.7, 10.0)]),
    ('b', &[STEM, a(6.2, 180.0, 360.0), l(5.0, 6.2, 5.0, 7.5), a(7.5, 0.0, 180.0)]),
    ('a', &[a(6.2, 180.0, 360.0), l(0.0, 6.2, 0.0, 7.5), l(5.0, 3.7, 5.0, 10.0), a(7.5, 0.0, 180.0)]),
    ('c', &[a(6.2, 180.0, 330.0), l(0.0, 6.2, 0.0, 7.5), a(7.5, 30.0, 180.0)]),
    // Back in time: an arrow that turns to the left.
    ('↺', &[
        Arc { center: [5.4, 5.0], radius: 5.0, from: 222.0, to: 515.0 },
        l(1.684, 1.654, 0.0, 4.0),
        l(0.0, 0.7, 0.0, 4.0),
        l(0.0, 4.0, 3.3, 4.0),
    ]),
];
