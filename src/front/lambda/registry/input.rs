//! How operations read their input, whose shape the model has checked, and how they tell a list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::{Moment, invalid, not_offered};
use crate::front::lambda::model::Input;
use crate::front::lambda::name::{self, Named};

/// The function that an input names by `FunctionName` and `Qualifier`: its place and the qualifier's consistency checked
/// (spec/errors §8, steps 3 and 4).
///
/// # Errors
/// Another region's or account's, or two qualifiers.
pub fn named(moment: &Moment<'_>, input: &Input) -> Result<Named, ApiError> {
    let mut named = name::function(text(input, "FunctionName").unwrap_or_default())?;
    named.check_place(&moment.place.region, &moment.place.account)?;
    if let Some(qualifier) = text(input, "Qualifier") {
        named.qualify(qualifier)?;
    }
    Ok(named)
}

/// A text among an input's members.
pub fn text<'a>(input: &'a Input, member: &str) -> Option<&'a str> {
    input.get(member)?.as_str()
}

/// A whole number among an input's members.
pub fn number(input: &Input, member: &str) -> Option<i64> {
    // 3.0 is a whole number too.
    let value = input.get(member)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the model's constraint has seen that it is whole"
    )]
    value.as_i64().or_else(|| value.as_f64().map(|n| n as i64))
}

/// A truth among an input's members; `false` unless given.
pub fn truth(input: &Input, member: &str) -> bool {
    input.get(member).and_then(Value::as_bool).unwrap_or(false)
}

/// A structure among an input's members.
pub fn structure<'a>(input: &'a Input, member: &str) -> Option<&'a Input> {
    input.get(member)?.as_object()
}

/// Refuses `PublishTo`, which belongs to managed instances (spec/lambda §12).
///
/// # Errors
/// It is given.
pub fn check_publish_to(input: &Input) -> Result<(), ApiError> {
    match input.contains_key("PublishTo") {
        true => Err(not_offered("PublishTo (managed instances)")),
        false => Ok(()),
    }
}

/// Refuses a revision id that is no longer the latest (spec/errors §5).
///
/// # Errors
/// `PreconditionFailedException` that names `api`.
pub fn check_revision(input: &Input, latest: &str, api: &str) -> Result<(), ApiError> {
    match text(input, "RevisionId") {
        Some(given) if given != latest => {
            let message = format!(
                "The Revision Id provided does not match the latest Revision Id. Call the {api} API to retrieve the latest Revision Id"
            );
            Err(ApiError::user(412, "PreconditionFailedException", message))
        }
        _ => Ok(()),
    }
}

/// One page of a list: at most `MaxItems` and `cap` items after `Marker`, and the next marker in `NextMarker`.
///
/// # Errors
/// A marker that this list never gave.
pub fn page(input: &Input, cap: usize, member: &str, items: Vec<(String, Value)>) -> Result<Value, ApiError> {
    let after = match text(input, "Marker").filter(|marker| !marker.is_empty()) {
        Some(marker) => {
            let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
            let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            Some(key.ok_or_else(|| invalid(format!("Invalid marker: {marker}")))?)
        }
        None => None,
    };
    let most = number(input, "MaxItems")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(cap)
        .clamp(1, cap);
    let start = match &after {
        // Where the marked item is gone, its place in the order is not.
        Some(after) => items
            .iter()
            .position(|(key, _)| key == after)
            .map_or_else(|| items.partition_point(|(key, _)| key <= after), |at| at + 1),
        None => 0,
    };
    let rest = items.len().saturating_sub(start) > most;
    let shown: Vec<(String, Value)> = items.into_iter().skip(start).take(most).collect();
    let last = shown
        .last()
        .map(|(key, _)| URL_SAFE_NO_PAD.encode(key))
        .filter(|_| rest);
    let mut answer = json!({ member: shown.into_iter().map(|(_, item)| item).collect::<Vec<_>>() });
    if let Some(marker) = last {
        answer["NextMarker"] = Value::from(marker);
    }
    Ok(answer)
}
