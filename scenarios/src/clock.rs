//! The two clocks: the system's, and virtual time.
//!
//! Virtual time never passes by itself. It waits, frozen, while something real is under way, and otherwise
//! *becomes* the next deadline.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{never, select_biased};
use router::fabric::{Clock, Inbox, WaitFor, Wake};
use router::time::Timestamp;

/// The system's clock, kept from going backwards.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: std::cell::Cell<Timestamp>,
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
        let now = system_now().max(self.latest.get());
        self.latest.set(now);
        now
    }

    fn wait(&mut self, inbox: &Inbox<N>, what: WaitFor) -> Wake<N> {
        let timer = what.deadline.map_or_else(never, |at| {
            let now: Timestamp = Clock::<N>::now(self);
            crossbeam_channel::after(at.since(now))
        });
        let closed = never();
        let arrivals = if what.accepting { &inbox.arrivals } else { &closed };
        select_biased! {
            recv(inbox.stop) -> _ => Wake::Stop,
            recv(inbox.news) -> news => news.map_or(Wake::Stop, Wake::News),
            recv(arrivals) -> input => input.map_or(Wake::Stop, Wake::Arrival),
            recv(timer) -> _ => Wake::Deadline,
        }
    }
}

/// Virtual time.
#[derive(Debug)]
pub struct VirtualClock {
    now: Timestamp,
}

impl VirtualClock {
    /// Virtual time that starts at `start`.
    pub fn new(start: Timestamp) -> Self {
        VirtualClock { now: start }
    }
}

impl<N> Clock<N> for VirtualClock {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn wait(&mut self, inbox: &Inbox<N>, what: WaitFor) -> Wake<N> {
        if what.busy || what.deadline.is_none() {
            return select_biased! {
                recv(inbox.stop) -> _ => Wake::Stop,
                recv(inbox.news) -> news => news.map_or(Wake::Stop, Wake::News),
                recv(inbox.arrivals) -> input => input.map_or(Wake::Stop, Wake::Arrival),
            };
        }
        if inbox.stop.try_recv().is_ok() {
            return Wake::Stop;
        }
        self.now = what.deadline.map_or(self.now, |at| at.max(self.now));
        Wake::Deadline
    }
}
