//! One timeline for the clips that are played one after another to the same reader.

use lookback_mpegts::Ticks;
use lookback_replay::Unit;

/// Moves the timestamps of each clip to where the one before it has ended. A step of one picture is
/// what media sources take without losing any.
#[derive(Debug)]
pub(super) struct Timeline {
    /// What is added to the timestamps of the current clip.
    shift: Option<Ticks>,
    /// Where what was sent ends.
    until: Ticks,
    last_picture: Option<Ticks>,
    picture_len: Ticks,
}

/// A picture of 30 a second, until pictures have come.
const PICTURE_LEN: Ticks = Ticks(3_000);

impl Default for Timeline {
    fn default() -> Self {
        Self {
            shift: None,
            until: Ticks::SECOND,
            last_picture: None,
            picture_len: PICTURE_LEN,
        }
    }
}

impl Timeline {
    /// What comes now is the start of another clip.
    pub(super) fn next_clip(&mut self) {
        self.shift = None;
        self.last_picture = None;
    }

    /// Puts a unit into its place.
    pub(super) fn place(&mut self, unit: &mut Unit) {
        let shift = *self.shift.get_or_insert(self.until - unit.dts);
        unit.pts += shift;
        unit.dts += shift;
        if unit.stream == 0 {
            let step = self.last_picture.map(|last| unit.dts - last);
            self.picture_len = step.filter(|step| step.0 > 0).unwrap_or(self.picture_len);
            self.last_picture = Some(unit.dts);
        }
        self.until = self.until.max(unit.pts + self.picture_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(stream: usize, pts: i64, dts: i64) -> Unit {
        Unit {
            stream,
            pts: Ticks(pts),
            dts: Ticks(dts),
            random_access: false,
            payload: Vec::new(),
        }
    }

    fn place(timeline: &mut Timeline, stream: usize, pts: i64, dts: i64) -> (i64, i64) {
        let mut unit = unit(stream, pts, dts);
        timeline.place(&mut unit);
        (unit.pts.0, unit.dts.0)
    }

    #[test]
    fn clips_follow_each_other_by_one_picture() {
        let mut timeline = Timeline::default();
        timeline.next_clip();
        assert_eq!(place(&mut timeline, 0, 500_000, 500_000), (90_000, 90_000));
        assert_eq!(place(&mut timeline, 0, 501_800, 501_800), (91_800, 91_800));
        timeline.next_clip();
        assert_eq!(place(&mut timeline, 0, 7, 7), (93_600, 93_600));
    }

    #[test]
    fn sound_and_reordered_pictures_keep_their_distance() {
        let mut timeline = Timeline::default();
        timeline.next_clip();
        assert_eq!(place(&mut timeline, 0, 6_000, 0), (96_000, 90_000));
        assert_eq!(place(&mut timeline, 1, 7_000, 7_000), (97_000, 97_000));
        timeline.next_clip();
        let (pts, dts) = place(&mut timeline, 0, 0, 0);
        assert!(dts >= 97_000 && pts >= dts);
    }
}
