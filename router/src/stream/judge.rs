//! What an outcome means for its batch (spec/event-source-mapping §4.2, §4.3).
//!
//! ```text
//!   handled            the batch is done
//!   named records      what is before the first of them is done; the rest is a batch that failed
//!   failed             it is split (bisect), or waits, or is given up when its attempts are used up
//!   refused            it waits; a throttle is no attempt
//!   no such function   the mapping disables itself
//! ```
//!
//! Halves begin with no attempts, in order; so a batch of many is never given up while splitting is allowed, and splitting
//! costs no retry. What is left behind the records that were done has failed once, as its first record has. Deliberately
//! absent: when a batch that waits is due.

use std::collections::BTreeMap;

use super::batch::{GivenUp, fresh};
use super::failure_record::{Condition, Ran};
use super::lane::{Lane, Running, State};
use super::response::{self, Verdict};
use super::sequence::ShardId;
use super::settings::backoff;
use super::shard::Shard;
use super::window::Window;
use super::words::{Action, BatchId};
use super::{CALL_FAILED, INTERNAL, Mapping, NO_FUNCTION, OK, THROTTLED, words};
use crate::event::{Failure, Outcome, Payload};
use crate::name::Version;
use crate::time::Timestamp;

/// What became of a batch.
enum Judged {
    /// So many of its records were handled, in a window with this state; the others failed for the reason.
    Handled {
        count: usize,
        state: Option<Payload>,
        failed: Option<&'static str>,
    },
    /// None of them was, for this reason.
    Failed { function_error: bool, why: &'static str },
    /// It was not tried, for this reason.
    Refused { why: String, result: &'static str },
    /// There is no such function.
    Missing,
}

/// A batch that has failed.
struct Failed<'a> {
    run: &'a Running,
    /// How many of its records are left.
    count: usize,
    ran: Ran,
    why: &'static str,
    /// Whether it may be split.
    splits: bool,
}

impl Mapping {
    /// Takes the outcome of an invocation in.
    pub(super) fn finished(
        &mut self,
        now: Timestamp,
        batch: BatchId,
        outcome: Outcome,
        version: Option<Version>,
    ) {
        let found = self.running.remove(&batch);
        let shard = found.and_then(|(id, lane)| Some((self.shards.remove(&id)?, id, lane)));
        let Some((mut shard, id, lane)) = shard else {
            return self.actions.push_back(Action::Ignored(batch));
        };
        if let Some(run) = shard.lanes.get_mut(lane).and_then(Lane::stop) {
            let judged = self.read(&run, shard.lanes.get(lane), outcome);
            self.judge(now, &id, &mut shard, lane, &run, judged, version);
        }
        self.shards.insert(id, shard);
    }

    /// Reads an outcome.
    fn read(&self, run: &Running, lane: Option<&Lane>, outcome: Outcome) -> Judged {
        let response = match outcome.result {
            Ok(response) => response,
            Err(Failure::Function(_)) => {
                return Judged::Failed {
                    function_error: true,
                    why: "function error",
                };
            }
            Err(Failure::Throttled(reason)) => {
                return Judged::Refused {
                    why: format!("throttled: {reason:?}"),
                    result: THROTTLED,
                };
            }
            Err(Failure::System(message)) => {
                return Judged::Refused {
                    why: format!("system error: {message}"),
                    result: INTERNAL,
                };
            }
            Err(Failure::Missing(_)) => return Judged::Missing,
        };
        let failed = |why| Judged::Failed {
            function_error: false,
            why,
        };
        let state = match run.window.is_some() && run.count > 0 {
            true => match response::state(&response) {
                None => return failed("the response has no state"),
                state => state,
            },
            false => None,
        };
        let verdict = match self.settings.reports_failures {
            true => verdict(run, lane, &response),
            false => Verdict::Succeeded,
        };
        match verdict {
            Verdict::Succeeded => Judged::Handled {
                count: run.count,
                state,
                failed: None,
            },
            Verdict::FailedFrom(0) => failed(NAMED),
            Verdict::FailedFrom(count) => Judged::Handled {
                count,
                state,
                failed: Some(NAMED),
            },
            Verdict::Failed(why) => failed(why),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call, and each of them is needed")]
    fn judge(
        &mut self,
        now: Timestamp,
        id: &ShardId,
        shard: &mut Shard,
        lane: usize,
        run: &Running,
        judged: Judged,
        version: Option<Version>,
    ) {
        let ran = |function_error| Ran {
            version: version.unwrap_or_default(),
            function_error,
        };
        match judged {
            Judged::Handled { count, state, failed } => {
                self.handled(shard, lane, run, count, state);
                match failed {
                    None => self.tell(OK),
                    Some(why) => {
                        let rest = Failed {
                            run,
                            count: run.count - count,
                            ran: ran(false),
                            why,
                            splits: false,
                        };
                        self.rest_failed(now, id, shard, lane, &rest);
                    }
                }
            }
            Judged::Failed { function_error, why } => {
                let failed = Failed {
                    run,
                    count: run.count,
                    ran: ran(function_error),
                    why,
                    splits: self.settings.bisect,
                };
                self.failed(now, id, shard, lane, &failed);
            }
            Judged::Refused { why, result } => self.refused(now, shard, lane, run, why, result),
            Judged::Missing => {
                self.tell(NO_FUNCTION);
                self.head_for(words::State::Disabled, Some(NO_FUNCTION));
            }
        }
    }

    /// So many records are done; the whole window is, if it was its last invocation.
    fn handled(
        &mut self,
        shard: &mut Shard,
        lane: usize,
        run: &Running,
        count: usize,
        state: Option<Payload>,
    ) {
        let records = shard.pop(lane, count);
        if let Some(lane) = shard.lanes.get_mut(lane) {
            let goes_on = |state| {
                Some(Window {
                    state,
                    last: records.last().map(|record| record.sequence.clone()),
                    failures: 0,
                    ..run.window.clone()?
                })
            };
            lane.window = state.and_then(goes_on);
        }
    }

    /// What is behind the records that were done has failed. Where batches are split, it was split there, which costs
    /// nothing.
    fn rest_failed(
        &mut self,
        now: Timestamp,
        id: &ShardId,
        shard: &mut Shard,
        lane: usize,
        rest: &Failed<'_>,
    ) {
        let Some(front) = shard.lanes.get(lane).and_then(|lane| lane.sequence(0)).cloned() else {
            return;
        };
        // Its first record is another one: nothing is remembered of the batch.
        shard.failing.remove(&front);
        if !self.settings.bisect {
            return self.failed(now, id, shard, lane, rest);
        }
        let left = shard.lanes.get(lane);
        let fresh = left.and_then(|lane| fresh(lane, rest.run, rest.count, now));
        shard.failing.extend(fresh.map(|fresh| (front, fresh)));
        self.tell(CALL_FAILED);
    }

    fn failed(&mut self, now: Timestamp, id: &ShardId, shard: &mut Shard, lane: usize, failed: &Failed<'_>) {
        self.tell(CALL_FAILED);
        let (run, count) = (failed.run, failed.count);
        if count == 0 {
            return self.window_failed(now, shard, lane, run, failed.why.to_owned());
        }
        let Some(place) = shard.lanes.get_mut(lane) else {
            return;
        };
        let (Some(front), Some(new)) = (place.sequence(0).cloned(), fresh(place, run, count, now)) else {
            return;
        };
        let mut failing = shard.failing.remove(&front).unwrap_or(new);
        if failed.splits && count > 1 {
            let halves = [(0, count / 2), (count / 2, count)];
            let half = |(from, to): (usize, usize)| {
                let since = failing.since;
                Some((place.sequence(from)?.clone(), fresh(place, run, to, since)?))
            };
            shard.failing.extend(halves.into_iter().filter_map(half));
            return;
        }
        failing.attempts += 1;
        failing.refusals = 0;
        failing.tries = failing.tries.max(run.tries);
        failing.request = run.request.clone();
        if self
            .settings
            .retries
            .is_some_and(|retries| failing.attempts > retries)
        {
            let given_up = GivenUp {
                count,
                condition: Condition::RetryAttemptsExhausted,
                request: &failing.request,
                invocations: failing.attempts,
                ran: Some(failed.ran),
            };
            return self.give_up(now, id, shard, lane, &given_up);
        }
        let due = now + backoff(failing.attempts);
        let why = match self.settings.retries {
            Some(retries) => format!("{}, retry {} of {retries}", failed.why, failing.attempts),
            None => format!("{}, retry {}", failed.why, failing.attempts),
        };
        shard.failing.insert(front, failing);
        self.wait(place, run.batch, due, why);
    }

    fn refused(
        &mut self,
        now: Timestamp,
        shard: &mut Shard,
        lane: usize,
        run: &Running,
        why: String,
        result: &'static str,
    ) {
        self.tell(result);
        if run.count == 0 {
            return self.window_failed(now, shard, lane, run, why);
        }
        let Some(place) = shard.lanes.get_mut(lane) else {
            return;
        };
        let (Some(front), Some(new)) = (place.sequence(0).cloned(), fresh(place, run, run.count, now)) else {
            return;
        };
        let failing = shard.failing.entry(front).or_insert(new);
        failing.refusals += 1;
        failing.tries = run.tries;
        failing.request = run.request.clone();
        let (due, why) = (
            now + backoff(failing.refusals),
            format!("{}×: {why}", failing.refusals),
        );
        self.wait(place, run.batch, due, why);
    }

    /// The last invocation of a window failed: nothing goes on before one succeeds (spec/event-source-mapping §3, and
    /// AWS's guide on windows).
    fn window_failed(&mut self, now: Timestamp, shard: &mut Shard, lane: usize, run: &Running, why: String) {
        let Some(lane) = shard.lanes.get_mut(lane) else {
            return;
        };
        let Some(window) = &mut lane.window else {
            return;
        };
        window.failures = window.failures.saturating_add(1);
        let due = now + backoff(window.failures);
        self.wait(lane, run.batch, due, format!("the window's end: {why}"));
    }

    fn wait(&mut self, lane: &mut Lane, batch: BatchId, due: Timestamp, why: String) {
        lane.state = State::Waiting { until: due };
        self.actions.push_back(Action::Wait { batch, due, why });
    }

    fn tell(&mut self, result: &'static str) {
        if self.result != result {
            self.result = result;
            self.actions.push_back(Action::Result(result));
        }
    }
}

impl Lane {
    /// Ends what runs.
    fn stop(&mut self) -> Option<Running> {
        match std::mem::take(&mut self.state) {
            State::Running(run) => Some(run),
            other => {
                self.state = other;
                None
            }
        }
    }
}

/// Why a batch failed whose response names records.
const NAMED: &str = "the response names records that failed";

fn verdict(run: &Running, lane: Option<&Lane>, response: &[u8]) -> Verdict {
    let records = lane
        .into_iter()
        .flat_map(|lane| lane.records.iter().take(run.count));
    let positions: BTreeMap<&str, usize> = records
        .enumerate()
        .map(|(index, held)| (held.record.sequence.as_str(), index))
        .collect();
    response::verdict(response, |identifier| positions.get(identifier).copied())
}
