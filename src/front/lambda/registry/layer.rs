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
    let nowhere = Input::new();
    let content = structure(input, "Content").unwrap_or(&nowhere);
    if text(content, "S3ObjectStorageMode").is_some_and(|mode| mode != "COPY") {
        return Err(not_offered("S3ObjectStorageMode REFERENCE (`Content`)"));
    }
    let package = match code::read(moment, content)?.code(moment) {
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
        self.changed.layer(&self.layers, layer);
        let new = || LayerRecord::new(layer);
        self.layers.entry(layer.to_owned()).or_insert_with(new)
    }

    /// Takes in a layer that was kept.
    pub fn insert_layer(&mut self, record: LayerRecord) {
        self.changed.layer(&self.layers, &record.name);
        self.layers.insert(record.name.clone(), record);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::world::{World, and, new_function};

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:layer:deps";
    const UNKNOWN: &str = "The resource you requested does not exist.";

    fn new_layer(name: &str) -> Value {
        json!({ "LayerName": name, "Content": { "ZipFile": "eno=" } })
    }

    fn numbers(body: &Value) -> Vec<u64> {
        let versions = body["LayerVersions"].as_array().into_iter().flatten();
        versions
            .filter_map(|version| version["Version"].as_u64())
            .collect()
    }

    #[test]
    fn a_published_version_is_shown_as_aws_shows_it() {
        let mut world = World::default();
        let more = json!({
            "Description": "what it needs", "CompatibleRuntimes": ["python3.12"],
            "CompatibleArchitectures": ["x86_64"], "LicenseInfo": "MIT",
        });
        let published = world.call("PublishLayerVersion", and(new_layer("deps"), more));
        let (status, mut body) = published.expect("an answer");
        assert_eq!(status, 201);
        assert_eq!(world.others.iter().collect::<Vec<_>>(), ["deps"]);
        let content = body["Content"].take();
        let location = content["Location"].as_str().unwrap_or_default();
        assert!(
            location.starts_with("http://127.0.0.1:4566/_triggerfish/code/layer:deps/1?"),
            "{location}"
        );
        assert!(content["CodeSha256"].is_string() && content["CodeSize"].is_u64());
        let shown = json!({
            "LayerArn": ARN, "LayerVersionArn": format!("{ARN}:1"), "Version": 1, "Content": null,
            "Description": "what it needs", "CreatedDate": "2025-11-25T02:38:24.123+0000",
            "CompatibleRuntimes": ["python3.12"], "CompatibleArchitectures": ["x86_64"], "LicenseInfo": "MIT",
        });
        assert_eq!(body, shown);
        let by_arn = world.call("GetLayerVersionByArn", json!({ "Arn": format!("{ARN}:1") }));
        for named in ["deps", ARN] {
            let input = json!({ "LayerName": named, "VersionNumber": 1 });
            let (status, mut body) = world.call("GetLayerVersion", input).expect("an answer");
            assert_eq!(by_arn, Ok((status, body.clone())));
            body["Content"].take();
            assert_eq!((status, body), (200, shown.clone()), "{named}");
        }
    }

    #[test]
    fn what_was_not_given_is_not_shown_and_an_empty_list_is() {
        let mut world = World::default();
        let body = world.done("PublishLayerVersion", new_layer("bare"));
        assert_eq!(body["Description"], "");
        for member in ["CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"] {
            assert_eq!(body.get(member), None, "{member}");
        }
        let empty = json!({ "CompatibleRuntimes": [], "CompatibleArchitectures": [] });
        let body = world.done("PublishLayerVersion", and(new_layer("empty"), empty));
        assert_eq!(body["CompatibleRuntimes"], json!([]));
        assert_eq!(body["CompatibleArchitectures"], json!([]));
    }

    #[test]
    fn content_comes_from_a_bucket_as_well() {
        let mut world = World::default();
        let content = |content: Value| json!({ "LayerName": "deps", "Content": content });
        let from =
            content(json!({ "S3Bucket": "packages", "S3Key": "k.zip", "S3ObjectStorageMode": "COPY" }));
        assert_eq!(world.done("PublishLayerVersion", from)["Version"], 1);
        for (given, text) in [
            (json!({}), "Please provide a source for function code."),
            (
                json!({ "S3Bucket": "hot-reload", "S3Key": "/tmp/deps" }),
                "A folder as a layer (S3Bucket hot-reload) is not supported by this version of triggerfish",
            ),
            (
                json!({ "S3Bucket": "packages", "S3Key": "k", "S3ObjectStorageMode": "REFERENCE" }),
                "S3ObjectStorageMode REFERENCE (`Content`) is not supported by this version of triggerfish",
            ),
        ] {
            let refused = world.refused("PublishLayerVersion", content(given));
            assert_eq!(refused, (400, "InvalidParameterValueException", text.to_owned()));
        }
        assert_eq!(world.registry.layers["deps"].published, 1);
    }

    #[test]
    fn numbers_are_never_used_twice() {
        let mut world = World::default();
        world.done("PublishLayerVersion", new_layer("deps"));
        world.done("PublishLayerVersion", new_layer("deps"));
        let listed = world.done("ListLayerVersions", json!({ "LayerName": "deps" }));
        assert_eq!(numbers(&listed), [2, 1]);
        let item = &listed["LayerVersions"][0];
        assert!(
            item.get("Content").is_none() && item.get("LayerArn").is_none(),
            "{item}"
        );
        for number in [1, 2, 2, 3] {
            let input = json!({ "LayerName": "deps", "VersionNumber": number });
            assert_eq!(world.call("DeleteLayerVersion", input), Ok((204, Value::Null)));
        }
        let listed = world.done("ListLayerVersions", json!({ "LayerName": "deps" }));
        assert_eq!(numbers(&listed), [0; 0]);
        assert_eq!(world.done("ListLayers", json!({})), json!({ "Layers": [] }));
        assert_eq!(world.done("PublishLayerVersion", new_layer("deps"))["Version"], 3);
    }

    #[test]
    fn what_is_not_there_is_told_of_in_aws_words() {
        let mut world = World::default();
        world.done("PublishLayerVersion", new_layer("deps"));
        world.others.clear();
        let version = |layer: &str, number: i64| json!({ "LayerName": layer, "VersionNumber": number });
        let missing = (404, "ResourceNotFoundException", UNKNOWN.to_owned());
        assert_eq!(world.refused("GetLayerVersion", version("other", 1)), missing);
        assert_eq!(world.refused("GetLayerVersion", version("deps", 2)), missing);
        for arn in [format!("{ARN}:2"), format!("{ARN}:99999999999999999999")] {
            assert_eq!(
                world.refused("GetLayerVersionByArn", json!({ "Arn": arn })),
                missing
            );
        }
        let low = "Layer Version Cannot be less than 1".to_owned();
        let low = (400, "InvalidParameterValueException", low);
        for number in [0, -1] {
            assert_eq!(world.refused("GetLayerVersion", version("deps", number)), low);
            assert_eq!(world.refused("DeleteLayerVersion", version("deps", number)), low);
        }
        let none = json!({ "LayerVersions": [] });
        assert_eq!(
            world.done("ListLayerVersions", json!({ "LayerName": "other" })),
            none
        );
        assert_eq!(
            world.call("DeleteLayerVersion", version("other", 1)),
            Ok((204, Value::Null))
        );
        assert!(world.others.is_empty());
    }

    #[test]
    fn the_layers_of_others_are_out_of_reach() {
        let mut world = World::default();
        let mut refused = |arn: &str| {
            let input = json!({ "LayerName": arn, "VersionNumber": 1 });
            let (status, code, text) = world.refused("GetLayerVersion", input);
            (status, code, text)
        };
        assert_eq!(
            refused(&ARN.replace("us-east-1:123456789012", "eu-west-1:000000000000")),
            (
                404,
                "ResourceNotFoundException",
                "Layers from 'eu-west-1' are not reachable in this region ('us-east-1')".to_owned()
            )
        );
        let (status, code, _) = refused(&ARN.replace("123456789012", "000000000000"));
        assert_eq!((status, code), (403, "AccessDeniedException"));
        let refused = world.refused(
            "GetLayerVersionByArn",
            json!({ "Arn": "arn:aws:lambda:::awslayer:x" }),
        );
        assert_eq!((refused.0, refused.1), (400, "InvalidParameterValueException"));
    }

    #[test]
    fn lists_show_what_fits() {
        let mut world = World::default();
        for (layer, runtime, architecture) in [
            ("a", "python3.12", "x86_64"),
            ("a", "python3.13", "arm64"),
            ("b", "nodejs22.x", "arm64"),
        ] {
            let more = json!({ "CompatibleRuntimes": [runtime], "CompatibleArchitectures": [architecture] });
            world.done("PublishLayerVersion", and(new_layer(layer), more));
        }
        world.done("PublishLayerVersion", new_layer("c"));
        let mut latest = |filter: Value| {
            let body = world.done("ListLayers", filter);
            let layers = body["Layers"].as_array().into_iter().flatten();
            let shown = layers.map(|layer| {
                let version = &layer["LatestMatchingVersion"];
                format!(
                    "{}{}",
                    layer["LayerName"].as_str().unwrap_or_default(),
                    version["Version"]
                )
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(latest(json!({})), ["a2", "b1", "c1"]);
        assert_eq!(latest(json!({ "CompatibleRuntime": "python3.12" })), ["a1"]);
        assert_eq!(latest(json!({ "CompatibleArchitecture": "arm64" })), ["a2", "b1"]);
        let both = json!({ "CompatibleRuntime": "python3.12", "CompatibleArchitecture": "arm64" });
        assert_eq!(latest(both), Vec::<String>::new());
        let body = world.done(
            "ListLayerVersions",
            json!({ "LayerName": "a", "CompatibleArchitecture": "x86_64" }),
        );
        assert_eq!(numbers(&body), [1]);
    }

    #[test]
    fn versions_are_listed_by_pages_whose_marker_outlives_its_version() {
        let mut world = World::default();
        for _ in 0..3 {
            world.done("PublishLayerVersion", new_layer("deps"));
        }
        let first = world.done("ListLayerVersions", json!({ "LayerName": "deps", "MaxItems": 2 }));
        assert_eq!(numbers(&first), [3, 2]);
        world.done(
            "DeleteLayerVersion",
            json!({ "LayerName": "deps", "VersionNumber": 2 }),
        );
        let next = json!({ "LayerName": "deps", "Marker": first["NextMarker"] });
        let next = world.done("ListLayerVersions", next);
        assert_eq!((numbers(&next), next.get("NextMarker")), (vec![1], None));
    }

    #[test]
    fn a_function_keeps_the_content_of_a_layer_version_that_is_deleted() {
        let mut world = World::default();
        world.done("PublishLayerVersion", new_layer("deps"));
        let version = format!("{ARN}:1");
        let with = |name: &str, layer: &str| and(new_function(name), json!({ "Layers": [layer] }));
        let body = world.done("CreateFunction", with("f", &version));
        assert_eq!(body["Layers"][0]["Arn"], version.as_str());
        world.pass(Duration::from_secs(1));
        world.done(
            "DeleteLayerVersion",
            json!({ "LayerName": "deps", "VersionNumber": 1 }),
        );
        assert_eq!(world.registry.layer(&version), None);
        let body = world.done("GetFunctionConfiguration", json!({ "FunctionName": "f" }));
        assert_eq!(body["Layers"][0]["Arn"], version.as_str());
        let refused = world.refused("CreateFunction", with("g", &version));
        assert_eq!(refused.2, format!("Layer version {version} does not exist."));
        let foreign = version.replace("123456789012", "000000000000");
        let refused = world.refused("CreateFunction", with("g", &foreign));
        assert_eq!((refused.0, refused.1), (403, "AccessDeniedException"));
    }
}
