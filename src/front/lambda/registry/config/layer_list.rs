//! The layers that a function uses: `Layers` (spec/lambda §8.7).
//!
//! Owns the checks of the list. Deliberately absent: layers themselves, and merging their content.

use std::collections::BTreeMap;

use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{Moment, invalid};
use crate::front::code::Package;
use crate::front::lambda::model::Input;

/// Layers that a function may use.
const LAYERS: usize = 5;

/// A layer version that a function uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Its ARN.
    pub arn: String,
    /// Its content.
    pub package: Package,
}

/// The layers that an input names; `None` if it names none at all.
///
/// # Errors
/// Too many, two versions of one, another region's, or one that is not there.
pub fn layers(
    moment: &Moment<'_>,
    input: &Input,
    find: impl Fn(&str) -> Option<Package>,
) -> Result<Option<Vec<Layer>>, ApiError> {
    let Some(Value::Array(arns)) = input.get("Layers") else {
        return Ok(None);
    };
    let arns: Vec<&str> = arns.iter().filter_map(Value::as_str).collect();
    if arns.len() > LAYERS {
        return Err(invalid(format!("Cannot reference more than {LAYERS} layers.")));
    }
    let mut names = BTreeMap::new();
    for arn in &arns {
        let region = arn.split(':').nth(3).unwrap_or_default();
        if region != moment.place.region {
            let here = &moment.place.region;
            return Err(invalid(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {here}."
            )));
        }
        // Nobody else's layers are here, whatever their policies say.
        if arn
            .split(':')
            .nth(4)
            .is_some_and(|account| account != moment.place.account)
        {
            return Err(ApiError::denied());
        }
        let name = arn.rsplit_once(':').map_or(*arn, |(name, _)| name);
        if let Some(other) = names.insert(name, *arn) {
            return Err(invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {other} and {arn} are versions of the same layer."
            )));
        }
    }
    let found = arns.iter().map(|arn| match find(arn) {
        Some(package) => Ok(Layer {
            arn: (*arn).to_owned(),
            package,
        }),
        None => Err(invalid(format!("Layer version {arn} does not exist."))),
    });
    found.collect::<Result<Vec<_>, _>>().map(Some)
}
