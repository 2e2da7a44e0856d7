//! Versions: PublishVersion, ListVersionsByFunction (spec/lambda §8.4).

use serde_json::Value;

use super::code::Code;
use super::configuration::{View, show};
use super::function::{PAGE, check_idle};
use super::record::{Record, Revision, State, TRANSITION, Update};
use super::{
    Brought, Moment, Outcome, Registry, Told, Wanted, check_publish_to, check_revision, invalid, page,
    target, text,
};
use crate::front::lambda::model::Input;

/// PublishVersion.
pub fn publish_version(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    check_publish_to(input)?;
    let mut record = target::function(registry, moment, input)?.clone();
    check_revision(input, &record.latest.revision_id, "GetFunction/GetAlias")?;
    let actual = record.latest.code.sha256();
    if let Some(given) = text(input, "CodeSha256").filter(|given| !given.is_empty() && *given != actual) {
        return Err(invalid(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({actual}). Please try again with the CodeSHA256 in $LATEST."
        )));
    }
    check_idle(moment, &record)?;
    let number = match publish(&mut record, moment, text(input, "Description"), false) {
        Ok(number) => number,
        Err(wanted) => return Ok(Told::Wants(wanted)),
    };
    let version = number.to_string();
    let shown = show(
        moment.place,
        &record,
        &version,
        &record.versions[&number],
        Some(&version),
        View::Whole,
    );
    registry.insert(record);
    Told::json(201, shown)
}

/// A record as an upload is answered: as the version that it is published as, if it is to be; else as `$LATEST`. The ARN of
/// a version is qualified for an update, and not for a new function.
///
/// # Errors
/// What has to be brought first.
pub fn publish_if(
    wanted: bool,
    record: &mut Record,
    moment: &mut Moment<'_>,
    qualified: bool,
) -> Result<Value, Wanted> {
    if !wanted {
        return Ok(show(
            moment.place,
            record,
            "$LATEST",
            &record.latest,
            None,
            View::Whole,
        ));
    }
    let number = publish(record, moment, None, true)?;
    let version = number.to_string();
    let asked = qualified.then_some(version.as_str());
    let revision = &record.versions[&number];
    Ok(show(moment.place, record, &version, revision, asked, View::Whole))
}

/// Publishes `$LATEST` of a record: the number of the version, which is an old one where nothing has changed; or what has
/// to be brought first. A version that is published together with an upload is `Pending`.
///
/// # Errors
/// What is wanted.
fn publish(
    record: &mut Record,
    moment: &mut Moment<'_>,
    description: Option<&str>,
    pending: bool,
) -> Result<u64, Wanted> {
    // What was just uploaded is published, not what still serves.
    let code = match &record.latest.code {
        Code::Package(package) => Code::Package(package.clone()),
        Code::Folder(path) => match moment.brought.get(&Wanted::Folder(path.clone())) {
            Some(Brought::Package(package)) => Code::Package(package.clone()),
            _ => return Err(Wanted::Folder(path.clone())),
        },
    };
    let mut config = record.latest.config.clone();
    if let Some(last) = record.versions.get(&record.published)
        && last.code == code
        && last.published_from.as_ref() == Some(&config)
    {
        return Ok(record.published);
    }
    let from = config.clone();
    if let Some(description) = description {
        description.clone_into(&mut config.description);
    }
    record.published += 1;
    let state = match pending {
        true => State::Pending {
            until: moment.now + TRANSITION,
        },
        false => State::Active,
    };
    let version = Revision {
        config,
        code,
        modified: record.latest.modified,
        revision_id: moment.ids.uuid(),
        state,
        update: Update::Successful,
        generation: 0,
        published_from: Some(from),
    };
    record.versions.insert(record.published, version);
    record.latest.revision_id = moment.ids.uuid();
    Ok(record.published)
}

/// ListVersionsByFunction: `$LATEST`, then ascending.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let record = target::function(registry, moment, input)?;
    let items = record.revisions().map(|(version, revision)| {
        let shown = show(
            moment.place,
            record,
            &version,
            revision,
            Some(&version),
            View::Item,
        );
        // `$` sorts before digits, and numbers of one length as numbers do.
        let key = if version == "$LATEST" {
            version
        } else {
            format!("{version:0>20}")
        };
        (key, shown)
    });
    Told::json(200, page(input, PAGE, "Versions", items.collect())?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::world::{World, and, arn};

    fn f(more: Value) -> Value {
        and(json!({ "FunctionName": "f" }), more)
    }

    fn update(world: &mut World, timeout: u32) {
        world.done("UpdateFunctionConfiguration", f(json!({ "Timeout": timeout })));
        world.pass(Duration::from_secs(1));
    }

    #[test]
    fn a_version_is_published_once_until_something_changes() {
        let mut world = World::with(&["f"]);
        let id =
            |world: &mut World| world.done("GetFunctionConfiguration", f(json!({})))["RevisionId"].clone();
        let before = id(&mut world);
        let (status, first) = world
            .call("PublishVersion", f(json!({ "Description": "d" })))
            .expect("an answer");
        assert_eq!(status, 201);
        let told = [
            ("FunctionArn", json!(arn("f:1"))),
            ("Version", json!("1")),
            ("Description", json!("d")),
            ("State", json!("Active")),
            ("LastUpdateStatus", json!("Successful")),
        ];
        for (member, value) in told {
            assert_eq!(first[member], value, "{member}");
        }
        let after = id(&mut world);
        assert!(before != after && first["RevisionId"] != after);
        assert_eq!(
            world.call("PublishVersion", f(json!({ "Description": "other" }))),
            Ok((201, first))
        );
        assert_eq!(id(&mut world), after);
        update(&mut world, 9);
        let second = world.done("PublishVersion", f(json!({})));
        assert_eq!(
            (&second["Version"], &second["Description"]),
            (&json!("2"), &json!(""))
        );
    }

    #[test]
    fn versions_are_listed_ascending_and_numbers_are_not_used_again() {
        let mut world = World::with(&["f"]);
        for timeout in 10..21 {
            update(&mut world, timeout);
            world.done("PublishVersion", f(json!({})));
        }
        let listed = |world: &mut World, more: Value| {
            let body = world.done("ListVersionsByFunction", f(more));
            let items = body["Versions"].as_array().cloned().unwrap_or_default();
            assert!(items.iter().all(|item| item.get("State").is_none()));
            let versions: Vec<Value> = items.iter().map(|item| item["Version"].clone()).collect();
            (versions, body.get("NextMarker").cloned())
        };
        let (versions, marker) = listed(&mut world, json!({ "MaxItems": 10 }));
        assert_eq!(versions[0], "$LATEST");
        assert_eq!(versions[9], "9");
        let (versions, marker) = listed(&mut world, json!({ "MaxItems": 10, "Marker": marker }));
        assert_eq!((versions, marker), (vec![json!("10"), json!("11")], None));
        world.done("DeleteFunction", f(json!({ "Qualifier": "11" })));
        assert_eq!(world.done("PublishVersion", f(json!({})))["Version"], "12");
    }

    #[test]
    fn what_is_published_is_what_was_meant() {
        let mut world = World::with(&["f"]);
        let actual = world.done("GetFunctionConfiguration", f(json!({})))["CodeSha256"].clone();
        let actual = actual.as_str().unwrap_or_default();
        let text = format!(
            "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({actual}). Please try again with the CodeSHA256 in $LATEST."
        );
        let refused = world.refused("PublishVersion", f(json!({ "CodeSha256": "x" })));
        assert_eq!(refused, (400, "InvalidParameterValueException", text));
        let refused = world.refused("PublishVersion", f(json!({ "RevisionId": "x" })));
        assert_eq!((refused.0, refused.1), (412, "PreconditionFailedException"));
        world.done("PublishVersion", f(json!({ "CodeSha256": actual })));
        for operation in ["PublishVersion", "ListVersionsByFunction"] {
            let text = world.refused(operation, json!({ "FunctionName": "x" })).2;
            assert_eq!(text, format!("Function not found: {}", arn("x")));
        }
    }

    #[test]
    fn a_version_is_deleted_unless_an_alias_points_to_it() {
        let mut world = World::with(&["f"]);
        world.done("PublishVersion", f(json!({})));
        world.done(
            "CreateAlias",
            f(json!({ "Name": "live", "FunctionVersion": "1" })),
        );
        let mut delete =
            |qualifier: &str| world.refused("DeleteFunction", f(json!({ "Qualifier": qualifier })));
        assert_eq!(delete("1").1, "ResourceConflictException");
        assert_eq!(delete("01").2, format!("Function not found: {}", arn("f:01")));
        let text = "$LATEST version cannot be deleted without deleting the function.";
        assert_eq!(
            delete("$LATEST"),
            (400, "InvalidParameterValueException", text.to_owned())
        );
        assert_eq!(
            delete("live").2,
            "Deletion of aliases is not currently supported."
        );
        assert_eq!(delete("9").2, format!("Function not found: {}", arn("f:9")));
        world.done("DeleteAlias", f(json!({ "Name": "live" })));
        world.done("DeleteFunction", f(json!({ "Qualifier": "1" })));
        let text = world.refused("GetFunction", f(json!({ "Qualifier": "1" }))).2;
        assert_eq!(text, format!("Function not found: {}", arn("f:1")));
    }
}
