//! HEVC. A skipped leading picture (RASL) of a point at which decoding began refers to what was never there:
//! decoders drop it unseen (ITU-T H.265, 8.1.3), as soon as they have read its slice header. It stands behind
//! any picture here, which no encoder does, but its header makes that neither better nor worse.
//!
//! libavcodec from 7.1 on drops them behind an IDR picture too, and behind a CRA picture that follows the end of
//! a sequence. Older ones only do so where they compare the picture order count with that of a CRA or BLA
//! picture, or have met an end of sequence since the last such point. That one would take the references away
//! from what follows. It only counts sequences, though, in eight bits: 256 in a row leave the references alone.
//!
//! Where pictures wait for their turn, an IDR picture that is not to be shown (pic_output_flag) brings one out
//! each. Of its slice there is not more than the header and the first bits.

use super::{DELAYED_MAX, unit};
use crate::bits::Written;
use crate::hevc::{BLA_FIRST, CRA, Coding, IDR_LAST, Planes, coding, sequence_of, slice};
use crate::parameter_sets::{Kind, ParameterSets};
use crate::stream::Codec;

/// Follows the pictures and gives what is skipped.
#[derive(Debug)]
pub(super) struct Skipped {
    sets: ParameterSets,
    /// For the sequence that the pictures belong to.
    units: Option<Units>,
    state: State,
    /// Whether there are leading pictures that are to be shown.
    leading: bool,
}

/// What has been done since the last keyframe so that skipped pictures are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// They would not be.
    Shown,
    /// The keyframe is an IDR picture.
    Closed,
    /// The keyframe is a CRA picture, which needs an end of sequence in front.
    Open,
    /// Everything.
    Dropped,
}

/// What a sequence parameter set makes of it.
#[derive(Debug)]
struct Units {
    /// Behind the first picture since a keyframe.
    behind_first: Vec<u8>,
    behind: Vec<u8>,
    end: Vec<u8>,
}

impl Skipped {
    pub(super) fn new() -> Self {
        Self {
            sets: ParameterSets::new(Codec::Hevc),
            units: None,
            state: State::Shown,
            leading: false,
        }
    }

    /// Takes note of a picture.
    pub(super) fn follow(&mut self, head: &[u8], random_access: bool, reorders: bool) {
        if !random_access {
            if self.state == State::Open {
                self.state = State::Closed;
            }
            return;
        }
        self.sets.update(head);
        let first = slice(head);
        self.units = first.and_then(|(_, pps)| {
            let pps = self.sets.set(Kind::Picture, pps)?;
            let sps = self.sets.set(Kind::Sequence, sequence_of(pps)?)?;
            Some(Units::new(&coding(sps)?))
        });
        let kind = first.map(|(kind, _)| kind);
        self.leading |= reorders && kind == Some(CRA);
        self.state = match kind {
            Some(BLA_FIRST..=IDR_LAST) if !self.leading => State::Closed,
            Some(CRA) if !reorders => State::Open,
            _ => State::Shown,
        };
    }

    /// What has to stand in front of the picture.
    pub(super) fn before(&self) -> &'static [u8] {
        match self.state {
            State::Open => &END_OF_SEQUENCE,
            _ => &[],
        }
    }

    /// What brings the picture out.
    pub(super) fn behind(&mut self) -> &[u8] {
        let Some(units) = self.units.as_ref().filter(|_| self.state != State::Shown) else {
            return &[];
        };
        match std::mem::replace(&mut self.state, State::Dropped) {
            State::Dropped => &units.behind,
            _ => &units.behind_first,
        }
    }

    /// What brings out all pictures, and something more to read.
    pub(super) fn end(&self) -> Vec<Vec<u8>> {
        let units = self.units.iter();
        units
            .flat_map(|units| [&units.end, &units.behind, &units.behind])
            .cloned()
            .collect()
    }
}

impl Units {
    fn new(coding: &Coding) -> Self {
        let skipped = skipped_slice(coding);
        let hidden = hidden_slice(coding);
        let parameters = picture_parameters(coding.id);
        // Without a delimiter at the end: see H.264.
        let mut rounds = [&skipped[..], &DELIMITER].concat().repeat(DELAYED_MAX);
        rounds.extend(&skipped);
        let reordered = coding.tools.reordered_max.min(REORDERED_MAX) as usize;
        let hidden = vec![hidden; reordered].join(&DELIMITER[..]);
        Self {
            behind_first: [
                &END_OF_SEQUENCE.repeat(SEQUENCE_NUMBERS)[..],
                &parameters,
                &rounds,
            ]
            .concat(),
            behind: [&DELIMITER, &rounds[..]].concat(),
            end: [
                &DELIMITER,
                &parameters[..],
                &hidden,
                &END_OF_SEQUENCE,
                &rounds,
            ]
            .concat(),
        }
    }
}

/// After so many ends of sequence, libavcodec is at the number at which it was.
const SEQUENCE_NUMBERS: usize = 256;

/// As many pictures as a decoder has room for (A.4.2).
const REORDERED_MAX: u32 = 16;

/// For pictures of any kind of slice.
const DELIMITER: [u8; 7] = [0, 0, 0, 1, 0x46, 0x01, 0x50];

const END_OF_SEQUENCE: [u8; 5] = [0, 0, 1, 0x48, 0x01];

const PICTURE_PARAMETERS: u32 = 63;

/// A picture parameter set (7.3.2.3) without any tool, whose slices say whether they are to be shown.
fn picture_parameters(sps: u32) -> Vec<u8> {
    let content = Written::default()
        .ue(&[PICTURE_PARAMETERS, sps])
        // No dependent slices, pic_output_flag, no more bits in slice headers, signs, CABAC.
        .fields(&[(1, 0), (1, 1), (3, 0), (1, 0), (1, 0)])
        // References, the quantiser.
        .ue(&[0, 0, 0])
        // Intra prediction, transforms, changes of the quantiser.
        .fields(&[(3, 0)])
        .ue(&[0, 0])
        // Offsets of chroma, weights, bypass, tiles, wavefronts.
        .fields(&[(6, 0)])
        // Filters across slices, deblocking, scaling, order of references.
        .fields(&[(4, 0)])
        .ue(&[0])
        // Extensions of slice headers and of this.
        .fields(&[(2, 0)])
        .nal();
    unit(&[0x44, 0x01], &content)
}

/// The slice header (7.3.6.1) of a RASL picture that refers to none.
fn skipped_slice(coding: &Coding) -> Vec<u8> {
    let tools = &coding.tools;
    let begun = begun(coding, Written::default().fields(&[(1, 1)]))
        .fields(&[(tools.log2_max_order_count, 0)])
        // A set of references of its own.
        .fields(&[(1, 0)])
        .fields(if tools.reference_sets { &[(1, 0)] } else { &[] })
        .ue(&[0, 0])
        .ue(match tools.long_term {
            Some(0) => &[0],
            Some(_) => &[0, 0],
            None => &[],
        })
        .fields(if tools.temporal_vectors {
            &[(1, 0)]
        } else {
            &[]
        });
    unit(&[0x10, 0x01], &ended(coding, begun))
}

/// The slice header of an IDR picture.
fn hidden_slice(coding: &Coding) -> Vec<u8> {
    // It lets those before it be shown.
    let begun = begun(coding, Written::default().fields(&[(1, 1), (1, 0)]));
    unit(&[0x28, 0x01], &ended(coding, begun))
}

/// The parameter set, an I slice that is not to be shown, and the first plane where they are separate.
fn begun(coding: &Coding, written: Written) -> Written {
    let is_separate = coding.planes == Planes::Separate;
    written
        .ue(&[PICTURE_PARAMETERS, 2])
        .fields(&[(1, 0)])
        .fields(if is_separate { &[(2, 0)] } else { &[] })
}

/// No filter and no change of the quantiser, and a byte of what a slice would hold.
fn ended(coding: &Coding, written: Written) -> Vec<u8> {
    let filters: &[_] = match (coding.tools.adaptive_offset, coding.planes) {
        (false, _) => &[],
        (true, Planes::Joint) => &[(2, 0)],
        (true, _) => &[(1, 0)],
    };
    let mut content = written.fields(filters).ue(&[0]).nal();
    content.push(0x80);
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::Bits;
    use crate::start_code::units;

    const IDR: u8 = 19;
    const TRAIL: u8 = 1;

    /// What an SPS may say of slice headers.
    #[derive(Clone, Copy)]
    struct Told {
        chroma: u32,
        reordered: u32,
        adaptive_offset: bool,
        reference_sets: bool,
        long_term: Option<u32>,
        temporal_vectors: bool,
    }

    const PLAIN: Told = Told {
        chroma: 1,
        reordered: 0,
        adaptive_offset: false,
        reference_sets: false,
        long_term: None,
        temporal_vectors: false,
    };

    const EVERYTHING: Told = Told {
        // With separate planes.
        chroma: 3,
        reordered: 2,
        adaptive_offset: true,
        reference_sets: true,
        long_term: Some(1),
        temporal_vectors: true,
    };

    /// The SPS with id 5 and order counts of 8 bits, the PPS with id 9.
    fn parameter_sets(told: Told) -> Vec<u8> {
        let sps = Written::default()
            .fields(&[(4, 0), (3, 0), (1, 1)])
            .fields(&[(32, 0x0160_0000), (32, 0x0090_0000), (32, 93)])
            .ue(&[5, told.chroma])
            .fields(if told.chroma == 3 { &[(1, 1)] } else { &[] })
            .ue(&[640, 352])
            .fields(&[(1, 0)])
            .ue(&[0, 0, 4])
            .fields(&[(1, 0)])
            .ue(&[4, told.reordered, 0, 0, 3, 0, 3, 0, 0])
            .fields(&[(1, 0), (1, 0), (1, told.adaptive_offset.into()), (1, 0)]);
        let sps = if told.reference_sets {
            sps.ue(&[1, 0, 0])
        } else {
            sps.ue(&[0])
        };
        let sps = match told.long_term {
            Some(pictures) => (0..pictures)
                .fold(sps.fields(&[(1, 1)]).ue(&[pictures]), |sps, _| {
                    sps.fields(&[(8, 1), (1, 0)])
                }),
            None => sps.fields(&[(1, 0)]),
        };
        let sps = sps.fields(&[(1, told.temporal_vectors.into()), (1, 0), (1, 0), (1, 0)]);
        let vps = unit(&[0x40, 1], &Written::default().fields(&[(4, 0)]).nal());
        let pps = unit(&[0x44, 1], &Written::default().ue(&[9, 5]).nal());
        [vps, unit(&[0x42, 1], &sps.nal()), pps].concat()
    }

    fn picture(told: Told, kind: u8) -> Vec<u8> {
        let no_output: &[_] = if kind >= BLA_FIRST { &[(1, 0)] } else { &[] };
        let slice = Written::default().fields(&[(1, 1)]).fields(no_output);
        let slice = unit(&[kind << 1, 1], &slice.ue(&[9, 2, 7]).nal());
        let sets = if kind >= BLA_FIRST {
            parameter_sets(told)
        } else {
            Vec::new()
        };
        [sets, slice].concat()
    }

    fn kinds(bytes: &[u8]) -> Vec<u8> {
        units(bytes).map(|unit| unit.rest()[0] >> 1).collect()
    }

    /// A picture before, that is skipped, with its delimiter.
    const ROUND: [u8; 2] = [8, 35];

    /// What stands in front of a picture and behind it.
    fn around(skipped: &mut Skipped, told: Told, kind: u8, reorders: bool) -> [Vec<u8>; 2] {
        skipped.follow(&picture(told, kind), kind >= BLA_FIRST, reorders);
        [kinds(skipped.before()), kinds(skipped.behind())]
    }

    const NOTHING: [Vec<u8>; 2] = [Vec::new(), Vec::new()];

    #[test]
    fn skipped_pictures_stand_behind_each_picture() {
        let mut skipped = Skipped::new();
        let [before, behind] = around(&mut skipped, PLAIN, IDR, false);
        assert!(before.is_empty());
        assert_eq!(behind[..256], [36; 256]);
        assert_eq!(behind[256..260], [34, 8, 35, 8]);
        let [before, behind] = around(&mut skipped, PLAIN, TRAIL, false);
        assert!(before.is_empty());
        assert_eq!(behind[0], 35);
        let rounds = behind[1..].chunks_exact(2);
        assert_eq!(rounds.remainder(), [8], "no delimiter at the end");
        assert_eq!(rounds.filter(|round| **round == ROUND).count(), DELAYED_MAX);
    }

    #[test]
    fn an_open_group_begins_a_sequence_where_nothing_comes_before_it() {
        let mut skipped = Skipped::new();
        let [before, behind] = around(&mut skipped, PLAIN, CRA, false);
        assert_eq!(before, [36]);
        assert_eq!(behind[..256], [36; 256]);
        let [before, behind] = around(&mut skipped, PLAIN, TRAIL, false);
        assert_eq!((before.len(), behind[0]), (0, 35));
    }

    #[test]
    fn who_begins_behind_the_keyframe_has_what_it_needs() {
        let mut skipped = Skipped::new();
        for keyframe in [IDR, CRA] {
            skipped.follow(&picture(PLAIN, keyframe), true, false);
            let [before, behind] = around(&mut skipped, PLAIN, TRAIL, false);
            assert_eq!((before.len(), &behind[..256]), (0, &[36; 256][..]));
        }
    }

    #[test]
    fn leading_pictures_are_not_dropped() {
        let mut skipped = Skipped::new();
        let [_, behind] = around(&mut skipped, EVERYTHING, IDR, true);
        assert!(!behind.is_empty());
        for kind in [CRA, TRAIL] {
            assert_eq!(around(&mut skipped, EVERYTHING, kind, true), NOTHING);
        }
        let again = around(&mut skipped, EVERYTHING, IDR, true);
        assert_eq!(again, NOTHING, "the next may be open again");
    }

    #[test]
    fn nothing_is_sent_where_the_sequence_is_not_known() {
        let mut skipped = Skipped::new();
        skipped.follow(&unit(&[IDR << 1, 1], &[0x80]), true, false);
        assert!(skipped.behind().is_empty());
        assert!(skipped.end().is_empty());
    }

    #[test]
    fn the_end_lets_as_many_pictures_out_as_may_wait() {
        let mut skipped = Skipped::new();
        skipped.follow(&picture(EVERYTHING, IDR), true, true);
        let end = kinds(&skipped.end()[0]);
        assert_eq!(end[..8], [35, 34, 20, 35, 20, 36, 8, 35]);
    }

    /// Both slice headers, with exactly the fields that the sequence asks for.
    #[test]
    fn slice_headers_have_what_the_sequence_asks_for() {
        for (told, skipped_bits, hidden_bits) in [
            // Order count, no sets of its own, and what every slice header has.
            (PLAIN, 8 + 1 + 2, 0),
            // The plane, a set, two counts of long-term pictures, vectors, the filter of one plane.
            (EVERYTHING, 2 + 8 + 1 + 1 + 2 + 2 + 1 + 1, 2 + 1),
        ] {
            let sets = parameter_sets(told);
            let sps = units(&sets).nth(1).and_then(|unit| unit.whole());
            let coding = coding(sps.expect("a PPS follows")).expect("it is whole");
            for (slice, flags, bits_between) in [
                (skipped_slice(&coding), 1, skipped_bits),
                (hidden_slice(&coding), 2, hidden_bits),
            ] {
                let mut bits = Bits::escaped(&slice[5..]);
                assert_eq!(bits.bits(flags), Some(if flags == 1 { 1 } else { 0b10 }));
                assert_eq!((bits.ue(), bits.ue()), (Some(63), Some(2)));
                assert_eq!(bits.flag(), Some(false), "it is not shown");
                let mut between = bits.clone();
                between.skip(bits_between).expect("they are there");
                assert_eq!(between.ue(), Some(0), "the quantiser");
                assert_eq!(between.flag(), Some(true), "where the header ends");
            }
        }
    }
}
