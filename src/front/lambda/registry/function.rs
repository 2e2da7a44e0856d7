//! Functions: CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, DeleteFunction (spec/lambda §8.1, §8.2).

use router::name::FunctionName;
use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::code::{self, Code};
use super::config::{self, Config};
use super::configuration::{View, arn, show};
use super::record::{Record, Revision, Update};
use super::refusal::hindered;
use super::version::publish_if;
use super::{
    Moment, Outcome, Registry, Told, Wanted, conflict, invalid, named, page, structure, text, truth, untyped,
};
use crate::front::lambda::model::Input;

/// Items of a page of functions or versions.
pub const PAGE: usize = 50;
/// The longest bare name of a new function.
const LONGEST_NAME: usize = 64;

/// CreateFunction.
pub fn create(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let named = named(moment, input)?;
    if named.name.len() > LONGEST_NAME {
        let rule = format!("Member must have length less than or equal to {LONGEST_NAME}");
        return Err(invalid(format!(
            "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: {rule}",
            named.name
        )));
    }
    let name = FunctionName::new(named.name.as_str());
    config::check_unoffered(input)?;
    let (Some(_), Some(_)) = (text(input, "Runtime"), text(input, "Handler")) else {
        let what =
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.";
        return Err(invalid(what));
    };
    let layers = config::layers(moment, input, |arn| registry.layer(arn))?;
    let mut config = Config::new(text(input, "Role").unwrap_or_default());
    config.take(moment, input, layers)?;
    let tags = super::tags::read(input, "Tags")?;
    if registry.functions.contains_key(&name) {
        return Err(ApiError {
            status: 409,
            code: "ResourceConflictException",
            ..untyped(format!("Function already exist: {name}"))
        });
    }
    let nowhere = Input::new();
    let source = structure(input, "Code").unwrap_or(&nowhere);
    let code = match code::read(moment, source)?.code(moment) {
        Ok(code) => code,
        Err(wanted) => return Ok(Told::Wants(wanted)),
    };
    if let Some(wanted) = unmerged(moment, &config, &code) {
        return Ok(Told::Wants(wanted));
    }
    let latest = Revision::new(config, code, moment.now, moment.ids);
    let mut record = Record::new(name, latest);
    record.tags = tags;
    let shown = match publish_if(truth(input, "Publish"), &mut record, moment, false) {
        Ok(shown) => shown,
        Err(wanted) => return Ok(Told::Wants(wanted)),
    };
    registry.insert(record);
    Told::json(201, shown)
}

/// The layers of a configuration, if they have to be merged first.
pub fn unmerged(moment: &Moment<'_>, config: &Config, code: &Code) -> Option<Wanted> {
    let code = match code {
        Code::Package(package) => Some(package.clone()),
        Code::Folder(_) => None,
    };
    let wanted = Wanted::Layers {
        layers: config.layer_packages(),
        code,
    };
    (!config.layers.is_empty() && !moment.brought.contains_key(&wanted)).then_some(wanted)
}

/// A function that has to be there, with the qualifier that was asked of it.
///
/// # Errors
/// It, or what the qualifier names, is not there; or its name is another region's.
pub fn find<'a>(
    registry: &'a Registry,
    moment: &Moment<'_>,
    input: &Input,
) -> Result<(&'a Record, Option<String>), ApiError> {
    let named = named(moment, input)?;
    let name = FunctionName::new(named.name.as_str());
    let asked = named.qualifier;
    let missing = || ApiError::not_found(&arn(moment.place, &name, asked.as_deref()));
    let record = registry.functions.get(&name).ok_or_else(missing)?;
    record.resolve(asked.as_deref()).ok_or_else(missing)?;
    Ok((record, asked))
}

/// GetFunction.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    look(registry, moment, input)?;
    let (record, asked) = find(registry, moment, input)?;
    let configuration = shown(moment, record, asked.as_deref());
    let version = configuration["Version"].as_str().unwrap_or("$LATEST");
    let location = moment
        .place
        .code_url(moment.now, &format!("{}/{version}", record.name));
    let mut answer = json!({
        "Code": { "RepositoryType": "S3", "Location": location },
        "Configuration": configuration,
    });
    if !record.tags.is_empty() {
        answer["Tags"] = json!(record.tags);
    }
    if let Some(reserved) = record.reserved {
        answer["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
    }
    Told::json(200, answer)
}

/// GetFunctionConfiguration.
pub fn get_configuration(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    look(registry, moment, input)?;
    let (record, asked) = find(registry, moment, input)?;
    Told::json(200, shown(moment, record, asked.as_deref()))
}

fn shown(moment: &Moment<'_>, record: &Record, asked: Option<&str>) -> Value {
    let (version, revision) = record
        .resolve(asked)
        .unwrap_or(("$LATEST".to_owned(), &record.latest));
    show(moment.place, record, &version, revision, asked, View::Whole)
}

/// Who looks at a function sees it done: a waiter's first poll is its last ([`super::record::TRANSITION`]).
fn look(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Result<(), ApiError> {
    let (record, _) = find(registry, moment, input)?;
    let (name, changing) = (record.name.clone(), record.next_deadline().is_some());
    if let Some(record) = registry.change_if(&name, changing) {
        record.complete(moment.ids);
    }
    Ok(())
}

/// ListFunctions.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    if text(input, "MasterRegion").is_some_and(|region| region != "ALL" && region != moment.place.region) {
        return Told::json(200, json!({ "Functions": [] }));
    }
    let all = text(input, "FunctionVersion") == Some("ALL");
    let mut items = Vec::new();
    for record in registry.functions.values() {
        if !all {
            items.push((
                record.name.to_string(),
                show(moment.place, record, "$LATEST", &record.latest, None, View::Item),
            ));
            continue;
        }
        for (version, revision) in record.revisions() {
            let shown = show(
                moment.place,
                record,
                &version,
                revision,
                Some(&version),
                View::Item,
            );
            // Below every letter of names, so that the order of keys is that of items.
            let between = '\0';
            items.push((format!("{}{between}{version:0>20}", record.name), shown));
        }
    }
    Told::json(200, page(input, PAGE, "Functions", items)?)
}

/// DeleteFunction: all of it, or one version.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let named = named(moment, input)?;
    let name = FunctionName::new(named.name.as_str());
    let asked = named.qualifier.as_deref();
    let missing = || ApiError::not_found(&arn(moment.place, &name, asked));
    let record = registry.functions.get(&name).ok_or_else(missing)?;
    let Some(qualifier) = asked else {
        registry.remove(&name);
        return Told::nothing();
    };
    if qualifier == "$LATEST" {
        return Err(invalid(
            "$LATEST version cannot be deleted without deleting the function.",
        ));
    }
    if !qualifier.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid("Deletion of aliases is not currently supported."));
    }
    // `01` is no version, though 1 is one.
    record.version(qualifier).ok_or_else(missing)?;
    let number: u64 = qualifier.parse().map_err(|_| missing())?;
    let users = record
        .aliases
        .iter()
        .filter(|(_, alias)| alias.leads_to(qualifier));
    let users: Vec<&str> = users.map(|(name, _)| name.as_str()).collect();
    if !users.is_empty() {
        let arn = arn(moment.place, &name, asked);
        return Err(conflict(format!(
            "Version {arn} cannot be deleted: aliases point to it: {}",
            users.join(", ")
        )));
    }
    if let Some(record) = registry.change(&name) {
        record.forget_version(number);
    }
    Told::nothing()
}

/// Refuses a change of a function that another one is under way of (spec/errors §4).
///
/// # Errors
/// It is being made or updated.
pub fn check_idle(moment: &Moment<'_>, record: &Record) -> Result<(), ApiError> {
    if record.latest.is_pending() {
        return Err(hindered("Pending"));
    }
    match record.latest.update {
        Update::InProgress { .. } => {
            let arn = arn(moment.place, &record.name, None);
            Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
            )))
        }
        Update::Successful => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use router::name::FunctionName;
    use serde_json::{Value, json};

    use super::super::record::Record;
    use super::super::world::{World, and, arn, new_function};

    #[test]
    fn a_new_function_is_shown_as_aws_shows_it() {
        let mut world = World::default();
        let (status, body) = world
            .call("CreateFunction", new_function("f"))
            .expect("an answer");
        assert_eq!(status, 201);
        let told = [
            ("FunctionName", json!("f")),
            ("FunctionArn", json!(arn("f"))),
            ("Version", json!("$LATEST")),
            ("Description", json!("")),
            ("LastModified", json!("2025-11-25T02:38:24.123+0000")),
            ("Timeout", json!(3)),
            ("MemorySize", json!(128)),
            ("Architectures", json!(["x86_64"])),
            ("EphemeralStorage", json!({ "Size": 512 })),
            ("TracingConfig", json!({ "Mode": "PassThrough" })),
            (
                "LoggingConfig",
                json!({ "LogFormat": "Text", "LogGroup": "/aws/lambda/f" }),
            ),
            ("State", json!("Pending")),
            ("StateReason", json!("The function is being created.")),
            ("StateReasonCode", json!("Creating")),
        ];
        for (member, value) in told {
            assert_eq!(body[member], value, "{member}");
        }
        for member in ["LastUpdateStatus", "Environment", "DeadLetterConfig", "Layers"] {
            assert_eq!(body.get(member), None, "{member}");
        }
    }

    #[test]
    fn a_function_is_active_after_a_while_and_has_another_revision_id() {
        let mut world = World::default();
        let created = world.done("CreateFunction", new_function("f"));
        world.pass(Duration::from_millis(100));
        let body = world.done("GetFunctionConfiguration", json!({ "FunctionName": "f" }));
        assert_eq!(body["State"], "Active");
        assert_eq!(body["LastUpdateStatus"], "Successful");
        assert_eq!(body.get("StateReason"), None);
        assert_ne!(body["RevisionId"], created["RevisionId"]);
    }

    #[test]
    fn a_second_function_of_one_name_is_refused_without_a_type() {
        let mut world = World::with(&["f"]);
        let refused = world.call("CreateFunction", new_function("f")).err();
        let body = json!({ "message": "Function already exist: f" });
        assert_eq!(refused, Some((409, "ResourceConflictException", body)));
    }

    #[test]
    fn names_are_checked_in_order() {
        let mut world = World::with(&["f"]);
        let mut code = |name: &str, qualifier: Option<&str>| {
            let more = qualifier.map_or(json!({}), |q| json!({ "Qualifier": q }));
            world.refused("GetFunction", and(json!({ "FunctionName": name }), more))
        };
        assert_eq!(code("*", Some("1")).1, "ValidationException");
        assert_eq!(
            code("arn:aws:lambda:eu-west-1:000000000000:function:f", None).2,
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
        );
        assert_eq!(code("000000000000:function:f", None).0, 403);
        assert_eq!(
            code("x:1", Some("2")).2,
            "The derived qualifier from the function name does not match the specified qualifier."
        );
        assert_eq!(code("x", None).2, format!("Function not found: {}", arn("x")));
        assert_eq!(
            code("f", Some("9")).2,
            format!("Function not found: {}", arn("f:9"))
        );
        let long = "f".repeat(65);
        let (status, code, text) = world.refused("CreateFunction", new_function(&long));
        assert_eq!((status, code), (400, "InvalidParameterValueException"));
        assert_eq!(
            text,
            format!(
                "1 validation error detected: Value '{long}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64"
            )
        );
    }

    #[test]
    fn functions_are_listed_by_pages() {
        let names: Vec<String> = (0..200).map(|n| format!("f{n:03}")).collect();
        let mut world = World::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut seen = Vec::new();
        let mut sizes = Vec::new();
        let mut marker = Value::from("");
        while !marker.is_null() {
            let body = world.done("ListFunctions", json!({ "Marker": marker, "MaxItems": 10000 }));
            let page = body["Functions"].as_array().cloned().unwrap_or_default();
            sizes.push(page.len());
            seen.extend(
                page.iter()
                    .map(|item| item["FunctionName"].as_str().unwrap_or_default().to_owned()),
            );
            assert!(page.iter().all(|item| item.get("State").is_none()));
            marker = body.get("NextMarker").cloned().unwrap_or_default();
        }
        assert_eq!(seen, names);
        assert_eq!(sizes, [50, 50, 50, 50]);
        let body = world.done("ListFunctions", json!({ "MaxItems": 3 }));
        assert_eq!(body["Functions"].as_array().map(Vec::len), Some(3));
        let refused = world.refused("ListFunctions", json!({ "Marker": "*" }));
        assert_eq!((refused.0, refused.1), (400, "InvalidParameterValueException"));
    }

    #[test]
    fn a_page_goes_on_where_the_marked_item_was() {
        let mut world = World::with(&["a", "a-b", "b"]);
        let page = |world: &mut World, marker: &Value| {
            let input = json!({ "FunctionVersion": "ALL", "MaxItems": 1, "Marker": marker });
            let body = world.done("ListFunctions", input);
            (
                body["Functions"][0]["FunctionArn"].clone(),
                body["NextMarker"].clone(),
            )
        };
        let (first, marker) = page(&mut world, &json!(""));
        assert_eq!(first, arn("a:$LATEST"));
        world.done("DeleteFunction", json!({ "FunctionName": "a" }));
        let (second, marker) = page(&mut world, &marker);
        assert_eq!(second, arn("a-b:$LATEST"));
        assert_eq!(page(&mut world, &marker), (json!(arn("b:$LATEST")), Value::Null));
    }

    #[test]
    fn a_deleted_function_is_gone_and_so_is_all_of_it() {
        let mut world = World::with(&["f"]);
        world.done("PublishVersion", json!({ "FunctionName": "f" }));
        let settings = [
            (
                "FunctionConcurrency",
                json!({ "ReservedConcurrentExecutions": 1 }),
            ),
            ("FunctionEventInvokeConfig", json!({ "MaximumRetryAttempts": 1 })),
            ("FunctionRecursionConfig", json!({ "RecursiveLoop": "Allow" })),
        ];
        for (what, setting) in settings {
            let input = and(json!({ "FunctionName": "f" }), setting);
            world.done(&format!("Put{what}"), input);
        }
        let url = json!({ "FunctionName": "f", "AuthType": "NONE" });
        world.done("CreateFunctionUrlConfig", url);
        assert_eq!(
            world.call("DeleteFunction", json!({ "FunctionName": "f" })),
            Ok((204, Value::Null))
        );
        let refused = world.refused("DeleteFunction", json!({ "FunctionName": "f" }));
        assert_eq!(refused.2, format!("Function not found: {}", arn("f")));
        world.done("CreateFunction", new_function("f"));
        let latest = world.registry.get("f").map(|record| record.latest.clone());
        let bare = latest.map(|latest| Record::new(FunctionName::new("f"), latest));
        assert_eq!(world.registry.get("f"), bare.as_ref());
        let refused = world.refused("GetFunction", json!({ "FunctionName": "f:1" }));
        assert_eq!(refused.2, format!("Function not found: {}", arn("f:1")));
    }
}
