//! A camera for QR codes.

use rqrr::PreparedImage;

/// What the only code in a picture says.
pub(crate) fn read(
    width: usize,
    height: usize,
    luma: impl FnMut(usize, usize) -> u8,
) -> Option<String> {
    let mut image = PreparedImage::prepare_from_greyscale(width, height, luma);
    let codes = image.detect_grids();
    let [code] = &codes[..] else { return None };
    Some(code.decode().ok()?.1)
}

/// The same of a code that is drawn on a terminal, which is dark: two rows of squares on each line.
pub(crate) fn read_terminal(drawn: &str) -> Option<String> {
    const SCALE: usize = 4;
    let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
    let width = lines.iter().map(Vec::len).max()?;
    // Beyond the last row there is nothing of the code.
    read(width * SCALE, lines.len() * 2 * SCALE, |x, y| {
        let (column, row) = (x / SCALE, y / SCALE);
        let is_light = match lines[row / 2].get(column) {
            Some('█') => true,
            Some('▀') => row % 2 == 0,
            Some('▄') => row % 2 == 1,
            _ => false,
        };
        if is_light { 255 } else { 0 }
    })
}
