//! Units between start codes: H.264 and HEVC byte streams (Annex B of both) and MPEG-2 video
//! (13818-2 5.2.3) share the prefix 00 00 01.
//!
//! A NAL unit never ends with a zero byte, so zeros before a prefix are stuffing. In MPEG-2 they may
//! be the last bytes of a header.

/// Walks the units of `data` from start code to start code; what lies before the first is skipped.
pub(crate) fn units(data: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = prefix(data, from)? + PREFIX_LENGTH;
        from = at;
        Some(Unit { data, at })
    })
}

/// One unit, whose end is only looked for when it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit<'a> {
    data: &'a [u8],
    /// Where its first byte lies, behind the prefix.
    at: usize,
}

impl<'a> Unit<'a> {
    /// Where its prefix lies.
    pub(crate) fn prefix(&self) -> usize {
        self.at - PREFIX_LENGTH
    }

    /// Where its start code begins, stuffing in front included.
    pub(crate) fn start(&self) -> usize {
        without_zeros(self.data, 0, self.prefix())
    }

    /// Everything from its first byte on, whatever follows it included.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.data[self.at..]
    }

    /// The NAL unit, when the next start code shows that it is whole.
    pub(crate) fn whole(&self) -> Option<&'a [u8]> {
        Some(&self.data[self.at..self.end()?])
    }

    /// Where the NAL unit ends, when the next start code shows that it is whole.
    pub(crate) fn end(&self) -> Option<usize> {
        let next = prefix(self.data, self.at)?;
        Some(without_zeros(self.data, self.at, next))
    }
}

const PREFIX_LENGTH: usize = 3;

fn prefix(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    // The last of the three bytes decides how far the search can step.
    while let Some(&last) = data.get(at + 2) {
        match last {
            0 => at += 1,
            1 if data[at] == 0 && data[at + 1] == 0 => return Some(at),
            _ => at += 3,
        }
    }
    None
}

/// The end of `data[from..to]` without its trailing zero bytes.
fn without_zeros(data: &[u8], from: usize, to: usize) -> usize {
    data[from..to]
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(from, |last| from + last + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_end_before_the_zeros_of_the_next_start_code() {
        let data = [9, 0, 0, 0, 1, 0x67, 5, 0, 0, 0, 1, 0x68, 0, 0, 1, 0x65, 0];
        let units: Vec<_> = units(&data).collect();
        let starts: Vec<_> = units.iter().map(Unit::start).collect();
        let whole: Vec<_> = units.iter().map(Unit::whole).collect();
        assert_eq!(starts, [1, 7, 12]);
        assert_eq!(whole, [Some(&[0x67, 5][..]), Some(&[0x68]), None]);
        assert_eq!(units[2].rest(), [0x65, 0]);
    }

    proptest! {
        #[test]
        fn finds_every_prefix(data in prop::collection::vec(0u8..3, 0..64)) {
            let found: Vec<_> = units(&data).map(|unit| unit.at).collect();
            let expected: Vec<_> = data
                .windows(3)
                .enumerate()
                .filter(|(_, window)| *window == [0, 0, 1])
                .map(|(at, _)| at + 3)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
