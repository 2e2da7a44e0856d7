//! Which execution environment takes an invocation.
//!
//! Owns what the fabric's thread knows of every environment: whether it runs, and when it is free. Pure: time
//! is a parameter. Deliberately absent: processes; the actors behind the numbers are the executor's.
//!
//! ```text
//!   prepare ─► Preparing ─ready─► Free
//!   choose ─► Running ─finished─► Finishing ─ready─► Free ─choose─► Running
//!                │                                     │
//!                └───────────ready (virtual)──────►────┘   retire/expire ─► forgotten
//! ```
//!
//! Provisioned environments go first, and never expire; one that breaks while it is needed is replaced by its caller.
//! The most recently used free environment goes first, ties by the highest number. In virtual pace an
//! environment is free only when its invocation's declared duration has passed on the fabric's clock, however
//! fast the process was; so which environment serves does not depend on the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use router::name::FunctionVersion;
use router::time::Timestamp;

/// The number of an environment within its function's version, from 1.
pub type Number = u32;

/// What the pool decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// This environment takes it.
    Reuse(Number),
    /// A new environment with this number takes it.
    Fresh(Number),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Made ready for nobody yet.
    Preparing,
    Running,
    Finishing,
    Free,
}

#[derive(Debug)]
struct Slot {
    number: Number,
    stage: Stage,
    free_at: Timestamp,
    used: Timestamp,
    /// Kept however long nobody needs it, and used before others.
    provisioned: bool,
    retiring: bool,
}

/// What an environment was that is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// It was never ready.
    Preparing,
    /// It was free; it is forgotten now.
    Free,
    /// It has an invocation, and ends as others do.
    Running,
    /// It is not known, or not as a provisioned one any more.
    Unknown,
}

#[derive(Debug, Default)]
struct Group {
    slots: Vec<Slot>,
    last: Number,
}

impl Slot {
    /// Nobody waits for what it does.
    fn is_unused(&self) -> bool {
        matches!(self.stage, Stage::Preparing | Stage::Free)
    }
}

/// All environments of all versions of functions.
#[derive(Debug, Default)]
pub struct Pool {
    groups: BTreeMap<FunctionVersion, Group>,
}

impl Pool {
    /// Picks the environment for an invocation that starts now and is busy at least until `until`.
    pub fn choose(&mut self, function: &FunctionVersion, now: Timestamp, until: Timestamp) -> Choice {
        if let Some(number) = self.take_free(function, now, until) {
            return Choice::Reuse(number);
        }
        Choice::Fresh(self.add(function, |number| Slot {
            number,
            stage: Stage::Running,
            free_at: until,
            used: now,
            provisioned: false,
            retiring: false,
        }))
    }

    /// A new environment that is made ready now and kept so.
    pub fn prepare(&mut self, function: &FunctionVersion, now: Timestamp) -> Number {
        self.add(function, |number| Slot {
            number,
            stage: Stage::Preparing,
            free_at: now,
            used: now,
            provisioned: true,
            retiring: false,
        })
    }

    fn add(&mut self, function: &FunctionVersion, slot: impl FnOnce(Number) -> Slot) -> Number {
        let group = self.groups.entry(function.clone()).or_default();
        group.last = group.last.saturating_add(1);
        group.slots.push(slot(group.last));
        group.last
    }

    /// How many environments of all functions are being made ready for nobody yet.
    pub fn preparing(&self) -> usize {
        let slots = self.groups.values().flat_map(|group| &group.slots);
        slots.filter(|s| s.stage == Stage::Preparing).count()
    }

    /// How many environments of the function's version are kept ready, and how many of them have been ready.
    pub fn provisioned(&self, function: &FunctionVersion) -> (u32, u32) {
        let slots = self.groups.get(function).map_or(&[][..], |g| &g.slots);
        let kept = slots.iter().filter(|s| s.provisioned && !s.retiring);
        kept.fold((0, 0), |(all, ready), slot| {
            (all + 1, ready + u32::from(slot.stage != Stage::Preparing))
        })
    }

    /// Keeps `count` provisioned environments fewer: the caller stops the ones returned, the others are like any.
    pub fn release(&mut self, function: &FunctionVersion, count: u32) -> Vec<Number> {
        let Some(group) = self.groups.get_mut(function) else {
            return Vec::new();
        };
        let mut kept: Vec<&mut Slot> = group
            .slots
            .iter_mut()
            .filter(|s| s.provisioned && !s.retiring)
            .collect();
        // Those that nobody misses first.
        kept.sort_by_key(|s| {
            (
                !s.is_unused(),
                s.stage != Stage::Preparing,
                std::cmp::Reverse(s.number),
            )
        });
        let mut gone = Vec::new();
        for slot in kept.into_iter().take(count as usize) {
            slot.provisioned = false;
            if slot.is_unused() {
                gone.push(slot.number);
            }
        }
        group.slots.retain(|s| !gone.contains(&s.number));
        gone
    }

    /// A provisioned environment broke. The caller stops one that was forgotten.
    pub fn lose(&mut self, function: &FunctionVersion, number: Number) -> Lost {
        let Some(slot) = self.slot(function, number) else {
            return Lost::Unknown;
        };
        let provisioned = std::mem::replace(&mut slot.provisioned, false);
        slot.retiring = true;
        let lost = match slot.stage {
            Stage::Preparing => Lost::Preparing,
            Stage::Free => Lost::Free,
            Stage::Running | Stage::Finishing if provisioned => return Lost::Running,
            Stage::Running | Stage::Finishing => return Lost::Unknown,
        };
        self.forget(function, number);
        lost
    }

    /// Takes a free environment, if there is one.
    pub fn take_free(
        &mut self,
        function: &FunctionVersion,
        now: Timestamp,
        until: Timestamp,
    ) -> Option<Number> {
        let slots = &mut self.groups.get_mut(function)?.slots;
        let free = slots
            .iter_mut()
            .filter(|s| s.stage == Stage::Free && s.free_at <= now && !s.retiring);
        let slot = free.max_by_key(|s| (s.provisioned, s.used, s.number))?;
        (slot.stage, slot.used, slot.free_at) = (Stage::Running, now, until);
        Some(slot.number)
    }

    /// How many environments of the function's version have answered and are about to be free.
    pub fn finishing(&self, function: &FunctionVersion) -> usize {
        let slots = self.groups.get(function).map_or(&[][..], |g| &g.slots);
        slots
            .iter()
            .filter(|s| s.stage == Stage::Finishing && !s.retiring)
            .count()
    }

    /// The invocation of an environment ended; it lasts until `until` on the fabric's clock.
    pub fn finished(&mut self, function: &FunctionVersion, number: Number, until: Timestamp) {
        if let Some(slot) = self.slot(function, number) {
            slot.stage = Stage::Finishing;
            slot.free_at = until;
        }
    }

    /// When the invocation that an environment runs, or ran last, was dispatched.
    pub fn dispatched(&self, function: &FunctionVersion, number: Number) -> Option<Timestamp> {
        self.groups
            .get(function)?
            .slots
            .iter()
            .find(|s| s.number == number)
            .map(|s| s.used)
    }

    /// An environment can take an invocation again. Answers whether it is to be stopped instead.
    pub fn ready(&mut self, function: &FunctionVersion, number: Number) -> bool {
        let Some(slot) = self.slot(function, number) else {
            return false;
        };
        slot.stage = Stage::Free;
        let retiring = slot.retiring;
        if retiring {
            self.forget(function, number);
        }
        retiring
    }

    /// Forgets the unused environments of a function and marks the others; the caller stops the ones returned.
    pub fn retire(&mut self, function: &FunctionVersion) -> Vec<Number> {
        let Some(group) = self.groups.get_mut(function) else {
            return Vec::new();
        };
        let (free, busy) = group.slots.drain(..).partition(Slot::is_unused);
        group.slots = busy;
        group.slots.iter_mut().for_each(|s| s.retiring = true);
        let free: Vec<Slot> = free;
        free.iter().map(|s| s.number).collect()
    }

    /// Forgets every environment that was free for `idle`; the caller stops them.
    pub fn expire(&mut self, now: Timestamp, idle: Duration) -> Vec<(FunctionVersion, Number)> {
        let mut gone = Vec::new();
        for (function, group) in &mut self.groups {
            group.slots.retain(|s| {
                let keep = s.stage != Stage::Free || s.provisioned || s.free_at + idle > now;
                if !keep {
                    gone.push((function.clone(), s.number));
                }
                keep
            });
        }
        gone
    }

    /// When the next environment will have been free for `idle`.
    pub fn next_expiry(&self, idle: Duration) -> Option<Timestamp> {
        let slots = self.groups.values().flat_map(|g| &g.slots);
        slots
            .filter(|s| s.stage == Stage::Free && !s.provisioned)
            .map(|s| s.free_at + idle)
            .min()
    }

    fn forget(&mut self, function: &FunctionVersion, number: Number) {
        if let Some(group) = self.groups.get_mut(function) {
            group.slots.retain(|s| s.number != number);
        }
    }

    fn slot(&mut self, function: &FunctionVersion, number: Number) -> Option<&mut Slot> {
        self.groups
            .get_mut(function)?
            .slots
            .iter_mut()
            .find(|s| s.number == number)
    }
}

#[cfg(test)]
mod tests {
    use router::name::FunctionName;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn two_at_the_same_instant_use_two_environments_even_if_one_is_done() {
        let (mut pool, f) = (Pool::default(), FunctionVersion::latest(FunctionName::new("f")));
        assert_eq!(pool.choose(&f, at(0), at(10)), Choice::Fresh(1));
        pool.ready(&f, 1);
        assert_eq!(pool.choose(&f, at(0), at(10)), Choice::Fresh(2));
        pool.ready(&f, 2);
        assert_eq!(
            pool.choose(&f, at(10), at(20)),
            Choice::Reuse(2),
            "a tie goes to the highest number"
        );
        assert_eq!(pool.choose(&f, at(10), at(20)), Choice::Reuse(1));
    }

    #[test]
    fn the_most_recently_used_goes_first() {
        let (mut pool, f) = (Pool::default(), FunctionVersion::latest(FunctionName::new("f")));
        pool.choose(&f, at(0), at(0));
        pool.choose(&f, at(1), at(1));
        pool.ready(&f, 1);
        pool.ready(&f, 2);
        assert_eq!(pool.choose(&f, at(2), at(2)), Choice::Reuse(2));
        assert_eq!(pool.choose(&f, at(3), at(3)), Choice::Reuse(1));
        pool.ready(&f, 1);
        pool.ready(&f, 2);
        assert_eq!(pool.choose(&f, at(4), at(4)), Choice::Reuse(1));
    }

    #[test]
    fn a_reset_function_starts_with_a_new_number_and_busy_ones_end_later() {
        let (mut pool, f) = (Pool::default(), FunctionVersion::latest(FunctionName::new("f")));
        pool.choose(&f, at(0), at(0));
        pool.choose(&f, at(0), at(0));
        pool.ready(&f, 1);
        assert_eq!(pool.retire(&f), [1]);
        assert_eq!(pool.choose(&f, at(1), at(1)), Choice::Fresh(3));
        assert!(pool.ready(&f, 2), "the one that was busy is to be stopped");
        assert!(!pool.ready(&f, 3));
    }

    #[test]
    fn idle_environments_expire() {
        let (mut pool, f) = (Pool::default(), FunctionVersion::latest(FunctionName::new("f")));
        pool.choose(&f, at(0), at(0));
        pool.finished(&f, 1, at(5));
        assert_eq!(pool.next_expiry(10 * MS), None);
        pool.ready(&f, 1);
        assert_eq!(pool.next_expiry(10 * MS), Some(at(15)));
        assert!(pool.expire(at(14), 10 * MS).is_empty());
        assert_eq!(pool.expire(at(15), 10 * MS), [(f, 1)]);
    }

    #[test]
    fn provisioned_environments_go_first_and_are_kept() {
        let (mut pool, f) = (Pool::default(), FunctionVersion::latest(FunctionName::new("f")));
        assert_eq!(pool.prepare(&f, at(0)), 1);
        assert_eq!(pool.choose(&f, at(1), at(1)), Choice::Fresh(2), "it is not ready");
        assert_eq!(pool.preparing(), 1);
        assert_eq!(pool.provisioned(&f), (1, 0));
        pool.ready(&f, 1);
        pool.ready(&f, 2);
        assert_eq!(pool.provisioned(&f), (1, 1));
        assert_eq!(
            pool.choose(&f, at(2), at(2)),
            Choice::Reuse(1),
            "though 2 was used later"
        );
        pool.ready(&f, 1);
        assert_eq!(pool.expire(at(100), 10 * MS), [(f.clone(), 2)]);
        assert_eq!(pool.next_expiry(10 * MS), None);
    }

    #[test]
    fn what_is_released_is_like_any_other() {
        let (mut pool, f) = (Pool::default(), FunctionVersion::latest(FunctionName::new("f")));
        for number in 1..=3 {
            assert_eq!(pool.prepare(&f, at(0)), number);
        }
        pool.ready(&f, 1);
        pool.ready(&f, 2);
        assert_eq!(pool.choose(&f, at(1), at(1)), Choice::Reuse(2));
        assert_eq!(pool.release(&f, 1), [3], "it is not ready yet");
        assert_eq!(pool.release(&f, 5), [1], "2 is busy");
        assert_eq!(pool.provisioned(&f), (0, 0));
        pool.ready(&f, 2);
        assert_eq!(pool.expire(at(100), 10 * MS), [(f, 2)]);
    }

    #[test]
    fn one_that_is_lost_is_forgotten_or_ends_with_its_invocation() {
        let (mut pool, f) = (Pool::default(), FunctionVersion::latest(FunctionName::new("f")));
        for _ in 0..3 {
            pool.prepare(&f, at(0));
        }
        assert_eq!(pool.lose(&f, 1), Lost::Preparing);
        pool.ready(&f, 2);
        pool.ready(&f, 3);
        assert_eq!(pool.choose(&f, at(1), at(1)), Choice::Reuse(3));
        assert_eq!(
            (pool.lose(&f, 2), pool.lose(&f, 3), pool.lose(&f, 9)),
            (Lost::Free, Lost::Running, Lost::Unknown)
        );
        assert_eq!(pool.provisioned(&f), (0, 0));
        assert!(pool.ready(&f, 3), "it is to be stopped");
    }
}
