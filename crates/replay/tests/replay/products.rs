//! What is made of clips: its bytes are in the budget, and give way when memory runs short.

use std::sync::Arc;

use lookback_replay::{Gone, NoRoom, Product, Recorder, Selection};
use proptest::prelude::*;

use crate::support::rig::MIB;
use crate::support::{Options, Rig, Synthetic, cases};

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

fn make(recorder: &Arc<Recorder>, bytes: &[u8]) -> Arc<Product> {
    let mut draft = recorder.draft();
    draft.write(bytes).expect("there is room");
    draft.finish()
}

fn read_all(product: &Product) -> Result<Vec<u8>, Gone> {
    let mut all = Vec::new();
    while (all.len() as u64) < product.len() {
        all.extend_from_slice(&product.read(all.len() as u64, 100_000)?);
    }
    Ok(all)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_written_in_any_pieces_is_read_from_any_place(
        pieces in prop::collection::vec(0usize..400_000, 0..6), from in 0u64..2_000_000, max in 1usize..600_000
    ) {
        let rig = Rig::new(16 * MIB);
        let whole = bytes(pieces.iter().sum());
        let mut draft = rig.recorder.draft();
        let mut at = 0;
        for piece in pieces {
            draft.write(&whole[at..at + piece]).expect("there is room");
            at += piece;
            prop_assert_eq!(draft.len(), at as u64);
        }
        let product = draft.finish();
        prop_assert_eq!(product.len(), whole.len() as u64);
        let part = product.read(from, max).expect("it is there");
        let rest = whole.get(from as usize..).unwrap_or_default();
        prop_assert!(part.len() <= max && rest.starts_with(&part));
        prop_assert_eq!(part.is_empty(), rest.is_empty());
        prop_assert!(read_all(&product).is_ok_and(|read| read == whole));
    }
}

#[test]
fn they_count_until_the_last_reader_lets_go() {
    let rig = Rig::new(8 * MIB);
    let product = make(&rig.recorder, &bytes(MIB));
    let held = rig.recorder.memory().held_bytes;
    assert!((MIB..MIB + 300_000).contains(&held), "{held}");
    let view = product.read(0, 10).expect("it is there");
    drop(product);
    let left = rig.recorder.memory().held_bytes;
    assert!(left > 0 && left < 300_000, "the slab that is read: {left}");
    drop(view);
    assert_eq!(rig.recorder.memory().held_bytes, 0);
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let rig = Rig::new(8 * MIB);
    let mut draft = rig.recorder.draft();
    draft.write(&bytes(3 * MIB)).expect("there is room");
    drop(draft);
    assert_eq!(rig.recorder.memory().held_bytes, 0);
    // What it had held is free for the next.
    make(&rig.recorder, &bytes(5 * MIB));
}

/// The windows keep a quarter, whatever is made.
#[test]
fn they_push_the_window_back_but_not_out() {
    let mut rig = Rig::new(8 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options::default());
    rig.record(&mut writer, &mut stream, 4000);
    let before = rig.channel.status(rig.now).window.expect("recorded").bytes;
    assert!(before > 6 * MIB as u64, "{before}");
    let mut draft = rig.recorder.draft();
    let refused = (0..100).find_map(|_| draft.write(&bytes(MIB / 4)).err());
    assert_eq!(refused, Some(NoRoom));
    assert!(draft.len() > 5 * MIB as u64, "{}", draft.len());
    let window = rig.channel.status(rig.now).window.expect("still there");
    assert!(window.bytes > MIB as u64, "{window:?}");
    let memory = rig.recorder.memory();
    assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
    rig.record(&mut writer, &mut stream, 1000);
    let memory = rig.recorder.memory();
    assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
}

#[test]
fn the_one_used_longest_ago_gives_way() {
    let rig = Rig::new(8 * MIB);
    let [old, used] = [0, 1].map(|_| make(&rig.recorder, &bytes(5 * MIB / 2)));
    old.read(0, 1).expect("it is there");
    used.read(0, 1).expect("it is there");
    let new = make(&rig.recorder, &bytes(3 * MIB));
    assert!(old.is_gone() && !used.is_gone());
    assert_eq!(old.read(0, 1), Err(Gone));
    assert!(read_all(&new).is_ok_and(|read| read == bytes(3 * MIB)));
}

/// Recording goes on where products and clips hold all they may: the older of them goes first.
#[test]
fn clips_and_products_share_what_may_be_held() {
    let mut rig = Rig::new(8 * MIB);
    let mut writer = rig.connect();
    let mut stream = Synthetic::new(Options::default());
    rig.record(&mut writer, &mut stream, 2000);
    let product = make(&rig.recorder, &bytes(2 * MIB));
    let clip = rig.channel.clip(Selection::All, rig.now).expect("recorded");
    while !product.is_gone() {
        assert!(clip.read(0, 1).is_ok(), "the product is older");
        rig.record(&mut writer, &mut stream, 100);
        let memory = rig.recorder.memory();
        assert!(memory.used_bytes <= memory.limit_bytes, "{memory:?}");
    }
}
