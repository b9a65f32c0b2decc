//! The times and sizes of a track's samples, as they are gathered: runs of what is the same.

/// Counted values, those that follow each other and are equal as one.
#[derive(Clone, Debug)]
pub(crate) struct Runs<T>(Vec<(u32, T)>);

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + PartialEq> Runs<T> {
    pub(crate) fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some((count, last)) if *last == value => *count += 1,
            _ => self.0.push((1, value)),
        }
    }

    fn pop(&mut self) -> Option<T> {
        let (count, last) = self.0.last_mut()?;
        let value = *last;
        *count -= 1;
        if *count == 0 {
            self.0.pop();
        }
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u32, T)> {
        self.0.iter().copied()
    }

    /// Each value for itself.
    pub(crate) fn values(&self) -> impl Iterator<Item = T> {
        self.iter()
            .flat_map(|(count, value)| std::iter::repeat_n(value, count as usize))
    }
}

/// Samples that lie behind each other in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Chunk {
    /// Position in the content.
    pub(crate) at: u64,
    pub(crate) samples: u32,
}

/// See the module's documentation. Times are in the track's own scale, on the clip's timeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timing {
    pub(crate) sizes: Vec<u32>,
    pub(crate) durations: Runs<u32>,
    /// How much later than it is decoded each is shown.
    pub(crate) offsets: Runs<i32>,
    /// Numbers, from 1 on, of those at which decoding can start.
    pub(crate) keys: Vec<u32>,
    pub(crate) chunks: Vec<Chunk>,
    /// When the first is decoded.
    pub(crate) first: i64,
    /// When the last ends; for a picture whose end is not known yet, when it begins.
    pub(crate) end: i64,
    /// When the last of the pictures ends that is shown last.
    pub(crate) shown_until: i64,
}

/// Bytes after which a chunk ends in any case, so that few sizes must be added up to find a sample.
const CHUNK_LEN: u64 = 1 << 20;

impl Timing {
    pub(crate) fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// When the first is shown.
    pub(crate) fn first_shown(&self) -> i64 {
        let offset = self.offsets.iter().next().map_or(0, |(_, offset)| offset);
        self.first + i64::from(offset)
    }

    /// Adds a frame of sound that begins where the one before ends.
    pub(crate) fn push_frame(&mut self, size: u32, duration: u32) {
        self.sizes.push(size);
        self.durations.push(duration);
        self.end += i64::from(duration);
        self.shown_until = self.end;
    }

    /// Where the first frame of sound begins that does not begin before `time`; both count from the first frame on.
    pub(crate) fn frame_from(&self, time: i64) -> i64 {
        let mut begin = 0;
        for (count, duration) in self.durations.iter() {
            let duration = i64::from(duration);
            let before = (time - begin).max(0).unsigned_abs();
            let before = before.div_ceil(duration.unsigned_abs().max(1));
            if before < u64::from(count) {
                return begin + before as i64 * duration;
            }
            begin += i64::from(count) * duration;
        }
        begin
    }

    /// Lets the last frame last until `time`.
    pub(crate) fn stretch_until(&mut self, time: i64) {
        if let Some(last) = self.durations.pop() {
            let more = u32::try_from(time - self.end).unwrap_or(0);
            self.durations.push(last.saturating_add(more));
            self.end = time;
        }
    }

    /// Adds a picture. Decoding times rise, whatever is handed in.
    pub(crate) fn push_picture(&mut self, size: u32, is_key: bool, decoded: i64, shown: i64) {
        let decoded = if self.is_empty() {
            self.first = decoded;
            decoded
        } else {
            let decoded = decoded.max(self.end + 1);
            self.durations
                .push(u32::try_from(decoded - self.end).unwrap_or(u32::MAX));
            decoded
        };
        self.end = decoded;
        self.sizes.push(size);
        let offset = i32::try_from(shown - decoded);
        self.offsets.push(offset.unwrap_or(0));
        if is_key {
            self.keys.push(self.sizes.len() as u32);
        }
    }

    /// The pictures are over: the last one shown is shown until `end`.
    pub(crate) fn finish_pictures(&mut self, end: i64) {
        // The last to be decoded takes the time of the one before.
        let usual = self
            .durations
            .0
            .last()
            .map(|&(_, duration)| i64::from(duration));
        let last = (end - self.first_shown()) - (self.end - self.first);
        let last = if last > 0 { last } else { usual.unwrap_or(1) };
        self.durations.push(u32::try_from(last).unwrap_or(1));
        self.end += last;
        self.shown_until = end;
    }

    /// Puts the sample that was just added into a chunk; `goes_on` says that the last one lies right
    /// in front of it.
    pub(crate) fn place(&mut self, at: u64, goes_on: bool) {
        match self.chunks.last_mut() {
            Some(chunk) if goes_on && at - chunk.at < CHUNK_LEN => chunk.samples += 1,
            _ => self.chunks.push(Chunk { at, samples: 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_that_are_shown_in_another_order() {
        let mut timing = Timing::default();
        for (decoded, shown) in [(0, 2), (1, 5), (2, 3), (3, 4), (4, 6)] {
            timing.push_picture(7, decoded == 0, decoded, shown);
        }
        timing.finish_pictures(7);
        assert_eq!(timing.durations.iter().collect::<Vec<_>>(), [(5, 1)]);
        let offsets: Vec<i32> = timing.offsets.values().collect();
        assert_eq!(offsets, [2, 4, 1, 1, 2]);
        assert_eq!(
            (timing.first_shown(), timing.shown_until, timing.end),
            (2, 7, 5)
        );
        assert_eq!(timing.keys, [1]);
    }

    #[test]
    fn decoding_times_rise_and_pictures_stay_where_they_are() {
        let mut timing = Timing::default();
        for (decoded, shown) in [(10, 10), (10, 20), (5, 30)] {
            timing.push_picture(1, true, decoded, shown);
        }
        timing.finish_pictures(40);
        let mut at = timing.first;
        let shown: Vec<i64> = timing
            .durations
            .values()
            .zip(timing.offsets.values())
            .map(|(duration, offset)| {
                let shown = at + i64::from(offset);
                at += i64::from(duration);
                shown
            })
            .collect();
        assert_eq!(shown, [10, 20, 30]);
        assert_eq!(timing.durations.values().collect::<Vec<_>>(), [1, 1, 28]);
    }

    #[test]
    fn a_hole_in_sound_makes_the_frame_before_longer() {
        let mut timing = Timing::default();
        timing.push_frame(5, 1024);
        timing.push_frame(5, 1024);
        timing.stretch_until(4096);
        timing.push_frame(5, 1024);
        assert_eq!(
            timing.durations.values().collect::<Vec<_>>(),
            [1024, 3072, 1024]
        );
        assert_eq!(timing.end, 5120);
    }

    #[test]
    fn frames_that_begin_at_a_time_or_behind_it() {
        let mut timing = Timing::default();
        for until in [1024, 2048, 5120, 6144] {
            timing.push_frame(5, 1024);
            timing.stretch_until(until);
        }
        let asked = [-5, 0, 1, 1024, 1025, 2048, 2049, 5120, 5121, 9000];
        assert_eq!(
            asked.map(|time| timing.frame_from(time)),
            [0, 0, 1024, 1024, 2048, 2048, 5120, 5120, 6144, 6144]
        );
    }

    #[test]
    fn chunks_end_where_another_track_lies_between_and_where_they_are_large() {
        let mut timing = Timing::default();
        timing.place(0, true);
        timing.place(600_000, true);
        timing.place(1_200_000, true);
        timing.place(1_300_000, false);
        let chunk = |at, samples| Chunk { at, samples };
        assert_eq!(
            timing.chunks,
            [chunk(0, 2), chunk(1_200_000, 1), chunk(1_300_000, 1)]
        );
    }
}
