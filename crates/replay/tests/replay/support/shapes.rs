//! The shapes that a stream can have.

use lookback_mpegts::Ticks;

use super::synthetic::Options;

/// Each shape that a stream can have.
pub(crate) fn shapes() -> Vec<(&'static str, Options)> {
    let base = Options::default();
    vec![
        ("plain", base.clone()),
        (
            "no sound",
            Options {
                sound_tracks: 0,
                ..base.clone()
            },
        ),
        (
            "two tracks of sound",
            Options {
                sound_tracks: 2,
                ..base.clone()
            },
        ),
        (
            "closed groups with B pictures",
            Options {
                b_pictures: 2,
                gop: 4,
                ..base.clone()
            },
        ),
        (
            "open groups",
            Options {
                open: true,
                b_pictures: 2,
                gop: 4,
                ..base.clone()
            },
        ),
        (
            "open groups without B pictures",
            Options {
                open: true,
                ..base.clone()
            },
        ),
        (
            "parameter sets once",
            Options {
                parameters_once: true,
                ..base.clone()
            },
        ),
        (
            "open groups, sets once",
            Options {
                open: true,
                b_pictures: 2,
                gop: 4,
                parameters_once: true,
                ..base.clone()
            },
        ),
        (
            "sound ahead",
            Options {
                sound_delay: Ticks(-30_000),
                ..base.clone()
            },
        ),
        (
            "sound behind",
            Options {
                sound_delay: Ticks(30_000),
                ..base.clone()
            },
        ),
        (
            "long sound units",
            Options {
                sound_frames: 8,
                ..base.clone()
            },
        ),
        (
            "lengths told",
            Options {
                bounded: true,
                ..base.clone()
            },
        ),
        (
            "lengths told, sets once",
            Options {
                bounded: true,
                parameters_once: true,
                ..base.clone()
            },
        ),
        (
            "packets mixed",
            Options {
                interleaved: true,
                sound_frames: 8,
                ..base.clone()
            },
        ),
        (
            "packets mixed, lengths told",
            Options {
                interleaved: true,
                bounded: true,
                sound_tracks: 2,
                ..base.clone()
            },
        ),
        (
            "null packets and unknown PIDs",
            Options {
                fillers: true,
                ..base.clone()
            },
        ),
        (
            "several programs",
            Options {
                other_programs: 2,
                ..base.clone()
            },
        ),
        (
            "several programs, open groups",
            Options {
                other_programs: 1,
                open: true,
                b_pictures: 1,
                ..base.clone()
            },
        ),
        (
            "near the wrap",
            Options {
                start: Ticks((1 << 33) - 5 * 90_000),
                ..base.clone()
            },
        ),
        (
            "near the wrap, sets once",
            Options {
                start: Ticks((1 << 33) - 5 * 90_000),
                parameters_once: true,
                ..base.clone()
            },
        ),
        (
            "tiny pictures",
            Options {
                picture_len: 40,
                ..base.clone()
            },
        ),
        (
            "tiny pictures, sets once",
            Options {
                picture_len: 40,
                parameters_once: true,
                ..base.clone()
            },
        ),
        (
            "large pictures",
            Options {
                picture_len: 90_000,
                bounded: true,
                ..base
            },
        ),
    ]
}
