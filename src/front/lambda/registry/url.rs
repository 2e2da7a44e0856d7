//! Function URLs: Create, Get, Update, Delete and ListFunctionUrlConfig(s) (spec/lambda §10).
//!
//! Owns which function has which URL. AWS's are `https://<id>.lambda-url.<region>.on.aws/`; ours have to be reachable on
//! this machine, and are `http://<id>.lambda-url.<region>.localhost:<port>/` with the gateway's port: everything below
//! `localhost` is this machine. Deliberately absent: the serving, and who may call.

use router::name::FunctionName;
use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::configuration::arn;
use super::function::PAGE;
use super::target::{Asked, UNQUALIFIED};
use super::{Moment, Outcome, Place, Record, Registry, Told, conflict, number, page, structure, text};
use crate::front::lambda::model::Input;

/// A function URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlConfig {
    /// What its host begins with: 32 small letters and digits.
    pub id: String,
    /// `NONE` or `AWS_IAM`.
    pub auth_type: String,
    /// What browsers are told of other origins.
    pub cors: Option<Cors>,
    /// Whether answers are streamed (`RESPONSE_STREAM`); otherwise they are sent whole (`BUFFERED`).
    pub streams: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub modified: Timestamp,
}

/// `Cors`: what was given of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Cors {
    /// Whether cookies may be sent along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    /// Headers that a request may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_headers: Option<Vec<String>>,
    /// Methods that a request may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_methods: Option<Vec<String>>,
    /// Origins that may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_origins: Option<Vec<String>>,
    /// Headers of an answer that a page may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expose_headers: Option<Vec<String>>,
    /// Seconds that a browser may keep what it was told, 0 to 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
}

impl Registry {
    /// The function that has a URL, by what its host begins with; and the alias, if it is an alias'.
    pub fn url(&self, id: &str) -> Option<(&Record, Option<&str>, &UrlConfig)> {
        self.functions.values().find_map(|record| {
            let (key, url) = record.urls.iter().find(|(_, url)| url.id == id)?;
            Some((record, Some(key.as_str()).filter(|key| *key != UNQUALIFIED), url))
        })
    }
}

/// CreateFunctionUrlConfig.
pub fn create(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (asked, record) = existing(registry, moment, input)?;
    if record.urls.contains_key(asked.key()) {
        return Err(conflict(format!(
            "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for this Lambda function",
            asked.arn(moment)
        )));
    }
    let mut url = UrlConfig {
        id: moment.ids.label(),
        auth_type: String::new(),
        cors: None,
        streams: false,
        created: moment.now,
        modified: moment.now,
    };
    url.take(moment.now, input);
    let mut shown = show(moment.place, &asked.name, asked.key(), &url);
    if let Value::Object(shown) = &mut shown {
        shown.remove("LastModifiedTime");
        if !input.contains_key("InvokeMode") {
            shown.remove("InvokeMode");
        }
    }
    set(registry, &asked, url);
    Told::json(201, shown)
}

/// GetFunctionUrlConfig.
pub fn get(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    let url = configured(registry, &asked)?;
    Told::json(200, show(moment.place, &asked.name, asked.key(), url))
}

/// UpdateFunctionUrlConfig: what is not given stays.
pub fn update(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (asked, _) = existing(registry, moment, input)?;
    let mut url = configured(registry, &asked)?.clone();
    url.take(moment.now, input);
    let shown = show(moment.place, &asked.name, asked.key(), &url);
    set(registry, &asked, url);
    Told::json(200, shown)
}

/// DeleteFunctionUrlConfig.
pub fn delete(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let asked = Asked::read(moment, input)?;
    configured(registry, &asked)?;
    if let Some(record) = registry.change(&asked.name) {
        record.urls.remove(asked.key());
    }
    Told::nothing()
}

/// ListFunctionUrlConfigs: the function's own, then its aliases'.
pub fn list(registry: &mut Registry, moment: &mut Moment<'_>, input: &Input) -> Outcome {
    let (_, record) = existing(registry, moment, input)?;
    let item = |key: &String, url| (key.clone(), show(moment.place, &record.name, key, url));
    let items = record.urls.iter().map(|(key, url)| item(key, url)).collect();
    Told::json(200, page(input, PAGE, "FunctionUrlConfigs", items)?)
}

fn existing<'a>(
    registry: &'a Registry,
    moment: &Moment<'_>,
    input: &Input,
) -> Result<(Asked, &'a Record), ApiError> {
    let asked = Asked::read(moment, input)?;
    match asked.find(registry) {
        Some(record) => Ok((asked, record)),
        None => Err(ApiError::missing("Function does not exist")),
    }
}

fn configured<'a>(registry: &'a Registry, asked: &Asked) -> Result<&'a UrlConfig, ApiError> {
    let record = registry.functions.get(&asked.name);
    let url = record.and_then(|record| record.urls.get(asked.key()));
    url.ok_or_else(|| ApiError::missing("The resource you requested does not exist."))
}

fn set(registry: &mut Registry, asked: &Asked, url: UrlConfig) {
    if let Some(record) = registry.change(&asked.name) {
        record.urls.insert(asked.key().to_owned(), url);
    }
}

impl UrlConfig {
    /// Takes in what an input says.
    fn take(&mut self, now: Timestamp, input: &Input) {
        if let Some(auth_type) = text(input, "AuthType") {
            auth_type.clone_into(&mut self.auth_type);
        }
        if let Some(cors) = structure(input, "Cors") {
            self.cors = Some(Cors::read(cors)).filter(|cors| *cors != Cors::default());
        }
        if let Some(mode) = text(input, "InvokeMode") {
            self.streams = mode == "RESPONSE_STREAM";
        }
        self.modified = now;
    }
}

impl Cors {
    fn read(input: &Input) -> Self {
        let list = |member: &str| {
            let items = input.get(member)?.as_array()?.iter();
            Some(items.filter_map(Value::as_str).map(str::to_owned).collect())
        };
        Cors {
            allow_credentials: input.get("AllowCredentials").and_then(Value::as_bool),
            allow_headers: list("AllowHeaders"),
            allow_methods: list("AllowMethods"),
            allow_origins: list("AllowOrigins"),
            expose_headers: list("ExposeHeaders"),
            max_age: number(input, "MaxAge").and_then(|n| u32::try_from(n).ok()),
        }
    }
}

fn show(place: &Place, name: &FunctionName, key: &str, url: &UrlConfig) -> Value {
    let port = place.endpoint.rsplit_once(':').map_or("80", |(_, port)| port);
    let port = port.trim_end_matches('/');
    let (id, region) = (&url.id, &place.region);
    let mut shown = json!({
        "FunctionUrl": format!("http://{id}.lambda-url.{region}.localhost:{port}/"),
        "FunctionArn": arn(place, name, Some(key).filter(|key| *key != UNQUALIFIED)),
        "AuthType": url.auth_type,
        "CreationTime": url.created.iso_millis(),
        "LastModifiedTime": url.modified.iso_millis(),
        "InvokeMode": if url.streams { "RESPONSE_STREAM" } else { "BUFFERED" },
    });
    if let Some(cors) = &url.cors {
        shown["Cors"] = json!(cors);
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::world::{World, and, arn};

    fn open(name: &str) -> Value {
        json!({ "FunctionName": name, "AuthType": "NONE" })
    }

    #[test]
    fn a_url_is_made_shown_changed_and_deleted() {
        let mut world = World::with_alias();
        let f = || json!({ "FunctionName": "f" });
        let (status, created) = world
            .call("CreateFunctionUrlConfig", open("f"))
            .expect("an answer");
        assert_eq!(status, 201);
        let url = created["FunctionUrl"].as_str().unwrap_or_default().to_owned();
        let id = url
            .trim_start_matches("http://")
            .split('.')
            .next()
            .unwrap_or_default();
        assert_eq!(url, format!("http://{id}.lambda-url.us-east-1.localhost:4566/"));
        assert_eq!(id.len(), 32);
        assert!(
            id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "{id}"
        );
        let time = "2025-11-25T02:38:25.123Z";
        let first =
            json!({ "FunctionUrl": url, "FunctionArn": arn("f"), "AuthType": "NONE", "CreationTime": time });
        assert_eq!(created, first);
        let whole = and(
            first,
            json!({ "LastModifiedTime": time, "InvokeMode": "BUFFERED" }),
        );
        assert_eq!(world.call("GetFunctionUrlConfig", f()), Ok((200, whole.clone())));
        world.pass(Duration::from_secs(1));
        let cors = json!({ "AllowOrigins": ["*"], "MaxAge": 5, "AllowCredentials": false });
        let change = json!({ "AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM", "Cors": cors });
        let later = json!({ "LastModifiedTime": "2025-11-25T02:38:26.123Z" });
        let whole = and(and(whole, change.clone()), later);
        assert_eq!(
            world.call("UpdateFunctionUrlConfig", and(f(), change)),
            Ok((200, whole.clone()))
        );
        assert_eq!(world.done("UpdateFunctionUrlConfig", f()), whole);
        let bare = world.done("UpdateFunctionUrlConfig", and(f(), json!({ "Cors": {} })));
        assert_eq!(bare.get("Cors"), None);
        assert_eq!(world.call("DeleteFunctionUrlConfig", f()), Ok((204, Value::Null)));
        for operation in [
            "GetFunctionUrlConfig",
            "UpdateFunctionUrlConfig",
            "DeleteFunctionUrlConfig",
        ] {
            let text = "The resource you requested does not exist.".to_owned();
            assert_eq!(
                world.refused(operation, f()),
                (404, "ResourceNotFoundException", text)
            );
        }
    }

    #[test]
    fn a_function_and_each_alias_have_one() {
        let mut world = World::with_alias();
        let mut ids = Vec::new();
        for name in ["f", "f:live"] {
            let created = world.done("CreateFunctionUrlConfig", open(name));
            assert_eq!(created["FunctionArn"], arn(name));
            let url = created["FunctionUrl"].as_str().unwrap_or_default().to_owned();
            ids.extend(
                url.trim_start_matches("http://")
                    .split('.')
                    .next()
                    .map(str::to_owned),
            );
            let text = format!(
                "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for this Lambda function",
                arn(name)
            );
            let told = (409, "ResourceConflictException", text);
            assert_eq!(world.refused("CreateFunctionUrlConfig", open(name)), told);
        }
        let found = |world: &World, id: &str| {
            let (record, alias, _) = world.registry.url(id)?;
            Some((record.name.to_string(), alias.map(str::to_owned)))
        };
        assert_eq!(found(&world, &ids[0]), Some(("f".to_owned(), None)));
        assert_eq!(
            found(&world, &ids[1]),
            Some(("f".to_owned(), Some("live".to_owned())))
        );
        assert_eq!(found(&world, "x"), None);
        let listed = world.done("ListFunctionUrlConfigs", json!({ "FunctionName": "f" }));
        let listed = listed["FunctionUrlConfigs"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let arns: Vec<&Value> = listed.iter().map(|item| &item["FunctionArn"]).collect();
        assert_eq!(arns, [&json!(arn("f")), &json!(arn("f:live"))]);
        world.done("DeleteAlias", json!({ "FunctionName": "f", "Name": "live" }));
        assert_eq!(found(&world, &ids[1]), None);
    }

    #[test]
    fn what_is_missing_or_of_another_shape_is_told() {
        let mut world = World::with_alias();
        for (operation, name) in [
            ("CreateFunctionUrlConfig", "x"),
            ("CreateFunctionUrlConfig", "f:dead"),
            ("UpdateFunctionUrlConfig", "x"),
        ] {
            let told = (
                404,
                "ResourceNotFoundException",
                "Function does not exist".to_owned(),
            );
            assert_eq!(world.refused(operation, open(name)), told);
        }
        let text = world
            .refused("ListFunctionUrlConfigs", json!({ "FunctionName": "x" }))
            .2;
        assert_eq!(text, "Function does not exist");
        for qualifier in ["1", "$LATEST"] {
            let input = and(open("f"), json!({ "Qualifier": qualifier }));
            let (_, code, text) = world.refused("CreateFunctionUrlConfig", input);
            assert_eq!(code, "ValidationException");
            assert!(text.ends_with(r"pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)"), "{text}");
        }
        let input = and(open("f"), json!({ "InvokeMode": "STREAM" }));
        let text = world.refused("CreateFunctionUrlConfig", input).2;
        assert!(
            text.ends_with("enum value set: [RESPONSE_STREAM, BUFFERED]"),
            "{text}"
        );
    }
}
