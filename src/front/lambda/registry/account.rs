//! The account: its limits, what is used of them, and GetAccountSettings (spec/lambda §3.4, §8.7).
//!
//! Owns the sums over all functions. Deliberately absent: who is throttled.

use serde_json::json;

use super::{Moment, Outcome, Record, Registry, Told};
use crate::front::lambda::model::Input;

/// Concurrent executions of an account.
pub const CONCURRENCY: u64 = 1000;
/// Concurrent executions that no function may keep for itself.
pub const UNRESERVED: u64 = 100;
/// Bytes of code that an account may store.
const CODE_STORAGE: u64 = 80_530_636_800;
/// Bytes that a package may have unpacked.
const UNZIPPED: u64 = 262_144_000;
/// Bytes that a package may have packed.
const ZIPPED: u64 = 52_428_800;

impl Registry {
    /// What the functions but one leave of the account's concurrency. A function holds what is reserved for it, or
    /// without that what is provisioned of it.
    pub fn left_by_others(&self, but: &Record) -> u64 {
        let others = self.functions.values().filter(|record| record.name != but.name);
        let holds = |record: &Record| record.reserved.unwrap_or_else(|| record.provisioned_sum(None));
        let held: u64 = others.map(|record| u64::from(holds(record))).sum();
        CONCURRENCY.saturating_sub(held)
    }
}

/// GetAccountSettings.
pub fn get(registry: &mut Registry, _: &mut Moment<'_>, _: &Input) -> Outcome {
    let records = || registry.functions.values();
    let reserved: u64 = records()
        .filter_map(|record| record.reserved)
        .map(u64::from)
        .sum();
    let sizes = records().flat_map(|record| record.revisions().map(|(_, revision)| revision.code.size()));
    let stored: u64 = sizes.sum();
    Told::json(
        200,
        json!({
            "AccountLimit": {
                "TotalCodeSize": CODE_STORAGE,
                "CodeSizeUnzipped": UNZIPPED,
                "CodeSizeZipped": ZIPPED,
                "ConcurrentExecutions": CONCURRENCY,
                "UnreservedConcurrentExecutions": CONCURRENCY.saturating_sub(reserved),
            },
            "AccountUsage": { "TotalCodeSize": stored, "FunctionCount": registry.functions.len() },
        }),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::world::World;

    #[test]
    fn limits_and_use_are_told() {
        let mut world = World::with(&["f", "g"]);
        world.done("PublishVersion", json!({ "FunctionName": "f" }));
        let reserve = json!({ "FunctionName": "f", "ReservedConcurrentExecutions": 10 });
        world.done("PutFunctionConcurrency", reserve);
        let size =
            world.done("GetFunctionConfiguration", json!({ "FunctionName": "f" }))["CodeSize"].as_u64();
        assert_eq!(
            world.call("GetAccountSettings", json!({})),
            Ok((
                200,
                json!({
                    "AccountLimit": {
                        "TotalCodeSize": 80_530_636_800_u64, "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800,
                        "ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 990,
                    },
                    "AccountUsage": { "TotalCodeSize": size.unwrap_or_default() * 3, "FunctionCount": 2 },
                })
            ))
        );
    }
}
