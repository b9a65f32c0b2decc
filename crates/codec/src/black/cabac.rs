//! The arithmetic coder of HEVC (ITU-T H.265, 9.3.5.2 to 9.3.5.6, which is that of H.264).

use crate::bits::Written;

/// How probable a bin is (9.3.2.2).
pub(super) struct Context {
    state: usize,
    most_probable: bool,
}

impl Context {
    /// By its initValue and the slice's quantiser.
    pub(super) fn new(init: i32, quantiser: i32) -> Self {
        let (slope, offset) = ((init >> 4) * 5 - 45, ((init & 15) << 3) - 16);
        let state = (((slope * quantiser) >> 4) + offset).clamp(1, 126);
        let most_probable = state > 63;
        let state = if most_probable {
            state - 64
        } else {
            63 - state
        };
        Self {
            state: usize::try_from(state).unwrap_or(0),
            most_probable,
        }
    }
}

/// Bins on their way into bits.
pub(super) struct Coder {
    written: Written,
    low: u32,
    range: u32,
    outstanding: u32,
    is_first: bool,
}

impl Coder {
    /// Behind what was written, which ends with a byte.
    pub(super) fn new(written: Written) -> Self {
        Self {
            written,
            low: 0,
            range: 510,
            outstanding: 0,
            is_first: true,
        }
    }

    pub(super) fn bin(&mut self, context: &mut Context, bin: bool) {
        let least = u32::from(LEAST_PROBABLE[context.state][(self.range >> 6 & 3) as usize]);
        self.range -= least;
        if bin == context.most_probable {
            context.state = (context.state + 1).min(62);
        } else {
            self.low += self.range;
            self.range = least;
            context.most_probable ^= context.state == 0;
            context.state = usize::from(AFTER_LEAST_PROBABLE[context.state]);
        }
        self.renew();
    }

    /// One that is as probable as not.
    pub(super) fn bypass(&mut self, bin: bool) {
        self.low <<= 1;
        if bin {
            self.low += self.range;
        }
        match self.low {
            1024.. => {
                self.low -= 1024;
                self.put(true);
            }
            512.. => {
                self.low -= 512;
                self.outstanding += 1;
            }
            _ => self.put(false),
        }
    }

    /// That the arithmetic does not end here.
    pub(super) fn goes_on(&mut self) {
        self.range -= 2;
        self.renew();
    }

    /// That it ends. The last bit is a one, which at the end of a slice is its stop bit.
    pub(super) fn end(mut self) -> Written {
        self.low += self.range - 2;
        self.range = 2;
        self.renew();
        self.put(self.low >> 9 & 1 == 1);
        self.written.fields(&[(2, self.low >> 7 & 3 | 1)])
    }

    fn renew(&mut self) {
        while self.range < 256 {
            match self.low {
                512.. => {
                    self.low -= 512;
                    self.put(true);
                }
                256.. => {
                    self.low -= 256;
                    self.outstanding += 1;
                }
                _ => self.put(false),
            }
            self.range <<= 1;
            self.low <<= 1;
        }
    }

    fn put(&mut self, bit: bool) {
        if self.is_first {
            self.is_first = false;
        } else {
            self.write(bit);
        }
        for _ in 0..std::mem::take(&mut self.outstanding) {
            self.write(!bit);
        }
    }

    fn write(&mut self, bit: bool) {
        let written = std::mem::take(&mut self.written);
        self.written = written.fields(&[(1, u32::from(bit))]);
    }
}

/// Of each state, by two bits of the range: what the bin that is not probable has of it (table 9-52).
const LEAST_PROBABLE: [[u8; 4]; 64] = [
    [128, 176, 208, 240],
    [128, 167, 197, 227],
    [128, 158, 187, 216],
    [123, 150, 178, 205],
    [116, 142, 169, 195],
    [111, 135, 160, 185],
    [105, 128, 152, 175],
    [100, 122, 144, 166],
    [95, 116, 137, 158],
    [90, 110, 130, 150],
    [85, 104, 123, 142],
    [81, 99, 117, 135],
    [77, 94, 111, 128],
    [73, 89, 105, 122],
    [69, 85, 100, 116],
    [66, 80, 95, 110],
    [62, 76, 90, 104],
    [59, 72, 86, 99],
    [56, 69, 81, 94],
    [53, 65, 77, 89],
    [51, 62, 73, 85],
    [48, 59, 69, 80],
    [46, 56, 66, 76],
    [43, 53, 63, 72],
    [41, 50, 59, 69],
    [39, 48, 56, 65],
    [37, 45, 54, 62],
    [35, 43, 51, 59],
    [33, 41, 48, 56],
    [32, 39, 46, 53],
    [30, 37, 43, 50],
    [29, 35, 41, 48],
    [27, 33, 39, 45],
    [26, 31, 37, 43],
    [24, 30, 35, 41],
    [23, 28, 33, 39],
    [22, 27, 32, 37],
    [21, 26, 30, 35],
    [20, 24, 29, 33],
    [19, 23, 27, 31],
    [18, 22, 26, 30],
    [17, 21, 25, 28],
    [16, 20, 23, 27],
    [15, 19, 22, 25],
    [14, 18, 21, 24],
    [14, 17, 20, 23],
    [13, 16, 19, 22],
    [12, 15, 18, 21],
    [12, 14, 17, 20],
    [11, 14, 16, 19],
    [11, 13, 15, 18],
    [10, 12, 15, 17],
    [10, 12, 14, 16],
    [9, 11, 13, 15],
    [9, 11, 12, 14],
    [8, 10, 12, 14],
    [8, 9, 11, 13],
    [7, 9, 11, 12],
    [7, 9, 10, 12],
    [7, 8, 10, 11],
    [6, 8, 9, 11],
    [6, 7, 9, 10],
    [6, 7, 8, 9],
    [2, 2, 2, 2],
];

/// The state behind such a bin (table 9-53).
const AFTER_LEAST_PROBABLE: [u8; 64] = [
    0, 0, 1, 2, 2, 4, 4, 5, 6, 7, 8, 9, 9, 11, 11, 12, 13, 13, 15, 15, 16, 16, 18, 18, 19, 19, 21,
    21, 22, 22, 23, 24, 24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 30, 30, 31, 32, 32, 33, 33, 33, 34,
    34, 35, 35, 35, 36, 36, 36, 37, 37, 37, 38, 38, 63,
];
