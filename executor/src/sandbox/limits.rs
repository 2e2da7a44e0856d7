//! The limits of an environment that are watched: memory and the number of processes (spec/lambda §3.3).
//!
//! Owns how often to look, and the verdict. Pure: what is used comes in. Deliberately absent: reading it
//! ([`usage`](super::usage)), and killing.

use std::time::Duration;

use super::usage::Usage;

/// How many processes an environment may have, as on AWS.
pub const PROCESSES: usize = 742;
/// How often memory is looked at when the limit is near.
const OFTEN: Duration = Duration::from_millis(5);
/// How often otherwise.
const SELDOM: Duration = Duration::from_millis(50);
/// How fast memory can be filled, at most.
const BYTES_PER_MICROSECOND: u64 = 4096;

/// A limit that was passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Excess {
    /// More memory than the function has.
    Memory,
    /// More processes than an environment may have.
    Processes,
}

/// What a look says.
pub fn judge(usage: Usage, memory: u64) -> Result<Duration, Excess> {
    if usage.memory > memory {
        return Err(Excess::Memory);
    }
    if usage.processes > PROCESSES {
        return Err(Excess::Processes);
    }
    Ok(next(usage.memory, memory))
}

/// When to look again: before the rest can be filled, within reason.
pub fn next(used: u64, memory: u64) -> Duration {
    let rest = memory.saturating_sub(used);
    Duration::from_micros(rest / BYTES_PER_MICROSECOND).clamp(OFTEN, SELDOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn usage(memory: u64, processes: usize) -> Usage {
        Usage { memory, processes }
    }

    #[test]
    fn the_limit_itself_may_be_used() {
        assert!(judge(usage(128 * MB, 1), 128 * MB).is_ok());
        assert_eq!(judge(usage(128 * MB + 1, 1), 128 * MB), Err(Excess::Memory));
        assert!(judge(usage(MB, PROCESSES), 128 * MB).is_ok());
        assert_eq!(judge(usage(MB, PROCESSES + 1), 128 * MB), Err(Excess::Processes));
    }

    #[test]
    fn the_nearer_the_limit_the_sooner_the_next_look() {
        assert_eq!(next(128 * MB, 128 * MB), OFTEN);
        assert_eq!(next(0, 10_240 * MB), SELDOM);
        let near = next(40 * MB, 128 * MB);
        assert!(near > OFTEN && near < SELDOM, "{near:?}");
    }
}
