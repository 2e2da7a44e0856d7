//! Reserved concurrency: PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency (spec/lambda §3.4, §8.5).
//!
//! Owns the checks. Deliberately absent: the throttling, which is the router's.

use scenarios::api::error::ApiError;
use serde_json::json;

use super::account::UNRESERVED;
use super::target::{Asked, function};
use super::{Moment, Outcome, Record, Registry, Told, invalid, number, untyped};
use crate::front::lambda::model::Input;

/// PutFunctionConcurrency.
pub fn put(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    // This one tells of a missing function with a qualifier in any case (spec/errors §3).
    let missing = || ApiError::not_found(&asked.full_arn(moment));
    let record = registry.functions.get(&asked.name).ok_or_else(missing)?;
    check_unqualified(&asked)?;
    let wanted = number(input, "ReservedConcurrentExecutions").unwrap_or_default();
    let reserved = check(registry, record, wanted)?;
    if let Some(record) = registry.change(&asked.name) {
        record.reserved = Some(reserved);
    }
    Told::json(200, json!({ "ReservedConcurrentExecutions": reserved }))
}

/// GetFunctionConcurrency: empty where nothing is reserved.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let record = function(registry, moment, input)?;
    check_unqualified(&Asked::read(moment, input)?)?;
    Told::json(
        200,
        match record.reserved {
            Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
            None => json!({}),
        },
    )
}

/// DeleteFunctionConcurrency.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = function(registry, moment, input)?.name.clone();
    check_unqualified(&Asked::read(moment, input)?)?;
    if let Some(record) = registry.change(&name) {
        record.reserved = None;
    }
    Told::nothing()
}

fn check_unqualified(asked: &Asked) -> Result<(), ApiError> {
    match asked.qualifier {
        Some(_) => Err(invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.",
        )),
        None => Ok(()),
    }
}

fn check(registry: &Registry, record: &Record, wanted: i64) -> Result<u32, ApiError> {
    let most = registry.left_by_others(record).saturating_sub(UNRESERVED);
    // To reserve nothing takes nothing, however little is left.
    let fits = |n: &u32| *n == 0 || u64::from(*n) <= most;
    let Some(reserved) = u32::try_from(wanted).ok().filter(fits) else {
        return Err(untyped(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    };
    let provisioned = record.provisioned_sum(None);
    match reserved < provisioned {
        true => Err(invalid(format!(
            "ReservedConcurrentExecutions  {reserved} should not be lower than function's total provisioned concurrency [{provisioned}]."
        ))),
        false => Ok(reserved),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::world::{World, arn};

    fn reserve(name: &str, n: i64) -> Value {
        json!({ "FunctionName": name, "ReservedConcurrentExecutions": n })
    }

    #[test]
    fn what_was_reserved_is_told_until_it_is_given_back() {
        let mut world = World::with(&["f"]);
        let f = || json!({ "FunctionName": "f" });
        assert_eq!(world.call("GetFunctionConcurrency", f()), Ok((200, json!({}))));
        let told = json!({ "ReservedConcurrentExecutions": 5 });
        assert_eq!(
            world.call("PutFunctionConcurrency", reserve("f", 5)),
            Ok((200, told.clone()))
        );
        assert_eq!(world.call("GetFunctionConcurrency", f()), Ok((200, told.clone())));
        assert_eq!(world.done("GetFunction", f())["Concurrency"], told);
        assert_eq!(
            world.call("DeleteFunctionConcurrency", f()),
            Ok((204, Value::Null))
        );
        assert_eq!(
            world.call("DeleteFunctionConcurrency", f()),
            Ok((204, Value::Null))
        );
        assert_eq!(world.done("GetFunctionConcurrency", f()), json!({}));
        assert_eq!(world.done("GetFunction", f()).get("Concurrency"), None);
    }

    #[test]
    fn a_hundred_stay_unreserved_over_all_functions() {
        let mut world = World::with(&["f", "g"]);
        world.done("PutFunctionConcurrency", reserve("f", 900));
        world.done("PutFunctionConcurrency", reserve("f", 800));
        world.done("PutFunctionConcurrency", reserve("g", 100));
        world.done("PutFunctionConcurrency", reserve("g", 0));
        for (name, n) in [("g", 101), ("f", 901), ("f", i64::from(u32::MAX) + 1)] {
            let body = json!({ "message": "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]." });
            assert_eq!(
                world.call("PutFunctionConcurrency", reserve(name, n)),
                Err((400, "InvalidParameterValueException", body)),
                "{name} {n}"
            );
        }
        let refused = world.refused("PutFunctionConcurrency", reserve("f", -1));
        assert_eq!(refused.1, "ValidationException");
    }

    #[test]
    fn only_functions_have_it() {
        let mut world = World::with(&["f"]);
        let text = "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.";
        let told = (400, "InvalidParameterValueException", text.to_owned());
        assert_eq!(world.refused("PutFunctionConcurrency", reserve("f:1", 1)), told);
        for operation in ["GetFunctionConcurrency", "DeleteFunctionConcurrency"] {
            assert_eq!(
                world.refused(operation, json!({ "FunctionName": "f:$LATEST" })),
                told
            );
            let text = world.refused(operation, json!({ "FunctionName": "x" })).2;
            assert_eq!(text, format!("Function not found: {}", arn("x")));
        }
        let text = world.refused("PutFunctionConcurrency", reserve("x", 1)).2;
        assert_eq!(text, format!("Function not found: {}", arn("x:$LATEST")));
    }
}
