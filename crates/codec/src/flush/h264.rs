//! H.264. A redundant slice (ITU-T H.264, 7.4.3) passes for a picture until the decoder drops it; on the end
//! of sequence behind it, the decoder gives out one delayed picture. Both refer to parameter sets of their own,
//! so that nothing need be known of the stream.
//!
//! The end of sequence gives out what waits for its turn as well, but leaves the decoder with a notion of what
//! was shown last, by which it would drop the pictures up to the next keyframe and most of those behind it.
//! Where pictures wait for their turn, others are sent that come after them: copies of the one that is shown
//! last. They consist of skipped macroblocks (7.3.4), so that it does not matter which of them are seen.

use super::{DELAYED_MAX, unit};
use crate::bits::Written;
use crate::h264::{Coding, Slice, slice};
use crate::parameter_sets::ParameterSets;
use crate::stream::Codec;

/// To be put behind a picture where none waits for its turn.
///
/// One round more than is needed, without its delimiter. For libavformat the next picture begins with the
/// first byte behind a round: where that is one of these, it misses the timestamp, which comes later.
pub(super) const ROUNDS: [u8; LEN] = {
    let mut bytes = [0; LEN];
    let mut at = 0;
    while at < LEN {
        bytes[at] = if at < DELIMITER.len() {
            DELIMITER[at]
        } else if at < HEAD_LEN {
            PARAMETERS[at - DELIMITER.len()]
        } else {
            ROUND[(at - HEAD_LEN) % ROUND.len()]
        };
        at += 1;
    }
    bytes
};

const DELIMITER: [u8; 6] = [0, 0, 0, 1, 0x09, 0xf0];

/// A sequence parameter set with id 31, a picture parameter set with id 255 that has redundant pictures.
const PARAMETERS: [u8; 21] = [
    0, 0, 1, 0x67, 0x42, 0xc0, 0x0a, 0x04, 0x16, 0x9e, 0x40, //
    0, 0, 1, 0x68, 0x00, 0x80, 0x02, 0x03, 0x8e, 0x60,
];

/// A redundant slice, an end of sequence, a delimiter.
const ROUND: [u8; 19] = [
    0, 0, 1, 0x01, 0x88, 0x00, 0x80, 0x02, 0xc0, //
    0, 0, 1, 0x0a, //
    0, 0, 0, 1, 0x09, 0xf0,
];

const HEAD_LEN: usize = DELIMITER.len() + PARAMETERS.len();
const LEN: usize = HEAD_LEN + (DELAYED_MAX + 1) * ROUND.len() - DELIMITER.len();

/// As many copies as push out what the threads keep, and four pictures that wait for their turn. Of the others, one
/// stays with the parser, which waits for what follows; the rest is for OBS to read (see `STEPS`).
const COPIES: usize = DELAYED_MAX + 4 + 81;

/// Follows the pictures, so that the one that is shown last can be repeated.
#[derive(Debug)]
pub(super) struct Repeat {
    sets: ParameterSets,
    state: Option<State>,
}

/// Where the stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    sps: u32,
    coding: Coding,
    /// Of the last picture that others may refer to.
    frame_num: u32,
    /// The picture order count of that one.
    order: i64,
    shown: Shown,
}

/// The picture that is shown last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    order: i64,
    /// By which it can be referred to.
    frame_num: Option<u32>,
}

impl Repeat {
    pub(super) fn new() -> Self {
        Self {
            sets: ParameterSets::new(Codec::H264),
            state: None,
        }
    }

    /// Takes note of a picture.
    pub(super) fn follow(&mut self, head: &[u8], random_access: bool) {
        self.sets.update(head);
        self.state = slice(head, &self.sets).and_then(|slice| {
            let before = self.state.take().filter(|_| !slice.is_idr);
            // Behind a gap in what is known, only an IDR picture says where the stream is.
            (before.is_some() || slice.is_idr).then(|| State::behind(before, &slice, random_access))
        });
    }

    /// Copies of the picture that is shown last.
    pub(super) fn units(&mut self) -> Vec<Vec<u8>> {
        let Some(state) = &mut self.state else {
            return Vec::new();
        };
        let parameters = picture_parameters(state.sps);
        let mut copies = Vec::new();
        for _ in 0..COPIES {
            let Some(copy) = state.copy() else { break };
            let parameters: &[u8] = if copies.is_empty() { &parameters } else { &[] };
            copies.push([&DELIMITER, parameters, &copy].concat());
        }
        copies
    }
}

impl State {
    /// Where the stream is behind a picture.
    fn behind(before: Option<Self>, slice: &Slice, random_access: bool) -> Self {
        let last = before.as_ref().map_or(0, |before| before.order);
        let order = order(last, slice.order_count, slice.coding.log2_max_order_count);
        let (frame_num, reference_order) = match &before {
            Some(before) if !slice.is_reference => (before.frame_num, before.order),
            _ => (slice.frame_num, order),
        };
        let shown = before
            .map(|before| before.shown)
            .filter(|shown| shown.order > order && !random_access)
            .unwrap_or(Shown {
                order,
                frame_num: slice.is_reference.then_some(slice.frame_num),
            });
        Self {
            sps: slice.sps,
            coding: slice.coding,
            frame_num,
            order: reference_order,
            shown,
        }
    }

    /// A P slice of skipped macroblocks that refers to the picture that is shown last, and is itself that from
    /// then on. `None` if that picture cannot be referred to.
    fn copy(&mut self) -> Option<Vec<u8>> {
        let copied = self.shown.frame_num?;
        let frame_nums = 1 << self.coding.log2_max_frame_num;
        let order_counts = 1 << self.coding.log2_max_order_count;
        self.frame_num = (self.frame_num + 1) % frame_nums;
        self.order = self.order.max(self.shown.order) + 1;
        self.shown = Shown {
            order: self.order,
            frame_num: Some(self.frame_num),
        };
        // Never 0, or it would be the picture itself.
        let distance = (frame_nums + self.frame_num - copied - 1) % frame_nums;
        let order = self.order.rem_euclid(order_counts);
        let content = Written::default()
            // The first macroblock, P, the parameter set.
            .ue(&[0, 5, PICTURE_PARAMETERS])
            .fields(&[(self.coding.log2_max_frame_num, self.frame_num)])
            .fields(&[(
                self.coding.log2_max_order_count,
                u32::try_from(order).expect("it has at most 16 bits"),
            )])
            // As many references as the parameter set says, the first of them so much back, no more changes.
            .fields(&[(1, 0), (1, 1)])
            .ue(&[0, distance, 3])
            // References leave in the order in which they came.
            .fields(&[(1, 0)])
            // No change of the quantiser, no deblocking, nothing but skipped macroblocks.
            .ue(&[0, 1, self.coding.macroblocks])
            .nal();
        Some(unit(&[0x21], &content))
    }
}

/// The picture order count from its low bits and that of the last reference (8.2.1.1).
fn order(last: i64, low: u32, log2_max: u32) -> i64 {
    let max = 1 << log2_max;
    let last_low = last.rem_euclid(max);
    let high = last - last_low;
    let low = i64::from(low);
    if low < last_low && last_low - low >= max / 2 {
        high + max + low
    } else if low > last_low && low - last_low > max / 2 {
        high - max + low
    } else {
        high + low
    }
}

const PICTURE_PARAMETERS: u32 = 255;

/// A picture parameter set (7.3.2.2) without any tool, in which slices control the deblocking.
fn picture_parameters(sps: u32) -> Vec<u8> {
    let content = Written::default()
        .ue(&[PICTURE_PARAMETERS, sps])
        .fields(&[(1, 0), (1, 0)])
        .ue(&[0, 0, 0])
        .fields(&[(1, 0), (2, 0)])
        .ue(&[0, 0, 0])
        .fields(&[(1, 1), (1, 0), (1, 0)])
        .nal();
    unit(&[0x68], &content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bits::Bits;
    use crate::start_code::units;

    /// Four bits of frame number and of picture order count, 20 by 11 macroblocks.
    fn parameter_sets() -> Vec<u8> {
        let sps = Written::default()
            .fields(&[(8, 77), (8, 0), (8, 30)])
            .ue(&[3, 0, 0, 0, 4])
            .fields(&[(1, 0)])
            .ue(&[19, 10])
            .fields(&[(1, 1), (1, 1), (1, 0), (1, 0)]);
        let pps = Written::default().ue(&[7, 3]).fields(&[(1, 1), (1, 0)]);
        [unit(&[0x67], &sps.nal()), unit(&[0x68], &pps.nal())].concat()
    }

    fn slice_of(header: u8, frame_num: u32, order_count: u32) -> Vec<u8> {
        let begun = Written::default()
            .ue(&[0, 5, 7])
            .fields(&[(4, frame_num)])
            .ue(if header & 0x1f == 5 { &[1] } else { &[] });
        unit(&[header], &begun.fields(&[(4, order_count)]).nal())
    }

    const IDR: u8 = 0x65;
    const P: u8 = 0x41;
    const B: u8 = 0x01;

    fn followed(pictures: &[(u8, u32, u32)]) -> Repeat {
        let mut repeat = Repeat::new();
        for &(kind, frame_num, order_count) in pictures {
            let parameters = if kind == IDR {
                parameter_sets()
            } else {
                Vec::new()
            };
            let picture = [parameters, slice_of(kind, frame_num, order_count)].concat();
            repeat.follow(&picture, kind == IDR);
        }
        repeat
    }

    /// The fields of a copy: frame_num, order count, how far back the copied picture is.
    fn read(copy: &[u8]) -> (u32, u32, u32) {
        let slice = units(copy).last().expect("there is one");
        let (&header, content) = slice.rest().split_first().expect("it is not empty");
        assert_eq!(header, 0x21);
        let mut bits = Bits::escaped(content);
        let mut codes = |count| (0..count).map(|_| bits.ue()).collect::<Option<Vec<_>>>();
        assert_eq!(codes(3), Some(vec![0, 5, 255]));
        let told = (bits.bits(4), bits.bits(4));
        assert_eq!(bits.bits(2), Some(0b01));
        let (back, distance, end) = (bits.ue(), bits.ue(), bits.ue());
        assert_eq!((back, end), (Some(0), Some(3)));
        assert_eq!(bits.flag(), Some(false));
        let rest: Vec<_> = (0..3).map(|_| bits.ue()).collect();
        assert_eq!(rest, [Some(0), Some(1), Some(220)], "all macroblocks");
        assert_eq!(bits.flag(), Some(true), "the stop bit");
        (
            told.0.expect("read"),
            told.1.expect("read"),
            distance.expect("read") + 1,
        )
    }

    #[test]
    fn what_follows_a_picture_is_whole_units_and_no_picture() {
        let kinds: Vec<u8> = units(&ROUNDS).map(|unit| unit.rest()[0] & 0x1f).collect();
        assert_eq!(kinds[..3], [9, 7, 8]);
        let rounds = kinds[3..].chunks_exact(3);
        assert_eq!(rounds.remainder(), [1, 10], "no delimiter at the end");
        assert_eq!(
            rounds.filter(|round| *round == [1, 10, 9]).count(),
            DELAYED_MAX
        );
    }

    #[test]
    fn the_picture_that_is_shown_last_is_repeated() {
        // Shown as I B b P; the B is referred to as well.
        let mut repeat = followed(&[(IDR, 0, 0), (P, 1, 6), (P, 2, 2), (B, 3, 4)]);
        let copies = repeat.units();
        assert_eq!(copies.len(), COPIES);
        let kinds =
            |copy: &[u8]| -> Vec<u8> { units(copy).map(|unit| unit.rest()[0] & 0x1f).collect() };
        assert_eq!(kinds(&copies[0]), [9, 8, 1]);
        assert_eq!(kinds(&copies[1]), [9, 1]);
        let told: Vec<_> = copies.iter().map(|copy| read(copy)).collect();
        // The P has frame_num 1, the first copy 3; each other repeats the one before.
        assert_eq!(told[..3], [(3, 7, 2), (4, 8, 1), (5, 9, 1)]);
        assert_eq!(told[13], (0, 4, 1), "all of it wraps");
        assert_eq!(
            read(&repeat.units()[0]).0,
            (3 + COPIES as u32) % 16,
            "it goes on"
        );
    }

    #[test]
    fn nothing_is_repeated_that_cannot_be_referred_to() {
        assert!(followed(&[(IDR, 0, 0), (B, 1, 2)]).units().is_empty());
        assert!(followed(&[(P, 1, 2)]).units().is_empty(), "no start");
        let mut lost = followed(&[(IDR, 0, 0)]);
        lost.follow(&[0, 0, 1, P], false);
        lost.follow(&slice_of(P, 2, 4), false);
        assert!(lost.units().is_empty(), "a picture was not understood");
    }

    proptest! {
        #[test]
        fn orders_are_those_that_were_cut(
            last in -1000i64..1000, ahead in -7i64..8, log2 in 4u32..17,
        ) {
            let told = (last + ahead).rem_euclid(1 << log2);
            prop_assert_eq!(order(last, told as u32, log2), last + ahead);
        }

        #[test]
        fn any_bytes_are_followed(heads in prop::collection::vec(
            prop::collection::vec(0u8..8, 0..40), 0..8,
        )) {
            let mut repeat = followed(&[(IDR, 0, 0)]);
            for head in heads {
                repeat.follow(&[&[0, 0, 1, P], &head[..]].concat(), false);
                repeat.units();
            }
        }
    }
}
