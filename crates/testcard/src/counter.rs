//! The picture's number for machines: two rows of cells along the bottom of the card, dark for 0 and
//! bright for 1.
//!
//! The rows are each 1/45 of the picture's height and each cell is 1/40 of its width, at whatever
//! size, so that a reader needs to know nothing but the size of the picture it looks at:
//!
//! ```text
//! row 0:  1 0  36 bits  0 1        the 72 bits are the number, 48 bits,
//! row 1:  0 1  36 bits  1 0        and its CRC-24 (RFC 9580, 6.1), highest bit first
//! ```
//!
//! The outer cells are the levels of dark and bright by which the others are judged, and they tell
//! the card from something else, together with the checksum.

/// Cells in a row.
pub(crate) const COLUMNS: usize = 40;
/// Rows of cells.
pub(crate) const ROWS: usize = 2;
/// A row's height, in parts of which the picture has [`PARTS_OF_HEIGHT`].
pub(crate) const PARTS_OF_ROW: usize = 1;
/// In how many parts the height of the picture is thought to be divided.
pub(crate) const PARTS_OF_HEIGHT: usize = 45;

/// Whether cells are bright, by row and column.
pub(crate) type Cells = [[bool; COLUMNS]; ROWS];

/// The outer cells at either end of a row.
const LEFT: [[bool; 2]; ROWS] = [[true, false], [false, true]];
const RIGHT: [[bool; 2]; ROWS] = [[false, true], [true, false]];

const NUMBER_BITS: usize = 48;
const CHECKSUM_BITS: usize = 24;
const DATA_COLUMNS: usize = COLUMNS - 4;

/// How far apart dark and bright must be, of 219.
const LEAST_CONTRAST: f32 = 40.0;

/// The cells that show a number, which has at most 48 bits.
pub(crate) fn cells(number: u64) -> Cells {
    let number = number & ((1 << NUMBER_BITS) - 1);
    let bits = u128::from(number) << CHECKSUM_BITS | u128::from(checksum(number));
    let mut cells = [[false; COLUMNS]; ROWS];
    for (row, cells) in cells.iter_mut().enumerate() {
        cells[..2].copy_from_slice(&LEFT[row]);
        cells[COLUMNS - 2..].copy_from_slice(&RIGHT[row]);
        for (column, cell) in cells[2..COLUMNS - 2].iter_mut().enumerate() {
            *cell = bits >> (ROWS * DATA_COLUMNS - 1 - row * DATA_COLUMNS - column) & 1 == 1;
        }
    }
    cells
}

/// The number of the picture that `luma` shows, `None` if it shows no test card.
///
/// The picture may have been scaled to any size from 160x90 and may have lost quality, but it must
/// show the whole card and nothing else. `luma` has `height` rows of `width` samples.
pub fn read_counter(luma: &[u8], width: usize, height: usize) -> Option<u64> {
    if width < 160 || height < 90 || luma.len() < width.checked_mul(height)? {
        return None;
    }
    let levels: [[f32; COLUMNS]; ROWS] = std::array::from_fn(|row| {
        std::array::from_fn(|column| level(luma, width, height, row, column))
    });
    let threshold = threshold(&levels)?;
    let bits = levels.iter().flat_map(|row| &row[2..COLUMNS - 2]);
    let bits = bits.fold(0, |bits: u128, level| {
        bits << 1 | u128::from(*level > threshold)
    });
    let number = (bits >> CHECKSUM_BITS) as u64;
    let sent = (bits & ((1 << CHECKSUM_BITS) - 1)) as u32;
    (sent == checksum(number)).then_some(number)
}

/// The mean of the middle of a cell.
fn level(luma: &[u8], width: usize, height: usize, row: usize, column: usize) -> f32 {
    let (cell_width, cell_height) = (
        width as f32 / COLUMNS as f32,
        (height * PARTS_OF_ROW) as f32 / PARTS_OF_HEIGHT as f32,
    );
    let left = cell_width * column as f32;
    let top = height as f32 - cell_height * (ROWS - row) as f32;
    let middle = |start: f32, size: f32| {
        let center = (start + size / 2.0) as usize;
        let from = (start + size * 0.3).round() as usize;
        let to = (start + size * 0.7).round() as usize;
        from.min(center)..to.max(center + 1)
    };
    let columns = middle(left, cell_width);
    let rows = middle(top, cell_height);
    let count = columns.len() * rows.len();
    let samples = rows.flat_map(|y| &luma[y * width..][columns.clone()]);
    samples.map(|&sample| f32::from(sample)).sum::<f32>() / count as f32
}

/// The level between dark and bright; `None` unless the outer cells are what they have to be.
fn threshold(levels: &[[f32; COLUMNS]; ROWS]) -> Option<f32> {
    let (mut darkest_bright, mut brightest_dark) = (f32::MAX, f32::MIN);
    for (row, levels) in levels.iter().enumerate() {
        let outer = levels[..2].iter().chain(&levels[COLUMNS - 2..]);
        for (level, bright) in outer.zip(LEFT[row].iter().chain(&RIGHT[row])) {
            if *bright {
                darkest_bright = darkest_bright.min(*level);
            } else {
                brightest_dark = brightest_dark.max(*level);
            }
        }
    }
    (darkest_bright - brightest_dark >= LEAST_CONTRAST)
        .then_some((darkest_bright + brightest_dark) / 2.0)
}

fn checksum(number: u64) -> u32 {
    crc_24(&number.to_be_bytes()[(64 - NUMBER_BITS) / 8..])
}

fn crc_24(bytes: &[u8]) -> u32 {
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1)));
    bits.fold(0x00b7_04ce, |crc, bit| {
        let shifted = crc << 1 & 0x00ff_ffff;
        if crc >> 23 & 1 == bit {
            shifted
        } else {
            shifted ^ 0x0086_4cfb
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(number: u64, width: usize, height: usize) -> Vec<u8> {
        let cells = cells(number);
        let mut luma = vec![90; width * height];
        for (at, sample) in luma.iter_mut().enumerate() {
            let (x, y) = (at % width, at / width);
            let from_bottom =
                (2 * (height - y) - 1) * PARTS_OF_HEIGHT / PARTS_OF_ROW / (2 * height);
            if from_bottom < ROWS {
                let bright = cells[ROWS - 1 - from_bottom][(2 * x + 1) * COLUMNS / (2 * width)];
                *sample = if bright { 200 } else { 30 };
            }
        }
        luma
    }

    proptest! {
        #[test]
        fn a_number_is_read_back_at_any_size(
            number in 0u64..1 << 48, width in 160usize..700, height in 90usize..400,
        ) {
            let luma = drawn(number, width, height);
            prop_assert_eq!(read_counter(&luma, width, height), Some(number));
        }

        #[test]
        fn one_wrong_cell_is_noticed(number in 0u64..1 << 48, cell in 0usize..80) {
            let mut luma = drawn(number, 320, 180);
            let (row, column) = (cell / COLUMNS, cell % COLUMNS);
            for y in 172 + row * 4..176 + row * 4 {
                for sample in &mut luma[y * 320..][column * 8..column * 8 + 8] {
                    *sample = 230 - *sample;
                }
            }
            prop_assert_eq!(read_counter(&luma, 320, 180), None);
        }

        #[test]
        fn noise_is_no_card(luma in prop::collection::vec(any::<u8>(), 160 * 90)) {
            prop_assert_eq!(read_counter(&luma, 160, 90), None);
        }
    }

    #[test]
    fn the_checksum_is_crc_24() {
        assert_eq!(crc_24(b"123456789"), 0x21_cf02);
    }

    #[test]
    fn pictures_that_are_too_small_or_cut_are_no_card() {
        assert_eq!(read_counter(&drawn(7, 320, 180), 320, 181), None);
        assert_eq!(read_counter(&drawn(7, 159, 90), 159, 90), None);
        assert_eq!(read_counter(&[], usize::MAX, usize::MAX), None);
        assert_eq!(read_counter(&[30; 320 * 180], 320, 180), None);
    }
}
