//! When an environment that has nothing to do stands still (spec/lambda §3.1, Freeze).
//!
//! In virtual pace at once: time may leap. In live pace a moment later: the next event often comes at once, and to
//! stop a process and let it go on costs more than all else of a quick invocation. Owns that moment. Deliberately
//! absent: the stopping ([`sandbox`](crate::sandbox)), and what a rest is, which the
//! [environment](crate::environment) knows.

use std::time::Duration;

use super::Actor;
use super::waits::after;
use crate::function::Pace;

/// From the request for the next event to the freeze, in live pace.
const MOMENT: Duration = Duration::from_millis(5);

impl Actor {
    pub(super) fn freeze(&mut self) {
        match self.site.pace {
            _ if !self.site.spec.freeze => {}
            Pace::Virtual => self.sandbox.freeze(),
            Pace::Live => {
                self.freezes = true;
                self.rest.as_mut().reset(after(MOMENT));
            }
        }
    }

    /// The moment is over, and nothing has begun.
    pub(super) fn rested(&mut self) {
        self.freezes = false;
        self.sandbox.freeze();
    }

    /// Lets it go on now, or not stand still at all.
    pub(super) fn thaw(&mut self) {
        self.freezes = false;
        self.sandbox.thaw();
    }
}
