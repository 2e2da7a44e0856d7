//! Updates: UpdateFunctionCode, UpdateFunctionConfiguration (spec/lambda §8.3).

use serde_json::Value;

use super::config;
use super::configuration::{View, show};
use super::function::{check_idle, unmerged};
use super::version::publish_if;
use super::{
    Moment, Outcome, Registry, Told, check_publish_to, check_revision, code, invalid, target, truth,
};
use crate::front::lambda::model::Input;

/// UpdateFunctionCode.
pub fn code(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    check_publish_to(input)?;
    let mut record = target::function(registry, moment, input)?.clone();
    check_revision(input, &record.latest.revision_id, "GetFunction/GetAlias")?;
    if input.contains_key("ImageUri") {
        return Err(invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip.",
        ));
    }
    let source = code::read(moment, input)?;
    check_idle(moment, &record)?;
    let code = match source.code(moment) {
        Ok(code) => code,
        Err(wanted) => return Ok(Told::Wants(wanted)),
    };
    let mut config = record.latest.config.clone();
    if let Some(Value::Array(architectures)) = input.get("Architectures") {
        let first = architectures.first().and_then(Value::as_str);
        config.architecture = first.unwrap_or(&config.architecture).to_owned();
    }
    if let Some(wanted) = unmerged(moment, &config, &code) {
        return Ok(Told::Wants(wanted));
    }
    record.latest.update(config, code, moment.now, moment.ids);
    let dry = truth(input, "DryRun");
    let shown = match publish_if(truth(input, "Publish") && !dry, &mut record, moment, true) {
        Ok(shown) => shown,
        Err(wanted) => return Ok(Told::Wants(wanted)),
    };
    if !dry {
        registry.insert(record);
    }
    Told::json(200, shown)
}

/// UpdateFunctionConfiguration.
pub fn configuration(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let mut record = target::function(registry, moment, input)?.clone();
    check_revision(input, &record.latest.revision_id, "GetFunction/GetAlias")?;
    let layers = config::layers(moment, input, |arn| registry.layer(arn))?;
    let mut config = record.latest.config.clone();
    config.take(moment, input, layers)?;
    check_idle(moment, &record)?;
    if let Some(wanted) = unmerged(moment, &config, &record.latest.code) {
        return Ok(Told::Wants(wanted));
    }
    let code = record.latest.code.clone();
    record.latest.update(config, code, moment.now, moment.ids);
    let shown = show(
        moment.place,
        &record,
        "$LATEST",
        &record.latest,
        None,
        View::Whole,
    );
    registry.insert(record);
    Told::json(200, shown)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::world::{World, and, arn, new_function};

    const STALE: &str = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id";

    fn f(more: Value) -> Value {
        and(json!({ "FunctionName": "f" }), more)
    }

    /// The two updates, which change nothing.
    fn updates() -> [(&'static str, Value); 2] {
        [
            ("UpdateFunctionCode", f(json!({ "ZipFile": "eno=" }))),
            ("UpdateFunctionConfiguration", f(json!({}))),
        ]
    }

    #[test]
    fn an_update_is_in_progress_and_then_done_with_another_revision_id() {
        let mut world = World::with(&["f"]);
        for (operation, input) in updates() {
            let before = world.done("GetFunctionConfiguration", f(json!({})));
            let (status, body) = world.call(operation, input).expect("an answer");
            assert_eq!(status, 200);
            assert_eq!(body["State"], "Active");
            assert_eq!(body["LastUpdateStatus"], "InProgress");
            assert_eq!(body["LastUpdateStatusReason"], "The function is being created.");
            assert_eq!(body["LastUpdateStatusReasonCode"], "Creating");
            assert_ne!(body["RevisionId"], before["RevisionId"]);
            world.pass(Duration::from_millis(100));
            let after = world.done("GetFunctionConfiguration", f(json!({})));
            assert_eq!(after["LastUpdateStatus"], "Successful");
            assert_eq!(after.get("LastUpdateStatusReason"), None);
            assert_ne!(after["RevisionId"], body["RevisionId"]);
        }
    }

    #[test]
    fn one_update_at_a_time() {
        for (first, input) in updates() {
            let mut world = World::with(&["f"]);
            world.done(first, input);
            let text = format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                arn("f")
            );
            let told = (409, "ResourceConflictException", text);
            for (second, input) in updates() {
                assert_eq!(world.refused(second, input), told, "{second}");
            }
            assert_eq!(world.refused("PublishVersion", f(json!({}))), told);
        }
        let mut world = World::default();
        world.done("CreateFunction", new_function("f"));
        for (operation, input) in updates() {
            let text = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
            assert_eq!(world.refused(operation, input).2, text);
        }
    }

    #[test]
    fn a_stale_revision_id_is_refused() {
        let mut world = World::with(&["f"]);
        for (operation, input) in updates() {
            let refused = world.refused(operation, and(input, json!({ "RevisionId": "0" })));
            assert_eq!(refused, (412, "PreconditionFailedException", STALE.to_owned()));
        }
        let id = world.done("GetFunctionConfiguration", f(json!({})))["RevisionId"].clone();
        world.done("UpdateFunctionConfiguration", f(json!({ "RevisionId": id })));
    }

    #[test]
    fn what_is_not_said_stays() {
        let mut world = World::with(&["f"]);
        world.outside.sinks.insert("q".to_owned());
        let queue = "arn:aws:sqs:us-east-1:123456789012:q";
        let mut update = |more: Value| {
            let body = world.done("UpdateFunctionConfiguration", f(more));
            world.pass(Duration::from_secs(1));
            body
        };
        let body = update(json!({
            "Description": "d", "Timeout": 7, "Environment": { "Variables": { "AB": "1", "CD": "2" } },
            "DeadLetterConfig": { "TargetArn": queue },
        }));
        assert_eq!(body["DeadLetterConfig"], json!({ "TargetArn": queue }));
        let body = update(json!({ "Environment": { "Variables": { "EF": "3" } } }));
        assert_eq!(body["Environment"], json!({ "Variables": { "EF": "3" } }));
        assert_eq!((&body["Description"], &body["Timeout"]), (&json!("d"), &json!(7)));
        assert_eq!(body["DeadLetterConfig"], json!({ "TargetArn": queue }));
        let body = update(json!({ "DeadLetterConfig": { "TargetArn": "" } }));
        assert_eq!(body.get("DeadLetterConfig"), None);
        update(json!({ "DeadLetterConfig": { "TargetArn": queue } }));
        let body = update(json!({ "DeadLetterConfig": {}, "Environment": {} }));
        assert_eq!(body.get("DeadLetterConfig"), None);
        assert_eq!(body["Environment"], json!({ "Variables": {} }));
    }

    #[test]
    fn code_that_is_published_is_shown_as_its_version() {
        let mut world = World::with(&["f"]);
        let body = world.done(
            "UpdateFunctionCode",
            f(json!({ "ZipFile": "b25l", "Publish": true })),
        );
        assert_eq!(body["FunctionArn"], arn("f:1"));
        assert_eq!(
            (&body["Version"], &body["State"]),
            (&json!("1"), &json!("Pending"))
        );
        world.pass(Duration::from_secs(1));
        let dry = world.done(
            "UpdateFunctionCode",
            f(json!({ "ZipFile": "dHdv", "DryRun": true, "Publish": true })),
        );
        assert_ne!(dry["CodeSha256"], body["CodeSha256"]);
        let latest = world.done("GetFunctionConfiguration", f(json!({})));
        assert_eq!(latest["CodeSha256"], body["CodeSha256"]);
        assert_eq!(latest["LastUpdateStatus"], "Successful");
    }

    #[test]
    fn missing_functions_are_told() {
        let mut world = World::default();
        for (operation, input) in updates() {
            let text = format!("Function not found: {}", arn("f"));
            assert_eq!(
                world.refused(operation, input),
                (404, "ResourceNotFoundException", text)
            );
        }
    }

    /// What could not be run (a folder that was away at a start) can be mended by an update.
    #[test]
    fn a_failed_function_can_be_updated() {
        let mut world = World::with(&["f"]);
        let name = router::name::FunctionName::new("f");
        if let Some(record) = world.registry.change(&name) {
            record.fail(router::name::Version::Latest, "no such folder".to_owned());
        }
        world.pass(Duration::ZERO);
        for (operation, input) in updates() {
            world.done(operation, input);
            world.pass(Duration::from_secs(1));
        }
        let after = world.done("GetFunctionConfiguration", f(json!({})));
        assert_eq!(after["State"], "Active");
    }
}
