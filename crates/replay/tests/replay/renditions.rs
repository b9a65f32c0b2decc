//! Clips cut out of clips, and several made one.

use std::ops::Range;
use std::sync::Arc;

use lookback_mpegts::{PTS_WRAP, Ticks};
use lookback_replay::{Clip, Rendition, RenditionError, Selection};
use proptest::prelude::*;

use crate::support::rig::MIB;
use crate::support::{
    Checked, FRAME, Gaps, Options, Rig, Sent, Synthetic, VIDEO_PID, cases, check, read_all,
    seconds, shapes,
};

/// Pictures by stream and number, with their places on the timeline of a clip.
fn pictures(checked: &Checked) -> Vec<(Ticks, (u8, usize))> {
    let both = checked.found.iter().zip(&checked.sent);
    both.filter(|(found, _)| found.pid == VIDEO_PID)
        .map(|(found, sent)| (Ticks(found.pts as i64), (sent.id, sent.number)))
        .collect()
}

/// Those that are shown in a span, in the order in which they are shown.
fn shown(checked: &Checked, span: &Range<Ticks>) -> Vec<(u8, usize)> {
    let mut shown = pictures(checked);
    // How far behind the start, also where timestamps have begun anew.
    for (pts, _) in &mut shown {
        *pts = Ticks((pts.0 - span.start.0).rem_euclid(PTS_WRAP as i64));
    }
    shown.retain(|(behind, _)| *behind < span.end - span.start);
    shown.sort_unstable();
    shown.into_iter().map(|(_, picture)| picture).collect()
}

/// Makes one clip of the pieces, and holds it to showing exactly what they do.
#[track_caller]
fn assert_exact(pieces: &[(Arc<Clip>, Range<Ticks>)], sent: &Sent, gaps: Gaps) -> Rendition {
    let rendition = Rendition::new(pieces).expect("one stream");
    let checked = check(&read_all(&rendition.clip), sent, gaps);
    assert_eq!(rendition.shown.len(), pieces.len());
    for ((clip, span), at) in pieces.iter().zip(&rendition.shown) {
        let whole = check(&read_all(clip), sent, gaps);
        assert_eq!(
            shown(&checked, at),
            shown(&whole, span),
            "{span:?} of {:?}, at {at:?}",
            clip.timeline()
        );
        assert_eq!(at.end - at.start, span.end - span.start);
    }
    let timeline = rendition.clip.timeline();
    let first = &rendition.shown[0];
    assert!(timeline.start <= first.start && first.start < timeline.end);
    assert!(rendition.shown.iter().all(|at| at.end <= timeline.end));
    rendition
}

#[test]
fn a_cut_of_any_stream_is_clean_and_exact() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        rig.record(&mut writer, &mut Synthetic::new(options.clone()), 200);
        let clip = rig.clip(Selection::All);
        let timeline = clip.timeline();
        for (from, to) in [
            (0, 60),
            (61, 62),
            (47, 140),
            (60, 200),
            (139, 171),
            (0, 200),
        ] {
            eprintln!("  {from} to {to}");
            let place = |picture: i64| {
                (timeline.start + Ticks(picture * options.frame.0)).min(timeline.end)
            };
            let span = place(from)..place(to);
            let cut = assert_exact(&[(Arc::clone(&clip), span)], &rig.sent, Gaps::None);
            if (from, to) == (0, 200) {
                assert!(Arc::ptr_eq(&cut.clip, &clip), "nothing was cut off");
            } else {
                assert!(cut.clip.len() < clip.len());
            }
        }
    }
}

#[test]
fn a_cut_starts_on_the_key_before_its_first_picture() {
    let mut rig = Rig::new(16 * MIB);
    rig.run(Options::default(), 100);
    let clip = rig.clip(Selection::All);
    let at = |picture: i64| clip.timeline().start + Ticks(picture * FRAME.0);
    for (from, to, first, last) in [
        (25, 50, 20, 49),
        (20, 21, 20, 20),
        (29, 31, 20, 30),
        (30, 95, 30, 94),
    ] {
        let cut = Rendition::new(&[(Arc::clone(&clip), at(from)..at(to))]).expect("one stream");
        let checked = check(&read_all(&cut.clip), &rig.sent, Gaps::None);
        assert_eq!(checked.pictures(), (first..=last).collect::<Vec<_>>());
        assert_eq!(cut.clip.wall(cut.shown[0].start), clip.wall(at(from)));
    }
}

#[test]
fn a_cut_takes_what_it_needs_when_the_log_has_moved_on() {
    let mut rig = Rig::new(6 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        b_pictures: 2,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 300);
    let clip = rig.clip(Selection::Last(seconds(8.0)));
    rig.record(&mut writer, &mut stream, 4000);
    let middle = clip.timeline().start + Ticks(3 * 90_000);
    let span = middle..middle + Ticks(2 * 90_000);
    let cut = assert_exact(&[(Arc::clone(&clip), span)], &rig.sent, Gaps::None);
    let held = rig.recorder.memory().held_bytes;
    drop(clip);
    rig.record(&mut writer, &mut stream, 500);
    let less = rig.recorder.memory().held_bytes;
    assert!(
        less < held,
        "the rest of the clip is let go: {less} of {held}"
    );
    check(&read_all(&cut.clip), &rig.sent, Gaps::None);
    // In front lies part of a slab, behind it the rest of one and what its last sound is filed with.
    assert!(
        less as u64 <= cut.clip.len() + 3 * 256 * 1024,
        "{less} bytes for {}",
        cut.clip.len()
    );
}

#[test]
fn a_cut_of_a_clip_that_was_let_go_is_none() {
    let mut rig = Rig::new(3 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options {
        picture_len: 8000,
        ..Options::default()
    });
    rig.record(&mut writer, &mut stream, 500);
    let clip = rig.clip(Selection::All);
    rig.record(&mut writer, &mut stream, 3000);
    assert!(
        clip.read(0, 1).is_err(),
        "it holds more than there is room for"
    );
    let start = clip.timeline().start;
    let cut = Rendition::new(&[(clip, start..start + Ticks(90_000))]);
    assert!(matches!(cut, Err(RenditionError::Gone(_))));
}

#[test]
fn cuts_across_runs_are_clean_and_exact() {
    let mut rig = Rig::new(32 * MIB);
    for id in 0..3 {
        rig.run(
            Options {
                id,
                b_pictures: 1,
                ..Options::default()
            },
            70,
        );
        rig.now = rig.now + seconds(3.0);
    }
    let clip = rig.clip(Selection::All);
    assert_eq!(clip.runs(), 3);
    let at = |picture: i64| clip.timeline().start + Ticks(picture * FRAME.0);
    for (from, to) in [(15, 95), (15, 180), (75, 100), (65, 72), (80, 200)] {
        let span = at(from)..at(to);
        assert_exact(&[(Arc::clone(&clip), span)], &rig.sent, Gaps::None);
    }
}

#[test]
fn pieces_in_any_order_are_one_stream() {
    for (name, options) in shapes() {
        eprintln!("{name}");
        let mut rig = Rig::new(32 * MIB);
        let mut writer = rig.connect();
        let mut stream = Synthetic::new(options.clone());
        rig.record(&mut writer, &mut stream, 150);
        let early = rig.clip(Selection::All);
        rig.record(&mut writer, &mut stream, 150);
        let late = rig.clip(Selection::Last(seconds(5.0)));
        let piece = |clip: &Arc<Clip>, from: i64, to: i64| {
            let start = clip.timeline().start;
            let span = start + Ticks(from * options.frame.0)..start + Ticks(to * options.frame.0);
            (Arc::clone(clip), span)
        };
        let pieces = [
            piece(&late, 33, 70),
            piece(&early, 12, 44),
            piece(&early, 12, 44),
            piece(&early, 30, 100),
            piece(&late, 5, 31),
        ];
        let whole = assert_exact(&pieces, &rig.sent, Gaps::Allowed);
        assert_eq!(whole.clip.runs(), 5);
        let rows: Vec<_> = whole.shown.windows(2).collect();
        assert!(
            rows.iter().all(|row| row[0].end <= row[1].start),
            "{rows:?}"
        );
    }
}

#[test]
fn what_is_not_one_stream_is_none() {
    let mut rig = Rig::new(32 * MIB);
    rig.run(Options::default(), 60);
    let narrow = rig.clip(Selection::All);
    rig.run(
        Options {
            id: 1,
            width: 640,
            ..Options::default()
        },
        60,
    );
    let wide = rig.clip(Selection::All);
    let other = rig.recorder.add_channel("other");
    let mut writer = other.connect("test", rig.now).expect("free");
    for part in Synthetic::new(Options::default()).parts(60) {
        writer.write(&part.bytes, rig.now);
    }
    let foreign = other.clip(Selection::All, rig.now).expect("recorded");
    let whole = |clip: &Arc<Clip>| (Arc::clone(clip), clip.timeline());
    let error = |pieces: &[_]| Rendition::new(pieces).err();
    assert_eq!(
        error(&[whole(&narrow), whole(&wide)]),
        Some(RenditionError::FormatsDiffer)
    );
    assert_eq!(
        error(&[whole(&narrow), whole(&foreign)]),
        Some(RenditionError::SeveralChannels)
    );
}

#[test]
fn places_and_moments_are_two_names_of_the_same() {
    let mut rig = Rig::new(32 * MIB);
    for id in 0..2 {
        rig.run(
            Options {
                id,
                ..Options::default()
            },
            100,
        );
        rig.now = rig.now + seconds(3.0);
    }
    let clip = rig.clip(Selection::All);
    let timeline = clip.timeline();
    assert_eq!(clip.position(clip.start()), timeline.start);
    assert_eq!(clip.position(clip.start() - seconds(9.0)), timeline.start);
    assert_eq!(clip.position(clip.end() + seconds(9.0)), timeline.end);
    for picture in 0..200 {
        let at = timeline.start + Ticks(picture * FRAME.0);
        assert_eq!(clip.position(clip.wall(at)), at, "picture {picture}");
    }
    // In the gap between the runs nothing was recorded: the nearest is where the second begins.
    let gap = clip.wall(timeline.start + Ticks(100 * FRAME.0)) - seconds(1.0);
    assert_eq!(clip.position(gap), timeline.start + Ticks(100 * FRAME.0));
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn any_pieces_of_any_stream_are_clean_and_exact(
        shape in 0..shapes().len(),
        spans in prop::collection::vec((0_i64..150, 1_i64..60), 1..5),
    ) {
        let (_, options) = shapes().swap_remove(shape);
        let mut rig = Rig::new(16 * MIB);
        let mut writer = rig.connect();
        rig.record(&mut writer, &mut Synthetic::new(options.clone()), 150);
        let clip = rig.clip(Selection::All);
        let timeline = clip.timeline();
        let place = |picture: i64| timeline.start + Ticks(picture * options.frame.0);
        let pieces: Vec<_> = spans
            .iter()
            .map(|&(from, length)| {
                let start = place(from).min(timeline.end - options.frame);
                (Arc::clone(&clip), start..place(from + length).min(timeline.end))
            })
            .collect();
        let gaps = if pieces.len() == 1 { Gaps::None } else { Gaps::Allowed };
        assert_exact(&pieces, &rig.sent, gaps);
    }
}
