//! Aliases: CreateAlias, GetAlias, UpdateAlias, DeleteAlias, ListAliases (spec/lambda §8.4).

use router::name::FunctionName;
use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::configuration::arn;
use super::record::{Alias, Record};
use super::{
    Moment, Outcome, Registry, Told, check_revision, conflict, invalid, named, page, structure, target, text,
};
use crate::front::lambda::model::Input;

/// Items of a page.
const PAGE: usize = 100;

/// CreateAlias.
pub fn create(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (record, alias) = (
        target::function(registry, moment, input)?,
        text(input, "Name").unwrap_or_default(),
    );
    let version = text(input, "FunctionVersion").unwrap_or_default();
    check_version(moment, record, version)?;
    let made = Alias {
        version: version.to_owned(),
        also: routing(moment, record, version, input)?.unwrap_or_default(),
        description: text(input, "Description").unwrap_or_default().to_owned(),
        revision_id: moment.ids.uuid(),
    };
    if record.aliases.contains_key(alias) {
        return Err(conflict(format!(
            "Alias already exists: {}",
            arn(moment.place, &record.name, Some(alias))
        )));
    }
    let (name, shown) = (record.name.clone(), show(moment, &record.name, alias, &made));
    if let Some(record) = registry.change(&name) {
        record.aliases.insert(alias.to_owned(), made);
    }
    Told::json(201, shown)
}

/// GetAlias.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = FunctionName::new(named(moment, input)?.name.as_str());
    let alias = text(input, "Name").unwrap_or_default();
    let missing = || {
        ApiError::missing(&format!(
            "Cannot find alias arn: {}",
            arn(moment.place, &name, Some(alias))
        ))
    };
    let record = registry.functions.get(&name).ok_or_else(missing)?;
    let found = record.aliases.get(alias).ok_or_else(missing)?;
    Told::json(200, show(moment, &name, alias, found))
}

/// UpdateAlias: what is not given stays.
pub fn update(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (record, alias) = (
        target::function(registry, moment, input)?,
        text(input, "Name").unwrap_or_default(),
    );
    let missing = || {
        ApiError::missing(&format!(
            "Alias not found: {}",
            arn(moment.place, &record.name, Some(alias))
        ))
    };
    let mut changed = record.aliases.get(alias).ok_or_else(missing)?.clone();
    check_revision(input, &changed.revision_id, "GetFunction/GetAlias")?;
    if let Some(version) = text(input, "FunctionVersion") {
        check_version(moment, record, version)?;
        version.clone_into(&mut changed.version);
    }
    if record.provisioned.contains_key(alias) {
        record.check_provisioned_once(alias, &changed.version)?;
    }
    match routing(moment, record, &changed.version, input)? {
        Some(also) => changed.also = also,
        None => check_routing(moment, record, &changed.version, changed.also.as_ref())?,
    }
    if let Some(description) = text(input, "Description") {
        description.clone_into(&mut changed.description);
    }
    changed.revision_id = moment.ids.uuid();
    let (name, shown) = (record.name.clone(), show(moment, &record.name, alias, &changed));
    if let Some(record) = registry.change(&name) {
        record.aliases.insert(alias.to_owned(), changed);
    }
    Told::json(200, shown)
}

/// DeleteAlias: one that is not there is gone already.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = target::function(registry, moment, input)?.name.clone();
    let alias = text(input, "Name").unwrap_or_default();
    if let Some(record) = registry.change(&name) {
        record.forget_alias(alias);
    }
    Told::nothing()
}

/// ListAliases, by name.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let record = target::function(registry, moment, input)?;
    let version = text(input, "FunctionVersion");
    let fitting = record
        .aliases
        .iter()
        .filter(|(_, alias)| version.is_none_or(|version| alias.version == version));
    let items = fitting.map(|(name, alias)| (name.clone(), show(moment, &record.name, name, alias)));
    Told::json(200, page(input, PAGE, "Aliases", items.collect())?)
}

fn check_version(moment: &Moment<'_>, record: &Record, version: &str) -> Result<(), ApiError> {
    match record.version(version) {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found(&arn(
            moment.place,
            &record.name,
            Some(version),
        ))),
    }
}

type Also = Option<(String, f64)>;

/// The additional version that an input asks for; `None` where it says nothing of it.
fn routing(
    moment: &Moment<'_>,
    record: &Record,
    version: &str,
    input: &Input,
) -> Result<Option<Also>, ApiError> {
    let Some(routing) = structure(input, "RoutingConfig") else {
        return Ok(None);
    };
    let weights = structure(routing, "AdditionalVersionWeights");
    if weights.is_some_and(|weights| weights.len() > 1) {
        return Err(invalid(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    let first = weights.into_iter().flatten().next();
    let also = first.map(|(version, weight)| (version.clone(), weight.as_f64().unwrap_or_default()));
    check_routing(moment, record, version, also.as_ref())?;
    Ok(Some(also))
}

fn check_routing(
    moment: &Moment<'_>,
    record: &Record,
    version: &str,
    also: Option<&(String, f64)>,
) -> Result<(), ApiError> {
    let Some((other, _)) = also else { return Ok(()) };
    if other == version {
        return Err(invalid(format!(
            "Invalid function version {other}. Function version {other} is already included in routing configuration."
        )));
    }
    if other == "$LATEST" || version == "$LATEST" {
        return Err(invalid(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    check_version(moment, record, other)
}

fn show(moment: &Moment<'_>, name: &FunctionName, alias: &str, is: &Alias) -> Value {
    let mut shown = json!({
        "AliasArn": arn(moment.place, name, Some(alias)),
        "Name": alias,
        "FunctionVersion": is.version,
        "Description": is.description,
        "RevisionId": is.revision_id,
    });
    if let Some((version, weight)) = &is.also {
        shown["RoutingConfig"] = json!({ "AdditionalVersionWeights": { version: weight } });
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::world::{World, and, arn};

    /// A function with versions 1 and 2.
    fn world() -> World {
        let mut world = World::with(&["f"]);
        for timeout in [5, 6] {
            world.done("UpdateFunctionConfiguration", f(json!({ "Timeout": timeout })));
            world.pass(Duration::from_secs(1));
            world.done("PublishVersion", f(json!({})));
        }
        world
    }

    fn f(more: Value) -> Value {
        and(json!({ "FunctionName": "f" }), more)
    }

    fn a(version: &str, more: Value) -> Value {
        and(f(json!({ "Name": "a", "FunctionVersion": version })), more)
    }

    fn weights(weights: Value) -> Value {
        json!({ "RoutingConfig": { "AdditionalVersionWeights": weights } })
    }

    #[test]
    fn an_alias_is_made_changed_and_deleted() {
        let mut world = world();
        let (status, made) = world.call("CreateAlias", a("1", json!({}))).expect("an answer");
        assert_eq!(status, 201);
        let shown = json!({
            "AliasArn": arn("f:a"), "Name": "a", "FunctionVersion": "1", "Description": "",
            "RevisionId": made["RevisionId"],
        });
        assert_eq!(made, shown);
        assert_eq!(
            world.call("GetAlias", f(json!({ "Name": "a" }))),
            Ok((200, shown))
        );
        let routing = weights(json!({ "2": 0.25 }));
        let changed = world.done(
            "UpdateAlias",
            and(f(json!({ "Name": "a", "Description": "d" })), routing.clone()),
        );
        assert_ne!(changed["RevisionId"], made["RevisionId"]);
        assert_eq!(changed["RoutingConfig"], routing["RoutingConfig"]);
        let same = world.done("UpdateAlias", f(json!({ "Name": "a" })));
        assert_ne!(same["RevisionId"], changed["RevisionId"]);
        assert_eq!(
            (&same["Description"], &same["RoutingConfig"]),
            (&json!("d"), &routing["RoutingConfig"])
        );
        let cleared = world.done("UpdateAlias", and(f(json!({ "Name": "a" })), weights(json!({}))));
        assert_eq!(cleared.get("RoutingConfig"), None);
        let asked = world.done("GetFunctionConfiguration", f(json!({ "Qualifier": "a" })));
        assert_eq!(
            (&asked["FunctionArn"], &asked["Version"]),
            (&json!(arn("f:a")), &json!("1"))
        );
        for _ in 0..2 {
            assert_eq!(
                world.call("DeleteAlias", f(json!({ "Name": "a" }))),
                Ok((204, Value::Null))
            );
        }
    }

    #[test]
    fn what_is_wrong_with_an_alias_is_told() {
        let mut world = world();
        world.done("CreateAlias", a("$LATEST", json!({})));
        let text = format!("Alias already exists: {}", arn("f:a"));
        let refused = world.refused("CreateAlias", a("1", json!({})));
        assert_eq!(refused, (409, "ResourceConflictException", text));
        let name = |name: &str| json!({ "Name": name });
        let text = world.refused("GetAlias", f(name("x"))).2;
        assert_eq!(text, format!("Cannot find alias arn: {}", arn("f:x")));
        let text = world.refused("UpdateAlias", f(name("x"))).2;
        assert_eq!(text, format!("Alias not found: {}", arn("f:x")));
        let text = world.refused("UpdateAlias", a("9", json!({}))).2;
        assert_eq!(text, format!("Function not found: {}", arn("f:9")));
        let refused = world.refused("UpdateAlias", a("1", json!({ "RevisionId": "x" })));
        assert_eq!((refused.0, refused.1), (412, "PreconditionFailedException"));
        let refused = world.refused("CreateAlias", f(json!({ "Name": "1", "FunctionVersion": "1" })));
        assert_eq!(refused.1, "ValidationException");
        for (operation, input) in [
            ("ListAliases", json!({})),
            ("DeleteAlias", name("a")),
            ("UpdateAlias", name("a")),
        ] {
            let text = world
                .refused(operation, and(input, json!({ "FunctionName": "x" })))
                .2;
            assert_eq!(text, format!("Function not found: {}", arn("x")), "{operation}");
        }
    }

    #[test]
    fn an_additional_version_is_another_that_is_published() {
        let mut world = world();
        let mut text =
            |version: &str, given: Value| world.refused("CreateAlias", a(version, weights(given))).2;
        assert_eq!(
            text("1", json!({ "1": 0.5, "2": 0.5 })),
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        );
        assert_eq!(
            text("1", json!({ "1": 0.5 })),
            "Invalid function version 1. Function version 1 is already included in routing configuration."
        );
        assert_eq!(
            text("1", json!({ "9": 0.5 })),
            format!("Function not found: {}", arn("f:9"))
        );
        assert!(text("$LATEST", json!({ "1": 0.5 })).starts_with("$LATEST is not supported"));
        assert!(!text("1", json!({ "2": 1.5 })).is_empty());
        world.done("CreateAlias", a("1", weights(json!({ "2": 1.0 }))));
    }

    #[test]
    fn aliases_are_listed_by_name_and_main_version() {
        let mut world = world();
        for (name, version) in [("b", "1"), ("a", "2"), ("c", "2")] {
            world.done(
                "CreateAlias",
                f(json!({ "Name": name, "FunctionVersion": version })),
            );
        }
        let mut names = |more: Value| {
            let body = world.done("ListAliases", f(more));
            let items = body["Aliases"].as_array().cloned().unwrap_or_default();
            let names: Vec<String> = items
                .iter()
                .filter_map(|item| item["Name"].as_str().map(str::to_owned))
                .collect();
            (names.concat(), body.get("NextMarker").cloned())
        };
        assert_eq!(names(json!({})), ("abc".to_owned(), None));
        assert_eq!(names(json!({ "FunctionVersion": "2" })), ("ac".to_owned(), None));
        let (first, marker) = names(json!({ "MaxItems": 2 }));
        assert_eq!(first, "ab");
        assert_eq!(names(json!({ "Marker": marker })), ("c".to_owned(), None));
    }
}
