//! The record of a layer, how its versions are named, and how they are shown (spec/lambda §2, §8.7).
//!
//! Owns the data. Deliberately absent: operations ([`super::layer`]), and what lies in a package.

use std::collections::BTreeMap;

use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::configuration::stamp;
use super::layer_policy::Policy;
use super::{Moment, Place, invalid, not_offered, number, text};
use crate::front::code::Package;
use crate::front::lambda::model::Input;

/// A layer: every version that was published and not deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Its bare name.
    pub name: String,
    /// Its versions.
    pub versions: BTreeMap<u64, LayerVersion>,
    /// The number of the last one that was published: none is used twice.
    pub published: u64,
}

/// A version of a layer, which nothing but its policy changes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerVersion {
    /// Its content.
    pub package: Package,
    /// Free text.
    pub description: String,
    /// When it was published.
    pub created: Timestamp,
    /// `CompatibleRuntimes`; `None` where none were ever given.
    pub runtimes: Option<Vec<String>>,
    /// `CompatibleArchitectures`; `None` where none were ever given.
    pub architectures: Option<Vec<String>>,
    /// `LicenseInfo`.
    pub license: Option<String>,
    /// Who else may use it.
    pub policy: Option<Policy>,
}

impl LayerRecord {
    /// A layer without versions.
    pub fn new(name: &str) -> Self {
        LayerRecord {
            name: name.to_owned(),
            versions: BTreeMap::new(),
            published: 0,
        }
    }

    /// The content of its versions.
    pub fn packages(&self) -> impl Iterator<Item = Package> {
        self.versions.values().map(|version| version.package.clone())
    }
}

impl LayerVersion {
    /// Whether it says to fit what a list asks for by `CompatibleRuntime` and `CompatibleArchitecture`.
    pub fn fits(&self, input: &Input) -> bool {
        let says = |list: &Option<Vec<String>>, member: &str| {
            text(input, member).is_none_or(|asked| {
                list.as_ref()
                    .is_some_and(|list| list.iter().any(|item| item == asked))
            })
        };
        says(&self.runtimes, "CompatibleRuntime") && says(&self.architectures, "CompatibleArchitecture")
    }
}

/// The ARN of a layer, without a version.
pub fn arn(place: &Place, layer: &str) -> String {
    format!("arn:aws:lambda:{}:{}:layer:{layer}", place.region, place.account)
}

/// The ARN of a version of a layer.
pub fn version_arn(place: &Place, layer: &str, version: u64) -> String {
    format!("{}:{version}", arn(place, layer))
}

/// The name and version in the ARN of a layer version; its region and account are not looked at.
pub fn parse(arn: &str) -> Option<(&str, u64)> {
    match arn.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "lambda", _, _, "layer", name, version] => Some((name, version.parse().ok()?)),
        _ => None,
    }
}

/// The bare name of the layer that an input names by `LayerName`, as an ARN or bare.
///
/// # Errors
/// Another region's or account's.
pub fn named<'a>(moment: &Moment<'_>, input: &'a Input) -> Result<&'a str, ApiError> {
    let given = text(input, "LayerName").unwrap_or_default();
    check_place(moment, given)?;
    Ok(given.rsplit(':').next().unwrap_or(given))
}

/// Refuses an ARN of another region, then of another account; a bare name is here (spec/lambda §2).
///
/// # Errors
/// As said; or one of the layers that AWS itself offers, which are not here.
pub fn check_place(moment: &Moment<'_>, given: &str) -> Result<(), ApiError> {
    let place = moment.place;
    match given.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, _, "", ..] => Err(not_offered("A layer of AWS's own (awslayer)")),
        ["arn", _, _, region, ..] if *region != place.region => Err(ApiError::missing(&format!(
            "Layers from '{region}' are not reachable in this region ('{}')",
            place.region
        ))),
        ["arn", _, _, _, account, ..] if *account != place.account => Err(ApiError::denied()),
        _ => Ok(()),
    }
}

/// The version that an input asks for by `VersionNumber`.
///
/// # Errors
/// Below 1 (spec/errors §6).
pub fn version(input: &Input) -> Result<u64, ApiError> {
    let given = number(input, "VersionNumber").and_then(|number| u64::try_from(number).ok());
    let found = given.filter(|number| *number > 0);
    found.ok_or_else(|| invalid("Layer Version Cannot be less than 1"))
}

/// A version as an item of a list has it: without content and without the layer's ARN.
pub fn item(place: &Place, layer: &str, number: u64, version: &LayerVersion) -> Map<String, Value> {
    let mut all = Map::new();
    let mut put = |key: &str, value: Value| drop(all.insert(key.to_owned(), value));
    put("LayerVersionArn", json!(version_arn(place, layer, number)));
    put("Version", json!(number));
    put("Description", json!(version.description));
    put("CreatedDate", json!(stamp(version.created)));
    if let Some(runtimes) = &version.runtimes {
        put("CompatibleRuntimes", json!(runtimes));
    }
    if let Some(architectures) = &version.architectures {
        put("CompatibleArchitectures", json!(architectures));
    }
    if let Some(license) = &version.license {
        put("LicenseInfo", json!(license));
    }
    all
}

/// A version as GetLayerVersion and PublishLayerVersion show it.
pub fn show(moment: &Moment<'_>, layer: &str, number: u64, version: &LayerVersion) -> Value {
    let place = moment.place;
    let mut all = item(place, layer, number, version);
    all.insert("LayerArn".to_owned(), json!(arn(place, layer)));
    let location = place.code_url(moment.now, &format!("layer:{layer}/{number}"));
    let content = json!({
        "Location": location,
        "CodeSha256": version.package.sha256,
        "CodeSize": version.package.size,
    });
    all.insert("Content".to_owned(), content);
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_layer_version_is_read() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:layer:deps";
        assert_eq!(parse(&format!("{arn}:12")), Some(("deps", 12)));
        for other in [
            arn,
            "deps:1",
            "arn:aws:lambda:us-east-1:123456789012:function:deps:1",
            "arn:aws:lambda:us-east-1:123456789012:layer:deps:x",
            "arn:aws:lambda:us-east-1:123456789012:layer:deps:99999999999999999999",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
