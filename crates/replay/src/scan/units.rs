//! The units of the tracks: put together packet by packet, put on the timeline, and told of once they are complete.

use std::sync::Arc;

use bytes::Bytes;
use lookback_codec::{Access, audio_format, silence};
use lookback_mpegts::{PACKET_LEN, Packet, Pid};

use super::Demux;
use super::assembler::{Assembler, Open, Step};
use super::pids::with_counter;
use super::timeline::{Order, Verdict};
use crate::index::{Entry, FaultKind};
use crate::run::{Run, Track};

impl Demux {
    pub(super) fn track_packet(&mut self, track: usize, offset: u64, packet: Packet<'_>) {
        if packet.scrambled() {
            self.batch.problems.push("scrambled");
            return;
        }
        if packet.payload().is_empty() {
            return;
        }
        if Assembler::begins_unit(packet) {
            if let Some(mut open) = self.assemblers[track].open.take() {
                open.damaged |= open.is_short();
                self.complete(track, open);
            }
            let Some(run) = &self.run else { return };
            let table_counters =
                [Pid::PAT, run.tables.pmt_pid].map(|pid| self.pids.counter_of(pid));
            self.assemblers[track].begin(offset, packet, table_counters);
        }
        if self.assemblers[track].open.is_none() {
            return self.orphan(track, offset);
        }
        let had_picture = self.has_picture(track);
        let step = self.assemblers[track].push(offset, packet);
        match step {
            Step::Unusable => {
                self.batch.problems.push("damaged");
                if let Some(open) = self.assemblers[track].open.take() {
                    self.leave_out(track, &open);
                }
            }
            Step::Header => self.header_known(track),
            Step::More => {}
        }
        if !had_picture && self.has_picture(track) {
            self.picture_known(track);
        }
        if self.assemblers[track]
            .open
            .as_ref()
            .is_some_and(Open::length_reached)
        {
            self.reached = Some(track);
        }
    }

    /// A packet of a unit whose beginning is not known.
    fn orphan(&mut self, track: usize, offset: u64) {
        let Some(run) = &self.run else { return };
        let (pid, len) = (run.tracks[track].pid, PACKET_LEN as u64);
        self.assemblers[track].lost = true;
        self.counted = None;
        self.fault(offset, FaultKind::Hole { len });
        self.fault(offset, FaultKind::Counter { pid, ahead: 1 });
    }

    pub(super) fn has_picture(&self, track: usize) -> bool {
        self.assemblers[track]
            .open
            .as_ref()
            .is_some_and(|open| open.picture.is_some())
    }

    /// Puts the unit on the timeline, or begins another one.
    fn header_known(&mut self, track: usize) {
        let Some(mut open) = self.assemblers[track].open.take() else {
            return;
        };
        let Some(header) = open.header else { return };
        let Some(pts) = header.pts else { return };
        let mut verdict = self.place(track, &open, pts);
        if matches!(verdict, Verdict::Jump) {
            self.renew_run(track, &open);
            verdict = self.place(track, &open, pts);
        }
        let Verdict::Fits(time) = verdict else {
            self.batch.problems.push("timestamps");
            self.assemblers[track].open = Some(open);
            return;
        };
        self.timeline.begun(track, time);
        open.time = Some(time);
        self.note_counters(track, &open);
        if let Some(run) = &mut self.run {
            run.patchable &= !open.split_header;
            if run.tracks[track].stream_id != header.stream_id {
                edit_track(run, track).stream_id = header.stream_id;
            }
            if run.tracks[track].codec.is_audio() {
                let known = &run.tracks[track];
                let format = audio_format(
                    known.codec,
                    self.assemblers[track].head(),
                    &known.descriptors,
                );
                if format.is_some() && format != known.audio {
                    if known.audio.is_some() {
                        self.renew_run_at(track, &mut open);
                    }
                    let head = self.assemblers[track].head();
                    if let Some(run) = &mut self.run {
                        let known = edit_track(run, track);
                        known.audio = format;
                        known.silence = silence(known.codec, head);
                    }
                }
            }
        }
        self.assemblers[track].open = Some(open);
    }

    /// The format changes with this unit: a run of its own begins with it.
    fn renew_run_at(&mut self, track: usize, open: &mut Open) {
        self.renew_run(track, open);
        let Some(header) = open.header else { return };
        if let Some(pts) = header.pts
            && let Verdict::Fits(time) = self.place(track, open, pts)
        {
            self.timeline.begun(track, time);
            open.time = Some(time);
            self.note_counters(track, open);
        }
    }

    /// Until the run has a key, this unit may be the first: keeps what the counters were before it.
    fn note_counters(&mut self, track: usize, open: &Open) {
        if self.timeline.has_key() || self.run.as_ref().is_none_or(|run| run.cut != track) {
            return;
        }
        let counters = self.pids.counters();
        if let Some(run) = &mut self.run {
            run.counters_first = with_counter(
                &counters,
                run.tracks[track].pid,
                open.first_counter.wrapping_sub(1) & 0x0f,
            );
        }
    }

    fn place(&mut self, track: usize, open: &Open, pts: u64) -> Verdict {
        let dts = open.header.and_then(|header| header.dts);
        let is_cut = self.run.as_ref().is_some_and(|run| run.cut == track);
        let order = match () {
            () if !is_cut || !self.assemblers[track].is_video() => Order::Sound,
            // Without a DTS, pictures do not come in the order of their timestamps. But no picture
            // that decoding can start at is shown before one that came earlier.
            () if dts.is_none() && !open.random_access => Order::Shown,
            () => Order::Decoded,
        };
        self.timeline.place(track, order, pts, dts)
    }

    /// The head of a picture was reached.
    fn picture_known(&mut self, track: usize) {
        let is_cut = self.run.as_ref().is_some_and(|run| run.cut == track);
        let Some(mut open) = self.assemblers[track].open.take() else {
            return;
        };
        if open.parameters_changed && open.time.is_some() {
            let sets = &self.assemblers[track].parameters;
            let format = sets.video_format();
            let complete = sets.is_complete();
            let sets = Bytes::from(sets.annex_b());
            let known = self
                .run
                .as_ref()
                .and_then(|run| run.tracks[track].video.clone());
            if known.is_some() && known != format {
                self.renew_run_at(track, &mut open);
            }
            if let Some(run) = &mut self.run {
                edit_track(run, track).video = format;
                if is_cut && complete {
                    run.learn_parameters(open.start, sets);
                }
            }
        }
        self.assemblers[track].open = Some(open);
    }

    /// A unit has all its bytes.
    pub(super) fn complete(&mut self, track: usize, open: Open) {
        let Some(run) = &mut self.run else { return };
        let Some(time) = open.time else {
            return self.leave_out(track, &open);
        };
        if open.start < run.start {
            return;
        }
        let key = self.timeline.is_key(run, track, &open, time);
        // What was lost in front of it, it may refer to.
        let damaged = open.damaged || open.behind_loss && open.picture.is_some() && !key;
        let mut flags = 0;
        flags |= if damaged { Entry::DAMAGED } else { 0 };
        if let Some(picture) = open.picture {
            flags |= if picture.has_parameter_sets {
                Entry::PARAMETERS
            } else {
                0
            };
            flags |= if picture.access == Access::Closed {
                0
            } else {
                Entry::OPEN
            };
        }
        if key {
            flags |= Entry::KEY;
            let access = open.picture.map(|picture| picture.access);
            let is_clean = matches!(access, Some(Access::Closed | Access::Open));
            self.timeline.key(time, is_clean);
        }
        if track == run.cut {
            run.wall.observe(time.pts, self.now);
            let frame = self.timeline.completed(time);
            let frame = frame.unwrap_or_else(|| run.tracks[track].nominal_frame());
            run.first = run.first.min(time.pts);
            run.latest = run.latest.max(time.pts + frame);
            if self.timeline.lacks_key() {
                self.batch.problems.push("no_keyframe");
            }
        }
        let entry = Entry::new(track, open.start..open.end, time.pts, time.dts).with_flags(flags);
        self.batch.entries.push((entry, open.table_counters));
        if damaged {
            self.mark(track, open.start);
        }
    }

    /// Packets lie in the log that no clip may hold: an entry says which, and a fault that there is
    /// something to look for.
    pub(super) fn leave_out(&mut self, track: usize, open: &Open) {
        let at = self.timeline.latest().unwrap_or_default();
        let entry = Entry::new(track, open.start..open.end, at, at).with_flags(Entry::DAMAGED);
        self.batch.entries.push((entry, open.table_counters));
        self.mark(track, open.start);
    }

    fn mark(&mut self, track: usize, offset: u64) {
        if let Some(run) = &self.run {
            let pid = run.tracks[track].pid;
            self.fault(offset, FaultKind::Counter { pid, ahead: 0 });
        }
    }
}

fn edit_track(run: &mut Run, track: usize) -> &mut Track {
    &mut Arc::make_mut(&mut run.tracks)[track]
}
