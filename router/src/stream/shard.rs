//! One shard as it is read: its lanes, and how far each of them is.
//!
//! Records are asked for when a lane has room. A lane that is full stands where it is while others read on, and what they
//! have passed is read again for it later: so a lane whose batch fails for hours holds no more than its share, and stops
//! no other. Deliberately absent: invoking, and what comes of it.

use std::collections::BTreeMap;

use super::checkpoint::{Failing, ShardCheckpoint, forget, is_done, lane_of, remember};
use super::lane::{Around, Due, Lane};
use super::sequence::{Edge, Sequence, ShardId};
use super::settings::{Settings, Start};
use super::words::{FetchId, Position, Record, Rest};
use crate::time::Timestamp;

/// A shard.
#[derive(Debug)]
pub(super) struct Shard {
    pub parents: Vec<ShardId>,
    start: Start,
    pub lanes: Vec<Lane>,
    /// What was done in lanes that are no more.
    older: BTreeMap<u32, Vec<Edge>>,
    /// Batches that are to be tried again, by their first record.
    pub failing: BTreeMap<Sequence, Failing>,
    /// How far any lane has read.
    tip: Option<Edge>,
    /// Records before this one left the stream.
    pub trimmed: Option<Sequence>,
    /// There may be records beyond the tip.
    rung: bool,
    /// There are.
    more: bool,
    /// There will never be any.
    closed: bool,
    fetching: Option<Fetching>,
    told: Option<ShardCheckpoint>,
}

#[derive(Debug)]
struct Fetching {
    id: FetchId,
    /// Whether the shard had rung when it was asked.
    rung: bool,
    /// Where the answer begins: it says nothing to lanes that are further behind.
    from: Option<Edge>,
}

/// What to ask for.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    /// Behind this edge; `None` at the start.
    pub from: Option<Edge>,
    pub most: usize,
    pub bytes: usize,
}

impl Shard {
    /// A shard of which nothing was read.
    pub fn new(parents: Vec<ShardId>, start: Start, lanes: usize) -> Self {
        Shard {
            parents,
            start,
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            older: BTreeMap::new(),
            failing: BTreeMap::new(),
            tip: None,
            trimmed: None,
            rung: true,
            more: false,
            closed: false,
            fetching: None,
            told: None,
        }
    }

    /// A shard that was read before. Its lanes are those of the checkpoint, whatever the settings say by now.
    pub fn resumed(checkpoint: ShardCheckpoint, start: Start, lanes: usize) -> Self {
        let known = match checkpoint.done.len() {
            0 => lanes,
            known => known,
        };
        let mut shard = Shard::new(checkpoint.parents.clone(), start, known);
        for (index, lane) in shard.lanes.iter_mut().enumerate() {
            lane.reached = checkpoint.done.get(index).cloned();
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            lane.window = checkpoint.windows.get(&number).cloned();
        }
        shard.tip = checkpoint.done.iter().max().cloned();
        shard.older = checkpoint.older.clone();
        shard.failing = checkpoint.failing.clone();
        shard.told = Some(checkpoint);
        shard
    }

    /// Notes that there may be new records.
    pub fn ring(&mut self) {
        self.rung = true;
    }

    /// Whether all that it will ever have is done.
    pub fn is_finished(&self) -> bool {
        let idle = |lane: &Lane| lane.records.is_empty() && lane.window.is_none();
        self.closed
            && self
                .lanes
                .iter()
                .all(|lane| idle(lane) && self.is_caught_up(lane))
    }

    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        self.lanes.iter().map(|lane| lane.bytes).sum()
    }

    /// What a lane may do next.
    pub fn due(&self, lane: usize, settings: &Settings, now: Timestamp) -> Due {
        let Some(lane) = self.lanes.get(lane) else {
            return Due::Never;
        };
        lane.due(
            &Around {
                settings,
                failing: &self.failing,
                caught_up: self.is_caught_up(lane),
                more_comes: self.is_read_next(lane, settings),
                closed: self.closed,
                draining: self.is_draining(settings),
            },
            now,
        )
    }

    /// Whether its lanes are other than the settings say.
    pub fn is_draining(&self, settings: &Settings) -> bool {
        self.lanes.len() != settings.lanes()
    }

    /// Makes its lanes anew if they are other than the settings say and nothing of the old ones is left to be ended.
    pub fn renew(&mut self, settings: &Settings) {
        let busy = |lane: &Lane| lane.runs() || lane.window.is_some();
        if !self.is_draining(settings) || self.lanes.iter().any(busy) {
            return;
        }
        let done: Option<Vec<Edge>> = self.lanes.iter().map(Lane::done).collect();
        let low = done.as_ref().and_then(|done| done.iter().min().cloned());
        remember(&mut self.older, done.unwrap_or_default());
        let lane = || Lane {
            reached: low.clone(),
            ..Lane::default()
        };
        self.lanes = (0..settings.lanes()).map(|_| lane()).collect();
        self.fetching = None;
        self.rung = true;
    }

    /// Forgets what it holds; nothing of it may run.
    pub fn release(&mut self) {
        self.lanes.iter_mut().for_each(Lane::release);
        self.fetching = None;
        self.rung = true;
    }

    /// What to ask for next, if anything: what the lane needs that is furthest behind of those with room.
    pub fn wanted(&self, settings: &Settings) -> Option<Wanted> {
        if self.fetching.is_some() || self.is_draining(settings) {
            return None;
        }
        let behind = |lane: &&Lane| lane.room(settings) > 0 && self.is_behind(lane);
        let lanes = || self.lanes.iter().filter(behind);
        let from = lanes().map(|lane| &lane.reached).min()?.clone();
        // Each lane has its share of what is read.
        let most = lanes().map(|lane| lane.room(settings)).max()? * self.lanes.len();
        let bytes = lanes().map(|lane| settings.lane_bytes().saturating_sub(lane.bytes));
        Some(Wanted {
            from,
            most,
            bytes: bytes.max()? * self.lanes.len(),
        })
    }

    /// Notes that it was asked; says from where on, in the words of who answers.
    pub fn asked(&mut self, id: FetchId, from: Option<Edge>) -> Position {
        let position = match &from {
            None => Position::Start(self.start),
            Some(edge) if edge.through => Position::After(edge.at.clone()),
            Some(edge) => Position::At(edge.at.clone()),
        };
        let rung = std::mem::take(&mut self.rung);
        self.fetching = Some(Fetching { id, rung, from });
        position
    }

    /// Takes an answer in; says which records the filter refused, and why. `None` if it answers nothing that was asked.
    pub fn take(
        &mut self,
        settings: &Settings,
        now: Timestamp,
        fetch: FetchId,
        records: Vec<Record>,
        reached: Sequence,
        rest: Rest,
    ) -> Option<Vec<(Sequence, String)>> {
        let asked = self.fetching.take_if(|fetching| fetching.id == fetch)?;
        let mut refused = Vec::new();
        let lanes = self.lanes.iter();
        let mut full: Vec<bool> = lanes.map(|lane| lane.reached < asked.from).collect();
        for record in records {
            let Some(index) = lane_of(record.key, self.lanes.len()) else {
                continue;
            };
            let (lane, full) = (&mut self.lanes[index], &mut full[index]);
            let known = lane
                .reached
                .as_ref()
                .is_some_and(|edge| edge.covers(&record.sequence));
            if *full || known {
                continue;
            }
            if !is_done(&self.older, record.key, &record.sequence) {
                if record.refused.is_none() && lane.room(settings) == 0 {
                    *full = true;
                    lane.reached = Some(Edge::before(record.sequence));
                    continue;
                }
                lane.reached = Some(Edge::through(record.sequence.clone()));
                match record.refused {
                    Some(why) => refused.push((record.sequence, why)),
                    None => lane.push(record, now),
                }
            }
        }
        self.has_read(&full, Edge::through(reached), rest, asked.rung);
        Some(refused)
    }

    /// Notes how far an answer went.
    fn has_read(&mut self, full: &[bool], reached: Edge, rest: Rest, rung: bool) {
        let reached = match rest {
            // Whatever was beyond it has left the stream.
            Rest::Nothing | Rest::Closed => self.tip.clone().map_or(reached.clone(), |tip| tip.max(reached)),
            Rest::More => reached,
        };
        let reached = Some(reached);
        for (lane, full) in self.lanes.iter_mut().zip(full) {
            if !full {
                lane.reached = lane.reached.take().max(reached.clone());
            }
        }
        if reached >= self.tip {
            self.tip = reached;
            self.more = rest == Rest::More;
            self.closed = rest == Rest::Closed;
        } else {
            self.rung |= rung;
        }
    }

    /// What has to survive a restart, if that has changed since it was last told.
    pub fn checkpoint(&mut self) -> Option<ShardCheckpoint> {
        let done: Vec<Edge> = self.lanes.iter().map(Lane::done).collect::<Option<_>>()?;
        let low = done.iter().min()?;
        forget(&mut self.older, low);
        self.failing.retain(|first, _| !low.covers(first));
        let windows = self.lanes.iter().zip(0..);
        let checkpoint = ShardCheckpoint {
            windows: windows
                .filter_map(|(lane, number)| Some((number, lane.window.clone()?)))
                .collect(),
            done,
            older: self.older.clone(),
            failing: self.failing.clone(),
            parents: self.parents.clone(),
        };
        if self.told.as_ref() == Some(&checkpoint) {
            return None;
        }
        self.told = Some(checkpoint.clone());
        Some(checkpoint)
    }

    /// Takes so many records out of a lane's front. What is left of a batch that failed stays one.
    pub fn pop(&mut self, lane: usize, count: usize) -> Vec<Record> {
        let Some(lane) = self.lanes.get_mut(lane) else {
            return Vec::new();
        };
        let failing = lane.sequence(0).and_then(|first| self.failing.remove(first));
        let records = lane.pop(count);
        if let (Some(failing), Some(first)) = (failing, lane.sequence(0))
            && *first <= failing.last
        {
            self.failing.insert(first.clone(), failing);
        }
        records
    }

    /// How many records in front of a lane are too old to be handled, of one batch.
    pub fn expired(&self, lane: usize, settings: &Settings, now: Timestamp) -> usize {
        let Some(lane) = self.lanes.get(lane) else {
            return 0;
        };
        let failing = lane.sequence(0).and_then(|first| self.failing.get(first));
        let is_old = |record: &Record| {
            let trimmed = self
                .trimmed
                .as_ref()
                .is_some_and(|before| record.sequence < *before);
            trimmed || settings.max_age.is_some_and(|age| now.since(record.at) > age)
        };
        let records = lane
            .records
            .iter()
            .map(|held| &held.record)
            .take(settings.batch());
        records
            .take_while(|record| is_old(record))
            .take_while(|record| failing.is_none_or(|failing| record.sequence <= failing.last))
            .count()
    }

    /// Whether there is more for a lane than it holds, and it is the one that is read for next.
    fn is_read_next(&self, lane: &Lane, settings: &Settings) -> bool {
        let before = |other: &Lane| other.room(settings) > 0 && other.reached < lane.reached;
        (self.more || lane.reached < self.tip) && !self.lanes.iter().any(before)
    }

    fn is_caught_up(&self, lane: &Lane) -> bool {
        self.fetching.is_none() && !self.is_behind(lane)
    }

    fn is_behind(&self, lane: &Lane) -> bool {
        lane.reached.is_none() || self.rung || self.more || lane.reached < self.tip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Payload;
    use crate::stream::settings::tests::defaults;

    const T0: Timestamp = Timestamp::VIRTUAL_START;

    fn record(sequence: u64, key: u64) -> Record {
        Record {
            sequence: sequence.into(),
            key,
            at: T0,
            body: Payload::from_static(b"1"),
            refused: None,
        }
    }

    fn settings(batch_size: u32, factor: u32) -> Settings {
        Settings {
            batch_size,
            factor,
            ..defaults()
        }
    }

    /// Answers what is wanted with all records that there are behind its start, by sequence and key; says from where.
    fn read(shard: &mut Shard, settings: &Settings, id: u64, stream: &[(u64, u64)]) -> Option<Edge> {
        let wanted = shard.wanted(settings).expect("something to read");
        shard.asked(FetchId(id), wanted.from.clone());
        let known = |n: u64| wanted.from.as_ref().is_some_and(|edge| edge.covers(&n.into()));
        let mut there: Vec<_> = stream.iter().filter(|(n, _)| !known(*n)).collect();
        let rest = match there.len() > wanted.most {
            true => Rest::More,
            false => Rest::Nothing,
        };
        there.truncate(wanted.most);
        let reached = there.last().map_or(0, |(sequence, _)| *sequence);
        let records = there.iter().map(|(sequence, key)| record(*sequence, *key));
        shard.take(settings, T0, FetchId(id), records.collect(), reached.into(), rest);
        wanted.from
    }

    fn held(shard: &Shard) -> Vec<Vec<&str>> {
        let lanes = shard.lanes.iter();
        lanes
            .map(|lane| {
                let held = lane.records.iter();
                held.map(|held| held.record.sequence.as_str()).collect()
            })
            .collect()
    }

    #[test]
    fn a_full_lane_stops_no_other_and_loses_nothing() {
        let settings = settings(1, 2);
        let mut shard = Shard::new(Vec::new(), Start::TrimHorizon, 2);
        let stream = [(1, 0), (2, 0), (3, 0), (4, 1), (5, 0), (6, 1), (7, 1), (8, 1)];
        assert_eq!(read(&mut shard, &settings, 1, &stream), None);
        assert_eq!(held(&shard), [vec!["1", "2"], vec!["4"]]);
        let from = read(&mut shard, &settings, 2, &stream);
        assert_eq!(from, Some(Edge::through(4.into())), "lane 0 is full");
        assert_eq!(held(&shard), [vec!["1", "2"], vec!["4", "6"]]);
        shard.pop(0, 1);
        let from = read(&mut shard, &settings, 3, &stream);
        assert_eq!(from, Some(Edge::before(3.into())), "back for lane 0");
        assert_eq!(held(&shard), [vec!["2", "3"], vec!["4", "6"]]);
        assert_eq!(shard.wanted(&settings), None, "no room");
    }

    #[test]
    fn a_bell_during_a_request_is_not_forgotten() {
        let settings = settings(10, 1);
        let mut shard = Shard::new(Vec::new(), Start::Latest, 1);
        assert_eq!(shard.wanted(&settings).map(|wanted| wanted.from), Some(None));
        assert_eq!(shard.asked(FetchId(1), None), Position::Start(Start::Latest));
        shard.ring();
        assert_eq!(shard.wanted(&settings), None);
        let none = shard.take(
            &settings,
            T0,
            FetchId(1),
            Vec::new(),
            Sequence::zero(),
            Rest::Nothing,
        );
        assert_eq!(none, Some(Vec::new()));
        let from = shard.wanted(&settings).and_then(|wanted| wanted.from);
        let position = shard.asked(FetchId(2), from);
        assert_eq!(
            position,
            Position::After(Sequence::zero()),
            "latest is found once"
        );
        let late = shard.take(
            &settings,
            T0,
            FetchId(1),
            vec![record(1, 0)],
            1.into(),
            Rest::Nothing,
        );
        assert_eq!(late, None, "an answer to an old request");
    }

    #[test]
    fn a_bell_is_not_answered_by_reading_what_was_passed() {
        let settings = settings(1, 2);
        let mut shard = Shard::new(Vec::new(), Start::TrimHorizon, 2);
        let stream: Vec<(u64, u64)> = (1..=9).map(|n| (n, 0)).collect();
        (0..3).for_each(|id| _ = read(&mut shard, &settings, id, &stream));
        assert_eq!(
            shard.wanted(&settings),
            None,
            "one lane is full, the other has read all"
        );
        shard.pop(0, 1);
        shard.ring();
        let from = read(&mut shard, &settings, 3, &stream);
        assert_eq!(from, Some(Edge::before(3.into())));
        let next = shard.wanted(&settings).and_then(|wanted| wanted.from);
        assert_eq!(
            next,
            Some(Edge::through(9.into())),
            "that the shard rang is not forgotten"
        );
    }

    #[test]
    fn a_checkpoint_is_told_when_it_has_changed() {
        let settings = settings(10, 2);
        let mut shard = Shard::new(Vec::new(), Start::TrimHorizon, 2);
        assert_eq!(shard.checkpoint(), None, "nothing was read");
        read(&mut shard, &settings, 1, &[(1, 0), (2, 1)]);
        let told = shard.checkpoint().expect("a first one");
        assert_eq!(told.done, [Edge::before(1.into()), Edge::before(2.into())]);
        assert_eq!(shard.checkpoint(), None);
        shard.pop(0, 1);
        let told = shard.checkpoint().expect("a second one");
        assert_eq!(told.done, [Edge::through(2.into()), Edge::before(2.into())]);
        let mut resumed = Shard::resumed(told, Start::TrimHorizon, 2);
        let from = read(&mut resumed, &settings, 1, &[(1, 0), (2, 1)]);
        assert_eq!(from, Some(Edge::before(2.into())));
        assert_eq!(held(&resumed), [vec![], vec!["2"]]);
    }

    #[test]
    fn lanes_are_made_anew_and_what_was_done_stays_done() {
        let mut shard = Shard::new(Vec::new(), Start::TrimHorizon, 2);
        let stream = [(1, 0), (2, 1), (3, 1), (4, 0)];
        read(&mut shard, &settings(10, 2), 1, &stream);
        shard.pop(1, 2);
        let one = settings(10, 1);
        assert_eq!(
            shard.wanted(&one),
            None,
            "the lanes are not those of the settings"
        );
        shard.renew(&one);
        read(&mut shard, &one, 2, &stream);
        assert_eq!(held(&shard), [vec!["1", "4"]]);
    }

    #[test]
    fn a_stream_that_lost_its_end_is_not_asked_for_ever() {
        let settings = settings(1, 2);
        let mut shard = Shard::new(Vec::new(), Start::TrimHorizon, 2);
        read(&mut shard, &settings, 1, &[(1, 0), (2, 0), (3, 0), (4, 1)]);
        shard.pop(0, 2);
        read(&mut shard, &settings, 2, &[]);
        assert_eq!(shard.wanted(&settings), None);
    }
}
