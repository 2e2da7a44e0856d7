//! Updates: UpdateFunctionCode, UpdateFunctionConfiguration (spec/lambda §8.3).

use router::name::FunctionName;
use scenarios::api::error::ApiError;
use serde_json::Value;

use super::config;
use super::configuration::{View, arn, show};
use super::function::{check_idle, unmerged};
use super::record::Record;
use super::version::publish;
use super::{Moment, Outcome, Registry, Told, check_publish_to, check_revision, code, named, truth};
use crate::front::lambda::model::Input;

/// UpdateFunctionCode.
pub fn code(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    check_publish_to(input)?;
    let mut record = record(registry, moment, input)?;
    check_revision(input, &record.latest.revision_id, "GetFunction/GetAlias")?;
    let source = code::read(input)?;
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
    record.latest.update(config, code, moment.now, moment.ids);
    let shown = if truth(input, "Publish") && !truth(input, "DryRun") {
        let number = match publish(&mut record, moment, None, true)? {
            Ok(number) => number,
            Err(wanted) => return Ok(Told::Wants(wanted)),
        };
        let version = number.to_string();
        show(
            moment.place,
            &record,
            &version,
            &record.versions[&number],
            Some(&version),
            View::Whole,
        )
    } else {
        show(
            moment.place,
            &record,
            "$LATEST",
            &record.latest,
            None,
            View::Whole,
        )
    };
    if !truth(input, "DryRun") {
        registry.insert(record);
    }
    Told::json(200, shown)
}

/// UpdateFunctionConfiguration.
pub fn configuration(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let mut record = record(registry, moment, input)?;
    check_revision(input, &record.latest.revision_id, "GetFunction/GetAlias")?;
    let layers = config::layers(moment, input, |arn| registry.layer(arn))?;
    let mut config = record.latest.config.clone();
    config.take(moment, input, layers)?;
    check_idle(moment, &record)?;
    if let Some(wanted) = unmerged(moment, &config) {
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

fn record(registry: &Registry, moment: &Moment<'_>, input: &Input) -> Result<Record, ApiError> {
    let name = FunctionName::new(named(moment, input)?.name.as_str());
    let missing = || ApiError::not_found(&arn(moment.place, &name, None));
    registry.functions.get(&name).cloned().ok_or_else(missing)
}
