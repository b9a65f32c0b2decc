//! Motion vectors and how they are predicted from their neighbours (H.264, 8.4.1).
//!
//! There is one reference picture and one vector for a whole macroblock, which leaves the median
//! rule and the special case of P_Skip.

/// How far to the right and below of a macroblock the place lies from which it is copied, in pixels.
///
/// Both are even, so that chroma is copied from whole samples as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vector {
    pub(crate) dx: i32,
    pub(crate) dy: i32,
}

impl Vector {
    pub(crate) const ZERO: Self = Self { dx: 0, dy: 0 };
}

/// The vectors of the macroblocks coded so far, in raster order; `None` for those without one.
pub(super) struct Field {
    columns: usize,
    vectors: Vec<Option<Vector>>,
}

/// A neighbour as the prediction sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Neighbour {
    /// Outside of the picture, or not coded yet.
    Absent,
    /// Coded without a vector.
    Intra,
    Moved(Vector),
}

impl Field {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self {
            columns,
            vectors: Vec::with_capacity(columns * rows),
        }
    }

    /// Notes the vector of the next macroblock.
    pub(super) fn push(&mut self, vector: Option<Vector>) {
        self.vectors.push(vector);
    }

    /// The prediction for the next macroblock (8.4.1.3).
    pub(super) fn prediction(&self) -> Vector {
        let (left, above, corner) = self.neighbours();
        if above == Neighbour::Absent && corner == Neighbour::Absent && left != Neighbour::Absent {
            return left.vector();
        }
        let moved = [left, above, corner].map(|n| matches!(n, Neighbour::Moved(_)));
        match moved {
            [true, false, false] => left.vector(),
            [false, true, false] => above.vector(),
            [false, false, true] => corner.vector(),
            _ => {
                let [a, b, c] = [left, above, corner].map(Neighbour::vector);
                Vector {
                    dx: median(a.dx, b.dx, c.dx),
                    dy: median(a.dy, b.dy, c.dy),
                }
            }
        }
    }

    /// The vector that the next macroblock has when it is skipped (8.4.1.1).
    pub(super) fn skipped(&self) -> Vector {
        let (left, above, _) = self.neighbours();
        let holds_still = |n| matches!(n, Neighbour::Absent | Neighbour::Moved(Vector::ZERO));
        if holds_still(left) || holds_still(above) {
            Vector::ZERO
        } else {
            self.prediction()
        }
    }

    /// Left, above, and the corner: above to the right or, at the end of a row, above to the left.
    fn neighbours(&self) -> (Neighbour, Neighbour, Neighbour) {
        let at = self.vectors.len();
        let (x, columns) = (at % self.columns, self.columns);
        let neighbour = |inside: bool, back: usize| match at.checked_sub(back) {
            Some(at) if inside => self.vectors[at].map_or(Neighbour::Intra, Neighbour::Moved),
            _ => Neighbour::Absent,
        };
        let corner = if x + 1 < columns {
            neighbour(true, columns - 1)
        } else {
            neighbour(x > 0, columns + 1)
        };
        (neighbour(x > 0, 1), neighbour(true, columns), corner)
    }
}

impl Neighbour {
    fn vector(self) -> Vector {
        match self {
            Self::Moved(vector) => vector,
            Self::Absent | Self::Intra => Vector::ZERO,
        }
    }
}

fn median(a: i32, b: i32, c: i32) -> i32 {
    a.max(b).min(c).max(a.min(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(columns: usize, dxs: &[Option<i32>]) -> Field {
        let mut field = Field::new(columns, 4);
        for dx in dxs {
            field.push(dx.map(|dx| Vector { dx, dy: 0 }));
        }
        field
    }

    #[test]
    fn the_median_of_left_above_and_above_right_predicts() {
        let field = field(3, &[Some(2), Some(8), Some(20), Some(4)]);
        assert_eq!(field.prediction().dx, 8);
        assert_eq!(field.skipped().dx, 8);
    }

    #[test]
    fn at_the_end_of_a_row_above_left_stands_in() {
        let field = field(2, &[Some(6), Some(2), Some(10)]);
        assert_eq!(field.prediction().dx, 6);
    }

    #[test]
    fn a_lone_neighbour_with_a_vector_predicts_alone() {
        assert_eq!(field(3, &[None, None, Some(20), None]).prediction().dx, 20);
        assert_eq!(field(3, &[Some(8)]).prediction().dx, 8, "nothing above");
        assert_eq!(field(3, &[]).prediction(), Vector::ZERO);
    }

    #[test]
    fn a_skipped_macroblock_holds_still_beside_one_that_does() {
        assert_eq!(
            field(3, &[Some(2), Some(8), Some(20), Some(0)]).skipped(),
            Vector::ZERO
        );
        assert_eq!(
            field(3, &[Some(2), Some(0), Some(20), Some(8)]).skipped(),
            Vector::ZERO
        );
        assert_eq!(
            field(3, &[Some(2), Some(8), Some(20)]).skipped(),
            Vector::ZERO,
            "no left"
        );
        assert_eq!(
            field(3, &[None, None, Some(20), None]).skipped().dx,
            20,
            "intra moves"
        );
    }
}
