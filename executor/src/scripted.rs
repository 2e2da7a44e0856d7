//! A stand-in for [`Executor`](crate::Executor) without processes: outcomes come from a script.
//!
//! Owns nothing but the pool, so environments are chosen and named as in a real run. For simulation, tests and
//! benches. Deliberately absent: logs, injuries beyond what the script makes of them.

use router::event::{Invocation, Outcome};
use router::time::Timestamp;

use crate::executor::Heard;
use crate::function::Injury;
use crate::pool::{Choice, Pool};

/// Says how an attempt ends.
pub type Script = Box<dyn FnMut(&Invocation, Option<Injury>) -> Outcome + Send>;

/// An executor that knows every outcome at once.
pub struct Scripted {
    script: Script,
    pool: Pool,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl Scripted {
    /// An executor that follows `script`.
    pub fn new(script: Script) -> Self {
        Scripted {
            script,
            pool: Pool::default(),
        }
    }

    /// Runs an invocation; it takes the outcome's duration on the fabric's clock.
    pub fn invoke(&mut self, now: Timestamp, invocation: Invocation, injury: Option<Injury>) -> Heard {
        let outcome = (self.script)(&invocation, injury);
        let function = &invocation.function();
        let (number, cold) = match self.pool.choose(function, now, now + outcome.duration) {
            Choice::Reuse(number) => (number, false),
            Choice::Fresh(number) => (number, true),
        };
        self.pool.ready(function, number);
        Heard::Finished {
            attempt: invocation.attempt,
            environment: Some(function.environment(number)),
            name: invocation.name,
            outcome,
            cold,
            figures: None,
        }
    }
}
