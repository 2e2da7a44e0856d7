//! The two clocks: the system's, and virtual time.
//!
//! Both wait in the [`Reactor`], so that handlers and callers go on meanwhile. Virtual time never passes by
//! itself: it waits, frozen, while something real is under way, and otherwise *becomes* the next deadline.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use executor::Reactor;
use router::fabric::{Clock, Inbox, WaitFor, Wake};
use router::time::Timestamp;

use crate::stop::Stop;

/// After so many waits that ended at once, sockets and the journal get their turn all the same.
const BUSY_WAITS: u32 = 64;

/// The fabric rests when nothing has happened for so long.
const MOMENT: Duration = Duration::from_millis(1);

/// The system's clock, kept from going backwards.
#[derive(Debug)]
pub struct SystemClock {
    reactor: Arc<Reactor>,
    stop: Stop,
    latest: std::cell::Cell<Timestamp>,
    busy_waits: u32,
}

impl SystemClock {
    /// A clock that waits in `reactor` until `stop` is asked for.
    pub fn new(reactor: Arc<Reactor>, stop: Stop) -> Self {
        stop.rings(reactor.doorbell());
        SystemClock {
            reactor,
            stop,
            latest: std::cell::Cell::default(),
            busy_waits: 0,
        }
    }

    fn read(&self) -> Timestamp {
        let now = system_now().max(self.latest.get());
        self.latest.set(now);
        now
    }
}

/// The time of day on the system's clock.
pub fn system_now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

impl<N> Clock<N> for SystemClock {
    fn now(&self) -> Timestamp {
        self.read()
    }

    fn wait(&mut self, inbox: &Inbox<N>, what: WaitFor, rest: &mut dyn FnMut()) -> Wake<N> {
        self.busy_waits += 1;
        let (mut turned, mut rested) = (false, false);
        loop {
            if self.busy_waits >= BUSY_WAITS {
                self.busy_waits = 0;
                self.reactor.turn();
                rest();
            }
            if self.stop.is_asked() {
                return Wake::Stop;
            }
            if let Some(wake) = inbox.take(what.accepting) {
                return wake;
            }
            let left = what.deadline.map(|at| at.since(self.read()));
            if left == Some(Duration::ZERO) {
                return Wake::Deadline;
            }
            // Whoever waits for an answer gets it before the journal is written, and a handler that is quick shares
            // its processor with nothing of ours.
            if !std::mem::replace(&mut turned, true) {
                self.reactor.turn();
            } else if rested {
                self.busy_waits = 0;
                self.reactor.wait(left);
            } else if self
                .reactor
                .wait(Some(left.map_or(MOMENT, |left| left.min(MOMENT))))
            {
                rested = true;
                rest();
            }
        }
    }
}

/// Virtual time.
#[derive(Debug)]
pub struct VirtualClock {
    now: Timestamp,
    reactor: Arc<Reactor>,
    stop: Stop,
    watchdog: Instant,
}

impl VirtualClock {
    /// Virtual time that starts at `start` and waits for reality in `reactor`, until `stop` is asked for or the
    /// `watchdog`'s real time has come.
    pub fn new(start: Timestamp, reactor: Arc<Reactor>, stop: Stop, watchdog: Instant) -> Self {
        stop.rings(reactor.doorbell());
        VirtualClock {
            now: start,
            reactor,
            stop,
            watchdog,
        }
    }
}

impl<N> Clock<N> for VirtualClock {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn wait(&mut self, inbox: &Inbox<N>, what: WaitFor, rest: &mut dyn FnMut()) -> Wake<N> {
        loop {
            if self.stop.is_asked() {
                return Wake::Stop;
            }
            if let Some(at) = what.deadline.filter(|_| !what.busy) {
                self.now = self.now.max(at);
                return Wake::Deadline;
            }
            if let Some(wake) = inbox.take(what.accepting) {
                return wake;
            }
            let left = self.watchdog.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Wake::Stop;
            }
            rest();
            self.reactor.wait(Some(left));
        }
    }
}
