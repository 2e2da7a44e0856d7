//! Who may run now: reserved concurrency and the account limit (spec/lambda §3.4).
//!
//! A reserved function has its own pool, which caps it too; all others share what is left of the account.

use std::collections::BTreeMap;

use crate::event::ThrottleReason;
use crate::name::FunctionName;
use crate::settings::Settings;

/// Counts of running executions against their limits.
#[derive(Debug)]
pub struct Capacity {
    reserved: BTreeMap<FunctionName, Pool>,
    shared: Pool,
}

#[derive(Debug)]
struct Pool {
    limit: u32,
    running: u32,
}

impl Capacity {
    /// All limits, nothing running.
    pub fn new(settings: &Settings) -> Self {
        let reserved: BTreeMap<_, _> = settings
            .functions
            .iter()
            .filter_map(|(name, f)| {
                Some((
                    name.clone(),
                    Pool {
                        limit: f.reserved?,
                        running: 0,
                    },
                ))
            })
            .collect();
        let taken: u32 = reserved.values().map(|pool| pool.limit).sum();
        Capacity {
            reserved,
            shared: Pool {
                limit: settings.concurrency.saturating_sub(taken),
                running: 0,
            },
        }
    }

    /// Takes a place for one execution, or says why there is none.
    pub fn take(&mut self, function: &FunctionName) -> Result<(), ThrottleReason> {
        let (pool, reason) = match self.reserved.get_mut(function) {
            Some(pool) => (
                pool,
                ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
            ),
            None => (
                &mut self.shared,
                ThrottleReason::ConcurrentInvocationLimitExceeded,
            ),
        };
        if pool.running >= pool.limit {
            return Err(reason);
        }
        pool.running += 1;
        Ok(())
    }

    /// Gives a place back.
    pub fn give_back(&mut self, function: &FunctionName) {
        let pool = self.reserved.get_mut(function).unwrap_or(&mut self.shared);
        debug_assert!(
            pool.running > 0,
            "a place is given back once for each that was taken"
        );
        pool.running = pool.running.saturating_sub(1);
    }
}
