//! One lane of a shard: records in their order, of which one batch at a time is handled.
//!
//! Owns what a lane holds, where its next batch ends and when that is due. Deliberately absent: what an outcome means, and
//! which batches have failed before; that is the shard's, because it outlives lanes.
//!
//! ```text
//!   Idle ──► Running ──► Idle        the batch was handled, split or given up
//!    ▲          │
//!    └ Waiting ◄┘                    it is tried again
//! ```

use std::collections::{BTreeMap, VecDeque};

use super::checkpoint::Failing;
use super::sequence::{Edge, Sequence};
use super::settings::Settings;
use super::window::Window;
use super::words::{BatchId, Record};
use crate::name::RequestId;
use crate::time::Timestamp;

/// A lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Records that are not done; a running batch is in front.
    pub records: VecDeque<Held>,
    /// Bytes of their bodies.
    pub bytes: usize,
    /// How far the lane has taken records in; `None` if its shard was never read.
    pub reached: Option<Edge>,
    pub state: State,
    /// The tumbling window that is open.
    pub window: Option<Window>,
}

/// A record that a lane holds.
#[derive(Debug)]
pub(super) struct Held {
    pub record: Record,
    /// When the lane took it in, from where the batching window is measured.
    pub came: Timestamp,
}

/// Where a lane stands.
#[derive(Debug, Default)]
pub(super) enum State {
    /// Nothing runs.
    #[default]
    Idle,
    /// A batch runs.
    Running(Running),
    /// The batch in front has failed and is tried again.
    Waiting { until: Timestamp },
}

/// A batch that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub batch: BatchId,
    /// Its records; none if it is the last invocation of a window.
    pub count: usize,
    pub request: RequestId,
    /// Invocations of it so far, with this one.
    pub tries: u32,
    /// The window that it is in.
    pub window: Option<Window>,
}

/// What a lane may do next.
#[derive(Debug, PartialEq)]
pub(super) enum Due {
    /// Invoke the function with so many records, in this window.
    Batch(usize, Option<Window>),
    /// Invoke it for the last time in this window.
    Final(Window),
    /// Nothing before that.
    At(Timestamp),
    /// Nothing until something happens.
    Never,
}

/// What a lane has to know of its shard.
pub(super) struct Around<'a> {
    pub settings: &'a Settings,
    pub failing: &'a BTreeMap<Sequence, Failing>,
    /// There is nothing to be read that is known of.
    pub caught_up: bool,
    /// More is there, and is read next.
    pub more_comes: bool,
    /// There will never be more.
    pub closed: bool,
    /// The lanes are about to be replaced: no batch starts, and windows end.
    pub draining: bool,
}

/// Where the batch in front ends.
struct Cut {
    count: usize,
    /// Whether a record that comes would still belong to it.
    grows: bool,
    /// Whether it was tried before.
    again: bool,
}

impl Lane {
    /// What is done of it.
    pub fn done(&self) -> Option<Edge> {
        match self.records.front() {
            Some(held) => Some(Edge::before(held.record.sequence.clone())),
            None => self.reached.clone(),
        }
    }

    /// Records that it may still take in.
    pub fn room(&self, settings: &Settings) -> usize {
        match self.bytes >= settings.lane_bytes() {
            true => 0,
            false => settings.lane_records().saturating_sub(self.records.len()),
        }
    }

    /// Takes a record in.
    pub fn push(&mut self, record: Record, came: Timestamp) {
        self.bytes += record.body.len();
        self.records.push_back(Held { record, came });
    }

    /// Takes so many records out of its front.
    pub fn pop(&mut self, count: usize) -> Vec<Record> {
        let count = count.min(self.records.len());
        let records: Vec<Record> = self.records.drain(..count).map(|held| held.record).collect();
        self.bytes -= records.iter().map(|record| record.body.len()).sum::<usize>();
        records
    }

    /// The number of a record it holds.
    pub fn sequence(&self, index: usize) -> Option<&Sequence> {
        self.records.get(index).map(|held| &held.record.sequence)
    }

    /// Whether a batch of it runs.
    pub fn runs(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Whether it may start something at this time, as far as it is concerned itself; it has waited long enough then.
    pub fn is_free(&mut self, now: Timestamp) -> bool {
        if matches!(self.state, State::Waiting { until } if until <= now) {
            self.state = State::Idle;
        }
        matches!(self.state, State::Idle)
    }

    /// Forgets what it holds: it is read again.
    pub fn release(&mut self) {
        self.reached = self.done();
        self.records.clear();
        self.bytes = 0;
        self.state = State::Idle;
    }

    /// What it may do next.
    pub fn due(&self, around: &Around<'_>, now: Timestamp) -> Due {
        match self.state {
            State::Running(_) => return Due::Never,
            State::Waiting { .. } if around.draining && self.window.is_none() => return Due::Never,
            State::Waiting { until } if until > now => return Due::At(until),
            _ => {}
        }
        if let Some(window) = &self.window
            && self.ends(window, around, now)
        {
            return Due::Final(window.clone());
        }
        let Some(front) = self.records.front() else {
            let window = self.window.as_ref().filter(|_| around.caught_up);
            return window.map_or(Due::Never, |window| Due::At(window.end));
        };
        if around.draining {
            return Due::Never;
        }
        let window = self.window_of(&front.record, around.settings);
        let cut = self.cut(around, window.as_ref());
        let full = self.room(around.settings) == 0;
        if cut.grows && !full {
            // The same batch is tried again, so all of it has to be here.
            if cut.again && !around.caught_up || around.more_comes {
                return Due::Never;
            }
            let fires = front.came + around.settings.window;
            if !cut.again && fires > now {
                return Due::At(fires);
            }
        }
        Due::Batch(cut.count, window)
    }

    /// Whether an open window is over: its state is too large, a record behind it is there, or nothing comes any more.
    fn ends(&self, window: &Window, around: &Around<'_>, now: Timestamp) -> bool {
        if window.is_too_large() || around.draining {
            return true;
        }
        match self.records.front() {
            Some(held) => !window.takes(held.record.at),
            None => around.caught_up && (around.closed || window.end <= now),
        }
    }

    fn window_of(&self, first: &Record, settings: &Settings) -> Option<Window> {
        let new = || Some(Window::aligned(first.at, settings.tumbling?.as_secs()));
        self.window.clone().or_else(new)
    }

    fn cut(&self, around: &Around<'_>, window: Option<&Window>) -> Cut {
        let failing = self.sequence(0).and_then(|first| around.failing.get(first));
        if let Some(failing) = failing {
            let whole = self
                .reached
                .as_ref()
                .is_some_and(|edge| edge.covers(&failing.last));
            let sequences = self.records.iter().map(|held| &held.record.sequence);
            return Cut {
                count: sequences
                    .take_while(|sequence| **sequence <= failing.last)
                    .count(),
                grows: !whole,
                again: true,
            };
        }
        let most = around.settings.batch();
        let room = around
            .settings
            .room(window.map_or(0, |window| window.state.len()));
        let mut bytes = 0;
        for (index, Held { record, .. }) in self.records.iter().enumerate() {
            bytes += record.body.len() + 1;
            let ends = index == most
                || bytes > room
                || around.failing.contains_key(&record.sequence)
                || window.is_some_and(|window| !window.takes(record.at));
            if index > 0 && ends {
                return Cut {
                    count: index,
                    grows: false,
                    again: false,
                };
            }
        }
        Cut {
            count: self.records.len(),
            grows: self.records.len() < most && bytes < room,
            again: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::Payload;
    use crate::stream::settings::EVENT_BYTES;
    use crate::stream::settings::tests::defaults;

    const T0: Timestamp = Timestamp::VIRTUAL_START;

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn lane(records: &[(u64, u64, usize)]) -> Lane {
        let mut lane = Lane::default();
        for (sequence, at, bytes) in records {
            let record = Record {
                sequence: (*sequence).into(),
                key: 0,
                at: T0 + secs(*at),
                body: Payload::from(vec![b'1'; *bytes]),
                refused: None,
            };
            lane.reached = Some(Edge::through(record.sequence.clone()));
            lane.push(record, T0);
        }
        lane
    }

    fn around<'a>(settings: &'a Settings, failing: &'a BTreeMap<Sequence, Failing>) -> Around<'a> {
        Around {
            settings,
            failing,
            caught_up: true,
            more_comes: false,
            closed: false,
            draining: false,
        }
    }

    fn due(lane: &Lane, change: impl FnOnce(&mut Settings), now: Timestamp) -> Due {
        let mut settings = defaults();
        change(&mut settings);
        lane.due(&around(&settings, &BTreeMap::new()), now)
    }

    #[test]
    fn without_a_window_any_record_is_a_batch() {
        assert_eq!(due(&lane(&[]), |_| {}, T0), Due::Never);
        assert_eq!(due(&lane(&[(1, 0, 9)]), |_| {}, T0), Due::Batch(1, None));
    }

    #[test]
    fn a_batch_is_due_when_it_is_full_or_its_window_has_passed() {
        let two = lane(&[(1, 0, 9), (2, 0, 9)]);
        let window = |size| move |s: &mut Settings| (s.batch_size, s.window) = (size, secs(5));
        assert_eq!(due(&two, window(3), T0), Due::At(T0 + secs(5)));
        assert_eq!(due(&two, window(3), T0 + secs(5)), Due::Batch(2, None));
        assert_eq!(due(&two, window(2), T0), Due::Batch(2, None));
        assert_eq!(due(&two, window(1), T0), Due::Batch(1, None));
    }

    #[test]
    fn six_megabytes_are_a_batch() {
        let half = EVENT_BYTES / 2;
        let window = |s: &mut Settings| s.window = secs(5);
        assert_eq!(
            due(&lane(&[(1, 0, half), (2, 0, half)]), window, T0),
            Due::Batch(1, None)
        );
        let huge = lane(&[(1, 0, EVENT_BYTES + 1), (2, 0, 1)]);
        assert_eq!(due(&huge, window, T0), Due::Batch(1, None), "one is always taken");
    }

    #[test]
    fn a_batch_waits_for_records_that_were_asked_for() {
        let settings = defaults();
        let failing = BTreeMap::new();
        let around = Around {
            caught_up: false,
            more_comes: true,
            ..around(&settings, &failing)
        };
        assert_eq!(lane(&[(1, 0, 9)]).due(&around, T0), Due::Never);
    }

    #[test]
    fn a_batch_that_failed_is_tried_as_it_was_and_not_in_parts() {
        let failing = Failing {
            last: 3.into(),
            attempts: 1,
            refusals: 0,
            tries: 1,
            since: T0,
            request: RequestId::new("r"),
        };
        let failing = BTreeMap::from([(Sequence::from(2), failing)]);
        let settings = defaults();
        let mut around = around(&settings, &failing);
        let all = lane(&[(1, 0, 9), (2, 0, 9), (3, 0, 9), (4, 0, 9)]);
        assert_eq!(
            all.due(&around, T0),
            Due::Batch(1, None),
            "what is before it goes alone"
        );
        let mut rest = lane(&[(2, 0, 9), (3, 0, 9), (4, 0, 9)]);
        assert_eq!(rest.due(&around, T0), Due::Batch(2, None));
        rest.records.truncate(1);
        rest.reached = Some(Edge::through(2.into()));
        around.caught_up = false;
        assert_eq!(rest.due(&around, T0), Due::Never, "3 is not here yet");
        around.caught_up = true;
        assert_eq!(
            rest.due(&around, T0),
            Due::Batch(1, None),
            "3 has left the stream"
        );
    }

    #[test]
    fn a_tumbling_window_parts_batches_and_ends_by_its_records_or_its_time() {
        let tumbling = |s: &mut Settings| s.tumbling = Some(secs(60));
        let first = Window::aligned(T0, 60);
        let mut lane = lane(&[(1, 0, 9), (2, 59, 9), (3, 60, 9)]);
        assert_eq!(due(&lane, tumbling, T0), Due::Batch(2, Some(first.clone())));
        lane.pop(2);
        lane.window = Some(first.clone());
        assert_eq!(
            due(&lane, tumbling, T0),
            Due::Final(first.clone()),
            "3 is behind it"
        );
        lane.pop(1);
        assert_eq!(due(&lane, tumbling, T0), Due::At(first.end));
        assert_eq!(due(&lane, tumbling, first.end), Due::Final(first.clone()));
        let settings = defaults();
        let failing = BTreeMap::new();
        let behind = Around {
            caught_up: false,
            ..around(&settings, &failing)
        };
        assert_eq!(
            lane.due(&behind, first.end),
            Due::Never,
            "records of it may be unread"
        );
    }
}
