//! When provisioned environments are started: few at a time, and after a pause where they break again and again.
//!
//! ```text
//!   broke ─► at once ─soon again─► after 1 s ─► 2 s ─► … ─► 60 s        a calm minute begins anew
//! ```
//!
//! Pure: time is a parameter. Owns which versions have fewer environments than they want, and why. Deliberately absent:
//! the environments ([`pool`](crate::pool)), and inits that fail, which are not tried again by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use router::name::FunctionVersion;
use router::time::Timestamp;

/// The first pause; each further one is twice the one before.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);
/// What lasts so long after it was replaced did not break soon.
const CALM: Duration = Duration::from_secs(60);

/// The environments that are to be started, of all versions.
#[derive(Debug)]
pub struct Starts {
    /// How many may be made ready at the same time, at least 1.
    room: usize,
    pauses: BTreeMap<FunctionVersion, Pause>,
    /// The versions that want more than they have; with a time where they wait for it, else they wait for room.
    short: BTreeMap<FunctionVersion, Option<Timestamp>>,
}

/// The pause of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pause {
    length: Duration,
    until: Timestamp,
}

impl Starts {
    /// Nothing is to be started yet; `room` is how many may start at the same time.
    pub fn new(room: usize) -> Self {
        Starts {
            room: room.max(1),
            pauses: BTreeMap::new(),
            short: BTreeMap::new(),
        }
    }

    /// How many of the `missing` environments of a version start now, where `preparing` of all versions do already. The
    /// others are remembered.
    pub fn allow(
        &mut self,
        function: &FunctionVersion,
        now: Timestamp,
        missing: u32,
        preparing: usize,
    ) -> u32 {
        let until = self.pauses.get(function).map(|pause| pause.until);
        let until = until.filter(|until| now < *until);
        let room = u32::try_from(self.room.saturating_sub(preparing)).unwrap_or(u32::MAX);
        let started = if until.is_some() { 0 } else { missing.min(room) };
        match started < missing {
            true => self.short.insert(function.clone(), until),
            false => self.short.remove(function),
        };
        started
    }

    /// An environment broke after it had been ready. One that breaks during a pause does not make it longer.
    pub fn broke(&mut self, function: &FunctionVersion, now: Timestamp) {
        let length = match self.pauses.get(function) {
            Some(pause) if now < pause.until => return,
            Some(pause) if now < pause.until + CALM => (pause.length * 2).clamp(FIRST, LONGEST),
            _ => Duration::ZERO,
        };
        let until = now + length;
        self.pauses.insert(function.clone(), Pause { length, until });
    }

    /// A version is another now, or is asked for anew: what broke before does not count.
    pub fn forget(&mut self, function: &FunctionVersion) {
        self.pauses.remove(function);
        self.short.remove(function);
    }

    /// The versions that want more than they have, and do not wait for a time that is to come.
    pub fn due(&self, now: Timestamp) -> Vec<FunctionVersion> {
        let due = self
            .short
            .iter()
            .filter(|(_, until)| until.is_none_or(|until| until <= now));
        due.map(|(function, _)| function.clone()).collect()
    }

    /// When the next pause ends that somebody waits for.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.short.values().flatten().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use router::name::FunctionName;

    use super::*;

    fn of(name: &str) -> FunctionVersion {
        FunctionVersion::latest(FunctionName::new(name))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn few_start_at_a_time_and_the_next_when_there_is_room() {
        let (mut starts, f, g) = (Starts::new(4), of("f"), of("g"));
        assert_eq!(starts.allow(&f, at(0), 60, 0), 4);
        assert_eq!(starts.allow(&g, at(0), 1, 4), 0, "the room is everybody's");
        assert_eq!(starts.due(at(0)), [f.clone(), g.clone()]);
        assert_eq!(starts.next_deadline(), None, "no time makes room");
        assert_eq!(starts.allow(&f, at(1), 56, 3), 1);
        assert_eq!(starts.allow(&f, at(1), 2, 0), 2);
        assert_eq!(starts.due(at(1)), std::slice::from_ref(&g));
        assert_eq!(starts.allow(&g, at(1), 0, 4), 0, "it wants none any more");
        assert!(starts.due(at(1)).is_empty());
    }

    #[test]
    fn there_is_room_for_one_in_any_case() {
        assert_eq!(Starts::new(0).allow(&of("f"), at(0), 2, 0), 1);
    }

    #[test]
    fn what_breaks_soon_again_is_replaced_after_ever_longer_pauses() {
        let (mut starts, f) = (Starts::new(4), of("f"));
        let mut now = at(100);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            starts.broke(&f, now);
            if starts.allow(&f, now, 1, 0) == 0 {
                let until = starts.next_deadline().expect("a pause");
                assert!(starts.due(now).is_empty());
                assert_eq!(starts.due(until), std::slice::from_ref(&f));
                pauses.push(until.since(now).as_secs());
                now = until;
                assert_eq!(starts.allow(&f, now, 1, 0), 1);
            } else {
                pauses.push(0);
            }
            assert_eq!(starts.next_deadline(), None);
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        starts.broke(&f, now + CALM);
        assert_eq!(starts.allow(&f, now + CALM, 1, 0), 1, "a calm minute");
    }

    #[test]
    fn many_that_break_together_wait_for_one_pause() {
        let (mut starts, f) = (Starts::new(4), of("f"));
        for _ in 0..10 {
            starts.broke(&f, at(5));
        }
        assert_eq!(starts.allow(&f, at(5), 10, 0), 0);
        assert_eq!(starts.next_deadline(), Some(at(6)));
        starts.forget(&f);
        assert_eq!(starts.next_deadline(), None);
        assert_eq!(starts.allow(&f, at(5), 10, 0), 4);
    }
}
