//! Versions: PublishVersion, ListVersionsByFunction (spec/lambda §8.4).

use router::name::FunctionName;
use scenarios::api::error::ApiError;

use super::code::Code;
use super::configuration::{View, arn, show};
use super::function::{PAGE, check_idle};
use super::record::{Record, Revision, State, TRANSITION, Update};
use super::{
    Brought, Moment, Outcome, Registry, Told, Wanted, check_publish_to, check_revision, invalid, named, page,
    text,
};
use crate::front::lambda::model::Input;

/// PublishVersion.
pub fn publish_version(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    check_publish_to(input)?;
    let name = FunctionName::new(named(moment, input)?.name.as_str());
    let missing = || ApiError::not_found(&arn(moment.place, &name, None));
    let mut record = registry.functions.get(&name).ok_or_else(missing)?.clone();
    check_revision(input, &record.latest.revision_id, "GetFunction/GetAlias")?;
    let actual = record.latest.code.sha256();
    if let Some(given) = text(input, "CodeSha256").filter(|given| !given.is_empty() && *given != actual) {
        return Err(invalid(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({actual}). Please try again with the CodeSHA256 in $LATEST."
        )));
    }
    check_idle(moment, &record)?;
    let number = match publish(&mut record, moment, text(input, "Description"), false)? {
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

/// Publishes `$LATEST` of a record: the number of the version, which is an old one where nothing has changed; or what has
/// to be brought first. A version that is published together with an upload is `Pending`.
///
/// # Errors
/// None so far; publishing has no quota here.
pub fn publish(
    record: &mut Record,
    moment: &mut Moment<'_>,
    description: Option<&str>,
    pending: bool,
) -> Result<Result<u64, Wanted>, ApiError> {
    // What was just uploaded is published, not what still serves.
    let code = match &record.latest.code {
        Code::Package(package) => Code::Package(package.clone()),
        Code::Folder(path) => match moment.brought.get(&Wanted::Folder(path.clone())) {
            Some(Brought::Package(package)) => Code::Package(package.clone()),
            _ => return Ok(Err(Wanted::Folder(path.clone()))),
        },
    };
    let mut config = record.latest.config.clone();
    if let Some(last) = record.versions.get(&record.published)
        && last.code == code
        && last.published_from.as_ref() == Some(&config)
    {
        return Ok(Ok(record.published));
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
    Ok(Ok(record.published))
}

/// ListVersionsByFunction: `$LATEST`, then ascending.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let name = FunctionName::new(named(moment, input)?.name.as_str());
    let missing = || ApiError::not_found(&arn(moment.place, &name, None));
    let record = registry.functions.get(&name).ok_or_else(missing)?;
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
