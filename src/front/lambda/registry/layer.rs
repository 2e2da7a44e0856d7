//! Layers: PublishLayerVersion, GetLayerVersion, GetLayerVersionByArn, ListLayers, ListLayerVersions, DeleteLayerVersion
//! (spec/lambda §8.7).
//!
//! Owns what these operations check and change. Deliberately absent: policies ([`super::layer_policy`]), and the use of a
//! layer by a function, which keeps the content of a version that is deleted ([`super::config::layers`]).

use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::code::{self, Code};
use super::layer_record::{
    LayerRecord, LayerVersion, arn, check_place, item, named, parse, show, version, version_arn,
};
use super::{Moment, Outcome, Registry, Told, not_offered, page, structure, text};
use crate::front::code::Package;
use crate::front::lambda::model::Input;

/// Items of a page.
const PAGE: usize = 50;

/// PublishLayerVersion.
pub fn publish(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let layer = named(moment, input)?.to_owned();
    let content = structure(input, "Content").cloned().unwrap_or_default();
    if text(&content, "S3ObjectStorageMode").is_some_and(|mode| mode != "COPY") {
        return Err(not_offered("S3ObjectStorageMode REFERENCE (`Content`)"));
    }
    let package = match code::read(&content)?.code(moment) {
        Ok(Code::Package(package)) => package,
        Ok(Code::Folder(_)) => {
            let what = format!("A folder as a layer (S3Bucket {})", code::HOT_RELOAD);
            return Err(not_offered(&what));
        }
        Err(wanted) => return Ok(Told::Wants(wanted)),
    };
    let made = LayerVersion {
        package,
        description: text(input, "Description").unwrap_or_default().to_owned(),
        created: moment.now,
        runtimes: texts(input, "CompatibleRuntimes"),
        architectures: texts(input, "CompatibleArchitectures"),
        license: text(input, "LicenseInfo").map(str::to_owned),
        policy: None,
    };
    let record = registry.change_layer(&layer);
    record.published += 1;
    let number = record.published;
    let shown = show(moment, &layer, number, &made);
    record.versions.insert(number, made);
    Told::json(201, shown)
}

/// GetLayerVersion.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let layer = named(moment, input)?;
    shown(registry, moment, layer, version(input)?)
}

/// GetLayerVersionByArn.
pub fn get_by_arn(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let arn = text(input, "Arn").unwrap_or_default();
    check_place(moment, arn)?;
    // A number too large to read is that of no version.
    let (layer, number) = parse(arn).ok_or_else(unknown)?;
    shown(registry, moment, layer, number)
}

fn shown(registry: &Registry, moment: &Moment<'_>, layer: &str, number: u64) -> Outcome {
    let found = registry.layer_version(layer, number).ok_or_else(unknown)?;
    Told::json(200, show(moment, layer, number, found))
}

fn unknown() -> ApiError {
    ApiError::missing("The resource you requested does not exist.")
}

/// ListLayers, by name: the latest version of each that fits what is asked for.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let latest = registry.layers.iter().filter_map(|(layer, record)| {
        let mut newest_first = record.versions.iter().rev();
        let (number, version) = newest_first.find(|(_, version)| version.fits(input))?;
        let shown = json!({
            "LayerName": layer,
            "LayerArn": arn(moment.place, layer),
            "LatestMatchingVersion": item(moment.place, layer, *number, version),
        });
        Some((layer.clone(), shown))
    });
    Told::json(200, page(input, PAGE, "Layers", latest.collect())?)
}

/// ListLayerVersions, the latest first; a layer that is not there has none.
pub fn list_versions(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let layer = named(moment, input)?;
    let versions = registry.layers.get(layer).map(|record| &record.versions);
    let fitting = versions.into_iter().flatten().rev();
    let items = fitting
        .filter(|(_, version)| version.fits(input))
        .map(|(number, version)| {
            // Counted from the end, so that the latest comes first in the order of keys as well.
            let key = format!("{:0>20}", u64::MAX - number);
            (key, Value::Object(item(moment.place, layer, *number, version)))
        });
    Told::json(200, page(input, PAGE, "LayerVersions", items.collect())?)
}

/// DeleteLayerVersion: one that is not there is gone already.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let layer = named(moment, input)?;
    let number = version(input)?;
    if registry.layer_version(layer, number).is_some() {
        registry.change_layer(layer).versions.remove(&number);
    }
    Told::nothing()
}

fn texts(input: &Input, member: &str) -> Option<Vec<String>> {
    let list = input.get(member)?.as_array()?;
    let texts = list.iter().filter_map(Value::as_str);
    Some(texts.map(str::to_owned).collect())
}

impl Registry {
    /// The content of a layer version, by its ARN; a deleted one has none.
    pub fn layer(&self, arn: &str) -> Option<Package> {
        let (layer, number) = parse(arn)?;
        Some(self.layer_version(layer, number)?.package.clone())
    }

    /// A version of a layer.
    pub fn layer_version(&self, layer: &str, number: u64) -> Option<&LayerVersion> {
        self.layers.get(layer)?.versions.get(&number)
    }

    /// The record of a layer, which is changed thereby, and made if it is new.
    pub fn change_layer(&mut self, layer: &str) -> &mut LayerRecord {
        self.changed_layers.insert(layer.to_owned());
        self.layers.entry(layer.to_owned()).or_default()
    }

    /// The version that an input names by `LayerName` and `VersionNumber`: the layer's name, the number and itself.
    ///
    /// # Errors
    /// It is not there, in the words of the operations on policies (spec/errors §3).
    pub fn find_layer_version<'a>(
        &self,
        moment: &Moment<'_>,
        input: &'a Input,
    ) -> Result<(&'a str, u64, &LayerVersion), ApiError> {
        let (layer, number) = (named(moment, input)?, version(input)?);
        let found = self.layer_version(layer, number).ok_or_else(|| {
            let arn = version_arn(moment.place, layer, number);
            ApiError::missing(&format!("Layer version {arn} does not exist."))
        })?;
        Ok((layer, number, found))
    }
}
