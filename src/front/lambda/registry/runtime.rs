//! Runtime updates and code signing: GetRuntimeManagementConfig, PutRuntimeManagementConfig, GetFunctionCodeSigningConfig.
//!
//! Runtimes are what this machine has installed, so that only `Auto` is offered and nothing is kept; code is never signed.

use serde_json::json;

use super::configuration::arn;
use super::function::find;
use super::target::function;
use super::{Moment, Outcome, Registry, Told, not_offered, text};
use crate::front::lambda::model::Input;

/// GetRuntimeManagementConfig.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (record, asked) = find(registry, moment, input)?;
    let arn = arn(moment.place, &record.name, asked.as_deref());
    Told::json(200, json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": arn }))
}

/// PutRuntimeManagementConfig: `Auto`, which is so already.
pub fn put(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    find(registry, moment, input)?;
    match text(input, "UpdateRuntimeOn") {
        Some("Auto") if !input.contains_key("RuntimeVersionArn") => get(registry, moment, input),
        Some("Auto") => Err(not_offered("RuntimeVersionArn (runtimes are this machine's)")),
        other => Err(not_offered(&format!(
            "UpdateRuntimeOn {}",
            other.unwrap_or_default()
        ))),
    }
}

/// GetFunctionCodeSigningConfig, as of a function that has none.
pub fn code_signing(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let record = function(registry, moment, input)?;
    Told::json(200, json!({ "FunctionName": record.name }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::world::{World, arn};

    #[test]
    fn runtimes_update_themselves_and_nothing_else_is_offered() {
        let mut world = World::with(&["f"]);
        let auto = |arn: String| Ok((200, json!({ "UpdateRuntimeOn": "Auto", "FunctionArn": arn })));
        let get = |name: &str| json!({ "FunctionName": name });
        let put = |name: &str, on: &str| json!({ "FunctionName": name, "UpdateRuntimeOn": on });
        assert_eq!(world.call("GetRuntimeManagementConfig", get("f")), auto(arn("f")));
        assert_eq!(
            world.call("GetRuntimeManagementConfig", get("f:$LATEST")),
            auto(arn("f:$LATEST"))
        );
        assert_eq!(
            world.call("PutRuntimeManagementConfig", put("f", "Auto")),
            auto(arn("f"))
        );
        for on in ["Manual", "FunctionUpdate"] {
            let (status, code, text) = world.refused("PutRuntimeManagementConfig", put("f", on));
            assert_eq!((status, code), (400, "InvalidParameterValueException"));
            assert_eq!(
                text,
                format!("UpdateRuntimeOn {on} is not supported by this version of triggerfish")
            );
        }
        for operation in ["GetRuntimeManagementConfig", "GetFunctionCodeSigningConfig"] {
            let text = world.refused(operation, get("x")).2;
            assert_eq!(text, format!("Function not found: {}", arn("x")));
        }
        let answer = world.call("GetFunctionCodeSigningConfig", get("f"));
        assert_eq!(answer, Ok((200, json!({ "FunctionName": "f" }))));
    }
}
