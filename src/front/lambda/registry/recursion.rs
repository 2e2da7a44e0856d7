//! Recursive loops: GetFunctionRecursionConfig, PutFunctionRecursionConfig (spec/lambda §8.7, §11).
//!
//! Owns what was chosen. Deliberately absent: the recognition of loops.

use serde_json::json;

use super::target::function;
use super::{Moment, Outcome, Registry, Told, text};
use crate::front::lambda::model::Input;

/// GetFunctionRecursionConfig: `Terminate` unless another was chosen.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    tell(function(registry, moment, input)?.terminates_loops)
}

/// PutFunctionRecursionConfig.
pub fn put(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = function(registry, moment, input)?.name.clone();
    let terminates = text(input, "RecursiveLoop") != Some("Allow");
    if let Some(record) = registry.change(&name) {
        record.terminates_loops = terminates;
    }
    tell(terminates)
}

fn tell(terminates: bool) -> Outcome {
    let word = if terminates { "Terminate" } else { "Allow" };
    Told::json(200, json!({ "RecursiveLoop": word }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::world::{World, arn};

    #[test]
    fn loops_end_unless_they_are_allowed() {
        let mut world = World::with(&["f"]);
        let put = |name: &str, word: &str| json!({ "FunctionName": name, "RecursiveLoop": word });
        let get =
            |world: &mut World| world.call("GetFunctionRecursionConfig", json!({ "FunctionName": "f" }));
        let told = |word: &str| Ok((200, json!({ "RecursiveLoop": word })));
        assert_eq!(get(&mut world), told("Terminate"));
        for word in ["Allow", "Terminate"] {
            assert_eq!(
                world.call("PutFunctionRecursionConfig", put("f", word)),
                told(word)
            );
            assert_eq!(get(&mut world), told(word));
        }
        let refused = world.refused("PutFunctionRecursionConfig", put("f", "Sometimes"));
        assert_eq!(refused.1, "ValidationException");
        assert!(
            refused.2.ends_with("enum value set: [Terminate, Allow]"),
            "{}",
            refused.2
        );
        let refused = world.refused("GetFunctionRecursionConfig", json!({ "FunctionName": "f:1" }));
        assert_eq!(refused.1, "ValidationException");
        let refused = world.refused("PutFunctionRecursionConfig", put("x", "Allow"));
        assert_eq!(refused.2, format!("Function not found: {}", arn("x")));
    }

    #[test]
    fn records_of_before_terminate() {
        let world = World::with(&["f"]);
        let mut kept = serde_json::to_value(world.registry.get("f")).unwrap_or_default();
        let kept = kept.as_object_mut().map(|kept| {
            for field in [
                "terminates_loops",
                "provisioned",
                "invoke_configs",
                "policies",
                "urls",
            ] {
                assert!(kept.remove(field).is_some(), "{field}");
            }
            Value::Object(kept.clone())
        });
        let record: super::super::Record =
            serde_json::from_value(kept.unwrap_or_default()).expect("a record");
        assert!(record.terminates_loops);
    }
}
