//! What went wrong with a channel's input, counted, in words for its user.

/// Codes that are kept for a channel.
const PROBLEMS_MAX: usize = 32;

/// Something that happened to a channel, as often as it happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Stable name for programs.
    pub code: &'static str,
    /// How often.
    pub count: u64,
    /// What it means and what to do about it.
    pub hint: String,
}

#[derive(Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Counts a problem that the scanner or the log has found.
    pub(crate) fn count(&mut self, code: &'static str) {
        match self.find(code) {
            Some(problem) => problem.count += 1,
            None => self.add(code, hint(code).to_owned()),
        }
    }

    /// Counts a problem with words of its own.
    pub(crate) fn report(&mut self, code: &'static str, hint: String) {
        match self.find(code) {
            Some(problem) => {
                problem.count += 1;
                problem.hint = hint;
            }
            None => self.add(code, hint),
        }
    }

    pub(crate) fn list(&self) -> Vec<Problem> {
        self.0.clone()
    }

    fn find(&mut self, code: &str) -> Option<&mut Problem> {
        self.0.iter_mut().find(|problem| problem.code == code)
    }

    fn add(&mut self, code: &'static str, hint: String) {
        if self.0.len() < PROBLEMS_MAX {
            self.0.push(Problem {
                code,
                count: 1,
                hint,
            });
        }
    }
}

fn hint(code: &str) -> &'static str {
    match code {
        "damaged" => {
            "bytes that are no transport packets came in between; they are left out of what is played"
        }
        "lost_packets" => {
            "packets are missing; the pictures they belong to are left out. Over UDP the network drops them: use tcp:// or a pipe"
        }
        "scrambled" => "a stream is encrypted and cannot be used",
        "no_known_streams" => {
            "the tables name no stream that is known (H.264, HEVC, MPEG-2 video, AAC, Opus, AC-3, MP2)"
        }
        "timestamps" => "timestamps do not rise; the units they belong to are left out",
        "no_keyframe" => {
            "video comes without keyframes, so nothing can be played: set a keyframe interval of one second or less in the encoder"
        }
        "gop_exceeds_memory" => {
            "one group of pictures is longer than the memory allows: set a shorter keyframe interval in the encoder, or a larger --memory"
        }
        "clip_dropped" => {
            "a clip that was still in use was let go to keep recording within --memory: choose shorter clips or a larger --memory"
        }
        "replay_dropped" => {
            "the oldest replay was dropped to make room for a new one: lock those that must stay, delete others, or give a larger --memory"
        }
        "replay_cut_short" => {
            "a replay that was to go on ended early, for there was no more room: delete others, or give a larger --memory"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_code_and_keeps_the_newest_words() {
        let mut problems = Problems::default();
        problems.count("damaged");
        problems.count("damaged");
        problems.report("not_mpegts", "first".into());
        problems.report("not_mpegts", "second".into());
        let list = problems.list();
        assert_eq!((list[0].code, list[0].count), ("damaged", 2));
        assert!(!list[0].hint.is_empty());
        assert_eq!((list[1].count, list[1].hint.as_str()), (2, "second"));
    }
}
