//! Provisioned concurrency: Put, Get, Delete and ListProvisionedConcurrencyConfig(s) (spec/lambda §3.4, §8.5).
//!
//! Owns what was asked for. How much of it is there is asked of the world ([`super::Outside::provisioned`]), which knows
//! the environments of versions; so an alias' are those of its main version, and of a version and the aliases that point
//! to it only one may have any. Deliberately absent: the environments.

use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::UNRESERVED;
use super::configuration::{arn, stamp};
use super::function::PAGE;
use super::target::{Asked, UNQUALIFIED, function, is_alias};
use super::{Moment, Outcome, Record, Registry, Told, conflict, invalid, number, page, untyped};
use crate::front::lambda::model::Input;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioned {
    /// Environments, at least 1.
    pub requested: u32,
    /// When it was asked for.
    pub modified: Timestamp,
}

impl Record {
    /// What is provisioned of it, but for one qualifier.
    pub fn provisioned_sum(&self, but: Option<&str>) -> u32 {
        let others = self
            .provisioned
            .iter()
            .filter(|(key, _)| Some(key.as_str()) != but);
        others.fold(0, |sum, (_, provisioned)| {
            sum.saturating_add(provisioned.requested)
        })
    }

    /// Refuses what would provision a version twice (spec/errors §4); `key` is to lead to `version`.
    ///
    /// # Errors
    /// The version has it, or an alias that points to it has.
    pub fn check_provisioned_once(&self, key: &str, version: &str) -> Result<(), ApiError> {
        if !is_alias(key) {
            let by_alias = |other: &String| {
                self.aliases
                    .get(other)
                    .is_some_and(|alias| alias.version == version)
            };
            return match self.provisioned.keys().any(by_alias) {
                true => Err(conflict("Version is pointed by a Provisioned Concurrency alias")),
                false => Ok(()),
            };
        }
        let leads = |other: &String| self.resolve(Some(other)).is_some_and(|(led, _)| led == version);
        match self.provisioned.keys().any(|other| other != key && leads(other)) {
            true => Err(conflict(
                "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
            )),
            false => Ok(()),
        }
    }
}

/// PutProvisionedConcurrencyConfig.
pub fn put(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    let record = asked.expect(registry, moment)?;
    if asked.key() == UNQUALIFIED {
        return Err(invalid(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    let wanted = number(input, "ProvisionedConcurrentExecutions").unwrap_or_default();
    let requested = check_amount(registry, record, asked.key(), wanted)?;
    let version = record.resolve(Some(asked.key())).map(|(version, _)| version);
    record.check_provisioned_once(asked.key(), &version.unwrap_or_default())?;
    let provisioned = Provisioned {
        requested,
        modified: moment.now,
    };
    if let Some(record) = registry.change(&asked.name) {
        record.provisioned.insert(asked.key().to_owned(), provisioned);
    }
    // The first answer tells of nothing yet, as AWS's does.
    Told::json(202, show(provisioned, 0, false))
}

/// GetProvisionedConcurrencyConfig.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (asked, record) = published(registry, moment, input)?;
    match record.provisioned.get(asked.key()) {
        Some(provisioned) => Told::json(200, shown(moment, record, asked.key(), *provisioned)),
        None => Err(ApiError::user(
            404,
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )),
    }
}

/// DeleteProvisionedConcurrencyConfig: one that is not there is gone already.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (asked, _) = published(registry, moment, input)?;
    if let Some(record) = registry.change(&asked.name) {
        record.provisioned.remove(asked.key());
    }
    Told::nothing()
}

/// ListProvisionedConcurrencyConfigs, by qualifier.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let record = function(registry, moment, input)?;
    let items = record.provisioned.iter().map(|(key, provisioned)| {
        let mut item = shown(moment, record, key, *provisioned);
        item["FunctionArn"] = json!(arn(moment.place, &record.name, Some(key)));
        (key.clone(), item)
    });
    let items = items.collect();
    Told::json(200, page(input, PAGE, "ProvisionedConcurrencyConfigs", items)?)
}

fn published<'a>(
    registry: &'a Registry,
    moment: &Moment<'_>,
    input: &Input,
) -> Result<(Asked, &'a Record), ApiError> {
    let asked = Asked::read(moment, input)?;
    let record = asked.expect(registry, moment)?;
    match asked.key() == UNQUALIFIED {
        true => Err(invalid(
            "The function resource provided must be an alias or a published version.",
        )),
        false => Ok((asked, record)),
    }
}

/// What a function may have: as much as is reserved for it, or as the account can spare.
fn check_amount(registry: &Registry, record: &Record, key: &str, wanted: i64) -> Result<u32, ApiError> {
    let sum = u64::try_from(wanted).unwrap_or_default() + u64::from(record.provisioned_sum(Some(key)));
    if let Some(reserved) = record.reserved {
        if sum > reserved.into() {
            return Err(invalid(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
            ));
        }
    } else {
        let left = registry.left_by_others(record);
        if sum > left {
            return Err(untyped(format!(
                "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [{left}]."
            )));
        }
        if left - sum < UNRESERVED {
            return Err(untyped(format!(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
            )));
        }
    }
    u32::try_from(wanted).map_err(|_| invalid("ProvisionedConcurrentExecutions is out of range"))
}

fn shown(moment: &Moment<'_>, record: &Record, key: &str, provisioned: Provisioned) -> Value {
    let version = record.resolve(Some(key)).map(|(version, _)| version);
    let (available, failed) = moment
        .outside
        .provisioned(&record.name, &version.unwrap_or_default());
    show(provisioned, available, failed)
}

fn show(provisioned: Provisioned, available: u32, failed: bool) -> Value {
    let there = if failed {
        0
    } else {
        available.min(provisioned.requested)
    };
    let status = match (failed, there == provisioned.requested) {
        (true, _) => "FAILED",
        (false, true) => "READY",
        (false, false) => "IN_PROGRESS",
    };
    let mut shown = json!({
        "RequestedProvisionedConcurrentExecutions": provisioned.requested,
        "AvailableProvisionedConcurrentExecutions": there,
        "AllocatedProvisionedConcurrentExecutions": there,
        "Status": status,
        "LastModified": stamp(provisioned.modified),
    });
    if failed {
        shown["StatusReason"] = json!("FUNCTION_ERROR_INIT_FAILURE");
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::world::{World, and, arn};

    fn at(name: &str, qualifier: &str) -> Value {
        json!({ "FunctionName": name, "Qualifier": qualifier })
    }

    fn put(name: &str, qualifier: &str, n: i64) -> Value {
        and(
            at(name, qualifier),
            json!({ "ProvisionedConcurrentExecutions": n }),
        )
    }

    fn shape(requested: u32, there: u32, status: &str) -> Value {
        json!({
            "RequestedProvisionedConcurrentExecutions": requested,
            "AvailableProvisionedConcurrentExecutions": there,
            "AllocatedProvisionedConcurrentExecutions": there,
            "Status": status,
            "LastModified": "2025-11-25T02:38:25.123+0000",
        })
    }

    #[test]
    fn environments_become_available_or_fail() {
        let mut world = World::with_alias();
        let answer = world.call("PutProvisionedConcurrencyConfig", put("f", "live", 3));
        assert_eq!(answer, Ok((202, shape(3, 0, "IN_PROGRESS"))));
        let failed = and(
            shape(3, 0, "FAILED"),
            json!({ "StatusReason": "FUNCTION_ERROR_INIT_FAILURE" }),
        );
        let steps = [
            ((0, false), shape(3, 0, "IN_PROGRESS")),
            ((2, false), shape(3, 2, "IN_PROGRESS")),
            ((3, false), shape(3, 3, "READY")),
            ((4, false), shape(3, 3, "READY")),
            ((1, true), failed),
        ];
        for (there, shown) in steps {
            world.outside.provisioned.insert("f:1".to_owned(), there);
            let answer = world.call("GetProvisionedConcurrencyConfig", at("f", "live"));
            assert_eq!(answer, Ok((200, shown.clone())));
            let listed = world.done(
                "ListProvisionedConcurrencyConfigs",
                json!({ "FunctionName": "f" }),
            );
            let item = and(shown, json!({ "FunctionArn": arn("f:live") }));
            assert_eq!(listed, json!({ "ProvisionedConcurrencyConfigs": [item] }));
        }
        let gone = world.call("DeleteProvisionedConcurrencyConfig", at("f", "live"));
        assert_eq!(gone, Ok((204, Value::Null)));
        let text = "No Provisioned Concurrency Config found for this function";
        assert_eq!(
            world
                .call("GetProvisionedConcurrencyConfig", at("f", "live"))
                .err(),
            Some((
                404,
                "ProvisionedConcurrencyConfigNotFoundException",
                json!({ "Type": "User", "message": text })
            ))
        );
        let again = world.call("DeleteProvisionedConcurrencyConfig", at("f", "live"));
        assert_eq!(again, Ok((204, Value::Null)));
    }

    #[test]
    fn a_version_is_provisioned_once() {
        let mut world = World::with_alias();
        world.done("PutProvisionedConcurrencyConfig", put("f", "live", 1));
        let refused = world.refused("PutProvisionedConcurrencyConfig", put("f", "1", 1));
        let text = "Version is pointed by a Provisioned Concurrency alias";
        assert_eq!(refused, (409, "ResourceConflictException", text.to_owned()));
        world.done("DeleteProvisionedConcurrencyConfig", at("f", "live"));
        world.done("PutProvisionedConcurrencyConfig", put("f", "1", 1));
        let text =
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version";
        let told = (409, "ResourceConflictException", text.to_owned());
        assert_eq!(
            world.refused("PutProvisionedConcurrencyConfig", put("f", "live", 1)),
            told
        );
        world.done(
            "UpdateFunctionConfiguration",
            json!({ "FunctionName": "f", "Timeout": 4 }),
        );
        world.pass(std::time::Duration::from_secs(1));
        world.done("PublishVersion", json!({ "FunctionName": "f" }));
        let lead = |version: &str| json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": version });
        world.done("UpdateAlias", lead("2"));
        world.done("PutProvisionedConcurrencyConfig", put("f", "live", 1));
        assert_eq!(world.refused("UpdateAlias", lead("1")), told);
    }

    #[test]
    fn there_is_not_more_than_account_and_function_have() {
        let mut world = World::with_alias();
        let code = "InvalidParameterValueException";
        let untyped = |text: &str| Err((400, code, json!({ "message": text })));
        let over = "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000].";
        let under = "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].";
        let mut put_n = |n: i64| world.call("PutProvisionedConcurrencyConfig", put("f", "1", n));
        assert_eq!(put_n(1001), untyped(over));
        assert_eq!(put_n(901), untyped(under));
        assert_eq!(put_n(900).map(|(status, _)| status), Ok(202));
        assert_eq!(put_n(5).map(|(status, _)| status), Ok(202));
        assert_eq!(
            put_n(0).err().map(|refused| refused.1),
            Some("ValidationException")
        );
        let reserve = |n: u32| json!({ "FunctionName": "f", "ReservedConcurrentExecutions": n });
        let text = "ReservedConcurrentExecutions  4 should not be lower than function's total provisioned concurrency [5].";
        assert_eq!(world.refused("PutFunctionConcurrency", reserve(4)).2, text);
        world.done("PutFunctionConcurrency", reserve(5));
        let text = "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function";
        let refused = world.refused("PutProvisionedConcurrencyConfig", put("f", "1", 6));
        assert_eq!(refused, (400, code, text.to_owned()));
    }

    #[test]
    fn only_what_is_published_has_it() {
        let mut world = World::with_alias();
        let text = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
        assert_eq!(
            world
                .refused("PutProvisionedConcurrencyConfig", put("f", "$LATEST", 1))
                .2,
            text
        );
        for operation in [
            "GetProvisionedConcurrencyConfig",
            "DeleteProvisionedConcurrencyConfig",
        ] {
            let text = "The function resource provided must be an alias or a published version.";
            assert_eq!(world.refused(operation, at("f", "$LATEST")).2, text);
            let text = format!("Cannot find alias arn: {}", arn("f:dead"));
            assert_eq!(world.refused(operation, at("f", "dead")).2, text);
            let text = format!("Function not found: {}", arn("f:9"));
            assert_eq!(world.refused(operation, at("f", "9")).2, text);
        }
        let listed = world.refused(
            "ListProvisionedConcurrencyConfigs",
            json!({ "FunctionName": "x" }),
        );
        assert_eq!(listed.2, format!("Function not found: {}", arn("x")));
    }

    #[test]
    fn it_goes_with_its_alias_or_version() {
        let mut world = World::with_alias();
        world.done("PutProvisionedConcurrencyConfig", put("f", "live", 1));
        world.done("DeleteAlias", json!({ "FunctionName": "f", "Name": "live" }));
        world.done("PutProvisionedConcurrencyConfig", put("f", "1", 1));
        world.done("DeleteFunction", at("f", "1"));
        let listed = world.done(
            "ListProvisionedConcurrencyConfigs",
            json!({ "FunctionName": "f" }),
        );
        assert_eq!(listed, json!({ "ProvisionedConcurrencyConfigs": [] }));
    }
}
