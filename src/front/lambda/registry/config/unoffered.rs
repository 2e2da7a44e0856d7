//! Members that exist at AWS and mean nothing here: only a value that asks for nothing is taken, any other is refused by name.
//!
//! Owns which those are. Deliberately absent: members that mean something.

use scenarios::api::error::ApiError;
use serde_json::Value;

use super::super::{not_offered, structure, text};
use crate::front::lambda::model::Input;

/// Members that are refused whatever they say.
const NEVER: &[&str] = &[
    "CodeSigningConfigArn",
    "TenancyConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "RuntimeConfig",
    "AcceleratorConfig",
    "PublishTo",
];

/// Refuses what is not offered here.
///
/// # Errors
/// A member asks for something.
pub fn check_unoffered(input: &Input) -> Result<(), ApiError> {
    if structure(input, "VpcConfig").is_some_and(|vpc| vpc.values().any(asks)) {
        return Err(not_offered("VpcConfig (functions run on this machine's network)"));
    }
    if input.get("FileSystemConfigs").is_some_and(asks) {
        return Err(not_offered("FileSystemConfigs"));
    }
    if text(input, "PackageType").is_some_and(|kind| kind != "Zip") || input.contains_key("ImageConfig") {
        return Err(not_offered("PackageType Image (there are no containers)"));
    }
    if input.get("KMSKeyArn").is_some_and(asks) {
        return Err(not_offered("KMSKeyArn"));
    }
    let snapstart = structure(input, "SnapStart").and_then(|snapstart| text(snapstart, "ApplyOn"));
    if snapstart.is_some_and(|on| on != "None") {
        return Err(not_offered("SnapStart ApplyOn PublishedVersions"));
    }
    match NEVER.iter().find(|member| input.contains_key(**member)) {
        Some(member) => Err(not_offered(member)),
        None => Ok(()),
    }
}

/// Whether a value asks for something.
fn asks(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}
