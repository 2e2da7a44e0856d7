//! When to try again: Lambda's rules for asynchronous events as a pure function of history and time.
//!
//! Owns the policy and the verdict (spec/lambda §9.1). Deliberately absent: acting on the verdict.

use std::time::Duration;

use crate::event::Failure;
use crate::time::Timestamp;

/// The largest `MaximumRetryAttempts` that Lambda takes.
pub const MAX_RETRIES: u32 = 2;
/// `MaximumEventAgeInSeconds`, default and largest: 6 hours.
pub const MAX_EVENT_AGE: Duration = Duration::from_secs(21_600);
/// `MaximumEventAgeInSeconds`, smallest: 1 minute.
pub const MIN_EVENT_AGE: Duration = Duration::from_secs(60);
/// The first wait after a throttle or system error; it doubles from there.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after a throttle or system error.
pub const BACKOFF_LONGEST: Duration = Duration::from_secs(300);

/// How an asynchronous event is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// `MaximumRetryAttempts`: attempts after the first that a function error may cost.
    pub retries: u32,
    /// The wait after each function error; the last one repeats. AWS: 1 min, then 2 min.
    pub delays: Vec<Duration>,
    /// `MaximumEventAgeInSeconds`.
    pub max_age: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            retries: MAX_RETRIES,
            delays: vec![Duration::from_secs(60), Duration::from_secs(120)],
            max_age: MAX_EVENT_AGE,
        }
    }
}

/// What happened to an event so far, the failure under judgement included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// When the event was accepted.
    pub accepted: Timestamp,
    /// Times the function ran.
    pub executions: u32,
    /// Throttles and system errors in a row, the latest included.
    pub refusals: u32,
}

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again at this time.
    RetryAt(Timestamp),
    /// It is over.
    GiveUp(Condition),
}

/// Why an event was given up: `requestContext.condition` of its record (spec/lambda §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every attempt that the policy allows has failed.
    RetriesExhausted,
    /// The next attempt would start after the event's maximum age.
    EventAgeExceeded,
    /// The function's reserved concurrency is 0.
    ZeroReservedConcurrency,
}

impl Condition {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::RetriesExhausted => "RetriesExhausted",
            Condition::EventAgeExceeded => "EventAgeExceeded",
            Condition::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

impl RetryPolicy {
    /// Judges a failure. The age check looks ahead: an event is given up at once when its *next* attempt
    /// would start later than the maximum age (spec/lambda §9.1).
    pub fn after(&self, history: History, failure: &Failure, now: Timestamp) -> Verdict {
        let wait = match failure {
            Failure::Function(_) => {
                if history.executions > self.retries {
                    return Verdict::GiveUp(Condition::RetriesExhausted);
                }
                self.delay_after(history.executions)
            }
            Failure::Throttled(_) | Failure::System(_) | Failure::Missing(_) => backoff(history.refusals),
        };
        let next = now + wait;
        if next.since(history.accepted) > self.max_age {
            return Verdict::GiveUp(Condition::EventAgeExceeded);
        }
        Verdict::RetryAt(next)
    }

    fn delay_after(&self, executions: u32) -> Duration {
        let index = (executions.max(1) - 1) as usize;
        self.delays
            .get(index)
            .or(self.delays.last())
            .copied()
            .unwrap_or_default()
    }
}

/// 1 s after the first refusal in a row, doubling to 5 min.
fn backoff(refusals: u32) -> Duration {
    let doublings = refusals.max(1) - 1;
    BACKOFF_FIRST
        .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
        .min(BACKOFF_LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{ErrorKind, FunctionError, ThrottleReason};

    const T0: Timestamp = Timestamp::VIRTUAL_START;

    fn error() -> Failure {
        Failure::Function(FunctionError {
            kind: ErrorKind::Error,
            payload: "{}".into(),
        })
    }

    fn throttle() -> Failure {
        Failure::Throttled(ThrottleReason::ConcurrentInvocationLimitExceeded)
    }

    fn ran(executions: u32) -> History {
        History {
            accepted: T0,
            executions,
            refusals: 0,
        }
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn function_errors_wait_one_then_two_minutes_and_then_end() {
        let policy = RetryPolicy::default();
        assert_eq!(
            policy.after(ran(1), &error(), T0 + secs(5)),
            Verdict::RetryAt(T0 + secs(65))
        );
        assert_eq!(
            policy.after(ran(2), &error(), T0 + secs(70)),
            Verdict::RetryAt(T0 + secs(190))
        );
        let end = Verdict::GiveUp(Condition::RetriesExhausted);
        assert_eq!(policy.after(ran(3), &error(), T0 + secs(200)), end);
    }

    #[test]
    fn no_retries_means_one_execution() {
        let policy = RetryPolicy {
            retries: 0,
            ..RetryPolicy::default()
        };
        assert_eq!(
            policy.after(ran(1), &error(), T0),
            Verdict::GiveUp(Condition::RetriesExhausted)
        );
    }

    #[test]
    fn throttles_double_from_one_second_to_five_minutes() {
        let policy = RetryPolicy::default();
        let waits: Vec<u64> = (1..=11)
            .map(|refusals| {
                let history = History {
                    accepted: T0,
                    executions: 0,
                    refusals,
                };
                match policy.after(history, &throttle(), T0) {
                    Verdict::RetryAt(at) => at.since(T0).as_secs(),
                    Verdict::GiveUp(_) => 0,
                }
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(backoff(u32::MAX), BACKOFF_LONGEST);
    }

    #[test]
    fn the_age_check_looks_ahead() {
        let policy = RetryPolicy {
            max_age: secs(60),
            ..RetryPolicy::default()
        };
        assert_eq!(
            policy.after(ran(1), &error(), T0),
            Verdict::RetryAt(T0 + secs(60)),
            "exactly the age is allowed"
        );
        let late = T0 + Duration::from_millis(10);
        assert_eq!(
            policy.after(ran(1), &error(), late),
            Verdict::GiveUp(Condition::EventAgeExceeded)
        );
        let history = History {
            accepted: T0,
            executions: 0,
            refusals: 7,
        };
        assert_eq!(
            policy.after(history, &throttle(), T0),
            Verdict::GiveUp(Condition::EventAgeExceeded)
        );
    }
}
