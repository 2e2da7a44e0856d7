//! How a batch begins and how it is given up.
//!
//! Owns events, names and the discarding of records. Deliberately absent: when a batch is due ([`super::lane`]), and what
//! its outcome means ([`super::judge`]).

use super::failure_record::{self, Condition, End, Ran};
use super::lane::{Due, Lane, Running, State};
use super::sequence::{Sequence, ShardId};
use super::shard::Shard;
use super::window::Window;
use super::words::{Action, BatchId, Dropped, Invoke, Record};
use super::{Mapping, checkpoint::Failing};
use crate::event::Payload;
use crate::name::{Name, RequestId};
use crate::time::Timestamp;

impl Mapping {
    /// The next invocation of a lane, if one may start now. Records in front that are too old are given up first
    /// (spec/event-source-mapping §4.2).
    pub(super) fn next_of(
        &mut self,
        now: Timestamp,
        id: &ShardId,
        shard: &mut Shard,
        lane: usize,
    ) -> Option<Invoke> {
        if !self.is_active() {
            return None;
        }
        if shard.lanes.get_mut(lane)?.is_free(now) && !shard.is_draining(&self.settings) {
            self.expire(now, id, shard, lane);
        }
        let (count, window) = match shard.due(lane, &self.settings, now) {
            Due::Batch(count, window) => (count, window),
            Due::Final(window) => (0, Some(window)),
            Due::At(_) | Due::Never => return None,
        };
        self.batches += 1;
        let batch = BatchId(self.batches);
        let (first, before, attempt) = standing(shard, lane, count, window.as_ref());
        let tries = before + 1;
        let name = self.name_of(id, &first, count, tries);
        let request = self.seed.request_id(name.as_str());
        let lane_ = shard.lanes.get_mut(lane)?;
        let members = window.as_ref().map(|window| {
            let stream = &self.settings.stream_arn;
            window.members(id, stream, count == 0)
        });
        let records = lane_.records.iter().take(count).map(|held| &held.record);
        let payload = event(records, members.as_deref().unwrap_or_default());
        lane_.state = State::Running(Running {
            batch,
            count,
            request: request.clone(),
            tries,
            window,
        });
        self.running.insert(batch, (id.clone(), lane));
        Some(Invoke {
            batch,
            name,
            request,
            shard: id.clone(),
            lane: number(lane),
            first,
            records: number(count),
            attempt,
            payload,
        })
    }

    fn expire(&mut self, now: Timestamp, id: &ShardId, shard: &mut Shard, lane: usize) {
        self.expire_window(id, shard, lane);
        loop {
            let count = shard.expired(lane, &self.settings, now);
            if count == 0 {
                return;
            }
            let Some(front) = shard.lanes.get(lane).and_then(|lane| lane.sequence(0)).cloned() else {
                return;
            };
            let failing = shard.failing.get(&front).cloned();
            let never = || {
                let name = self.name_of(id, &front, count, 0);
                self.seed.request_id(name.as_str())
            };
            let (request, invocations) = match failing {
                Some(failing) => (failing.request, failing.attempts),
                None => (never(), 0),
            };
            let given_up = GivenUp {
                count,
                condition: Condition::RecordAgeExceeded,
                request: &request,
                invocations,
                ran: None,
            };
            self.give_up(now, id, shard, lane, &given_up);
        }
    }

    /// A window whose end keeps failing is tried again for as long as its last record is in the stream.
    fn expire_window(&mut self, id: &ShardId, shard: &mut Shard, lane: usize) {
        let trimmed = shard.trimmed.clone();
        let Some(lane) = shard.lanes.get_mut(lane) else {
            return;
        };
        let gone = |window: &mut Window| window.failures > 0 && window.last < trimmed;
        if let Some(last) = lane.window.take_if(gone).and_then(|window| window.last) {
            self.actions.push_back(Action::Dropped {
                shard: id.clone(),
                first: last.clone(),
                last,
                records: 0,
                why: Dropped::RecordAgeExceeded,
            });
        }
    }

    /// Takes records out of a lane's front and tells of them.
    pub(super) fn give_up(
        &mut self,
        now: Timestamp,
        id: &ShardId,
        shard: &mut Shard,
        lane: usize,
        what: &GivenUp<'_>,
    ) {
        let records = shard.pop(lane, what.count);
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return;
        };
        self.actions.push_back(Action::Dropped {
            shard: id.clone(),
            first: first.sequence.clone(),
            last: last.sequence.clone(),
            records: number(records.len()),
            why: match what.condition {
                Condition::RetryAttemptsExhausted => Dropped::RetryAttemptsExhausted,
                Condition::RecordAgeExceeded => Dropped::RecordAgeExceeded,
            },
        });
        let Some(destination) = &self.settings.on_failure else {
            return;
        };
        let whole = destination.whole_event.then(|| event(records.iter(), ""));
        let record = failure_record::record(&End {
            request: what.request,
            function_arn: &self.settings.function_arn,
            condition: what.condition,
            invocations: what.invocations,
            ran: what.ran,
            now,
            kind: self.settings.kind,
            stream_arn: &self.settings.stream_arn,
            shard: id,
            first: (&first.sequence, first.at),
            last: (&last.sequence, last.at),
            records: number(records.len()),
            event: whole.as_ref(),
        });
        self.actions.push_back(Action::Send {
            to: destination.to.clone(),
            shard: id.clone(),
            request: what.request.clone(),
            record,
        });
    }

    fn name_of(&self, shard: &ShardId, first: &Sequence, count: usize, tries: u32) -> Name {
        let (function, mapping) = (&self.settings.function, &self.id);
        Name::new(format!(
            "inv:{function}/{mapping}/{shard}/{first}+{count}#{tries}"
        ))
    }
}

/// A batch that is given up.
pub(super) struct GivenUp<'a> {
    pub count: usize,
    pub condition: Condition,
    pub request: &'a RequestId,
    pub invocations: u32,
    pub ran: Option<Ran>,
}

/// A batch that has not failed yet, as it stands when it does.
pub(super) fn fresh(lane: &Lane, run: &Running, count: usize, now: Timestamp) -> Option<Failing> {
    Some(Failing {
        last: lane.sequence(count.checked_sub(1)?)?.clone(),
        attempts: 0,
        refusals: 0,
        tries: 0,
        since: now,
        request: run.request.clone(),
    })
}

/// The first record of what is about to be invoked, the invocations before, and the number of this attempt.
fn standing(shard: &Shard, lane: usize, count: usize, window: Option<&Window>) -> (Sequence, u32, u32) {
    if let (0, Some(window)) = (count, window) {
        let last = window.last.clone().unwrap_or_else(Sequence::zero);
        return (last, window.failures, window.failures + 1);
    }
    let first = shard.lanes.get(lane).and_then(|lane| lane.sequence(0));
    let first = first.cloned().unwrap_or_else(Sequence::zero);
    match shard.failing.get(&first) {
        Some(failing) => (first, failing.tries, failing.attempts + 1),
        None => (first, 0, 1),
    }
}

/// The event of these records, with the members of a window.
fn event<'a>(records: impl Iterator<Item = &'a Record>, members: &str) -> Payload {
    let mut event = Vec::from(br#"{"Records":["#);
    for (index, record) in records.enumerate() {
        if index > 0 {
            event.push(b',');
        }
        event.extend_from_slice(&record.body);
    }
    event.push(b']');
    event.extend_from_slice(members.as_bytes());
    event.push(b'}');
    event.into()
}

/// A count of records or lanes, which is never near the limit.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
