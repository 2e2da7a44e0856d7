//! Lambda's service model: which operation a request is, what it says, and whether that has the documented shape.
//!
//! Owns routing and the generic constraints of spec/errors §2, both read from the model itself, so that what is checked
//! is what is printed. Pure. Deliberately absent: what operations mean, and checks that need more than the request.

mod constraint;
#[cfg(test)]
pub mod samples;

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use scenarios::api::error::ApiError;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::front::http::{Request, decode, parameters};

/// What a request says, by the names of its operation's members, wherever they travelled.
pub type Input = Map<String, Value>;

/// Lambda's operations and the shapes of their inputs.
#[derive(Debug, Deserialize)]
pub struct Model {
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

/// One operation.
#[derive(Debug, Deserialize)]
pub struct Operation {
    #[serde(skip)]
    name: OnceLock<String>,
    method: String,
    uri: String,
    input: Option<String>,
    payload: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: BTreeMap<String, Member>,
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    choices: Vec<String>,
    member: Option<String>,
    key: Option<String>,
    value: Option<String>,
    #[serde(skip)]
    compiled: OnceLock<Option<fancy_regex::Regex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Double,
    Boolean,
    Timestamp,
    Blob,
}

#[derive(Debug, Deserialize)]
struct Member {
    shape: String,
    /// `uri`, `querystring` or `header`; in the body where it is absent.
    #[serde(rename = "in")]
    place: Option<String>,
    /// Its name there.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// The model of November 2026; see `model/extract.py`.
pub static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let model: Model =
        serde_json::from_str(include_str!("model/lambda.json")).expect("the model is part of the binary");
    for (name, operation) in &model.operations {
        operation.name.get_or_init(|| name.clone());
    }
    model
});

impl Operation {
    /// AWS's name of it.
    pub fn name(&self) -> &str {
        self.name.get().map_or("", String::as_str)
    }

    /// What it binds of a path, if it is this one's. A fixed query, as in `?List=ALL`, has to be there.
    fn binds<'a>(
        &'a self,
        method: &str,
        path: &'a str,
        query: &[(String, String)],
    ) -> Option<Vec<(&'a str, &'a str)>> {
        let (uri, fixed) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        if method != self.method {
            return None;
        }
        let fixed = fixed.split('&').filter(|pair| !pair.is_empty());
        let has = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            query.iter().any(|(k, v)| k == key && v == value)
        };
        if !fixed.into_iter().all(has) {
            return None;
        }
        let (mut wanted, mut given) = (
            uri.trim_end_matches('/').split('/'),
            path.trim_end_matches('/').split('/'),
        );
        let mut bound = Vec::new();
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(bound),
                (Some(want), Some(give)) => {
                    match want.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                        Some(label) if !give.is_empty() => bound.push((label, give)),
                        None if want == give => {}
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
    }
}

impl Model {
    /// An operation by its name.
    #[cfg(test)]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// The names of the members of an operation's input.
    #[cfg(test)]
    pub fn members(&self, operation: &Operation) -> impl Iterator<Item = &str> {
        let shape = operation.input.as_ref().and_then(|name| self.shapes.get(name));
        shape
            .into_iter()
            .flat_map(|shape| shape.members.keys().map(String::as_str))
    }

    /// The operation that a request asks for.
    pub fn route(&self, method: &str, path: &str, query: Option<&str>) -> Option<&Operation> {
        let query = parameters(query.unwrap_or(""));
        let fitting = self
            .operations
            .values()
            .filter(|o| o.binds(method, path, &query).is_some());
        fitting.max_by_key(|operation| operation.uri.contains('?'))
    }

    /// What a request says to an operation, its shape checked.
    ///
    /// # Errors
    /// A body that is no JSON object, a value of another type, or every constraint that is broken at once.
    pub fn input(&self, operation: &Operation, request: &Request) -> Result<Input, ApiError> {
        let Some(shape) = operation.input.as_ref().and_then(|name| self.shapes.get(name)) else {
            return Ok(Input::new());
        };
        let query = request.parameters();
        let path = operation
            .binds(request.method.as_str(), &request.path, &query)
            .unwrap_or_default();
        let mut input = body(operation, request)?;
        input.retain(|name, value| {
            !value.is_null() && shape.members.get(name).is_some_and(|m| m.place.is_none())
        });
        for (name, member) in &shape.members {
            let key = member.name.as_deref().unwrap_or(name);
            let given: Vec<String> = match member.place.as_deref() {
                Some("uri") => path
                    .iter()
                    .filter(|(k, _)| *k == key)
                    .map(|(_, v)| decode(v))
                    .collect(),
                Some("querystring") => query
                    .iter()
                    .filter(|(k, _)| k == key)
                    .map(|(_, v)| v.clone())
                    .collect(),
                Some("header") => request.header(key).map(str::to_owned).into_iter().collect(),
                _ => continue,
            };
            if let Some(value) = self.text(&member.shape, given)? {
                input.insert(name.clone(), value);
            }
        }
        constraint::check(self, shape, &input)?;
        Ok(input)
    }

    /// Checks the members of an input that came another way than by HTTP.
    ///
    /// # Errors
    /// As [`Model::input`].
    #[cfg(test)]
    pub fn check(&self, operation: &Operation, input: &Input) -> Result<(), ApiError> {
        let shape = operation.input.as_ref().and_then(|name| self.shapes.get(name));
        shape.map_or(Ok(()), |shape| constraint::check(self, shape, input))
    }

    /// Texts of a URI as the value that a shape makes of them.
    fn text(&self, shape: &str, mut given: Vec<String>) -> Result<Option<Value>, ApiError> {
        let Some(shape) = self.shapes.get(shape) else {
            return Ok(None);
        };
        if shape.kind == Kind::List {
            return Ok(match given.is_empty() {
                true => None,
                false => Some(Value::from(given)),
            });
        }
        let Some(text) = given.pop() else { return Ok(None) };
        let wrong = |kind: &str| serialization(&format!("'{text}' can not be converted to {kind}"));
        Ok(Some(match shape.kind {
            Kind::Integer | Kind::Long => Value::from(text.parse::<i64>().map_err(|_| wrong("an Integer"))?),
            Kind::Boolean => Value::from(text.parse::<bool>().map_err(|_| wrong("a Boolean"))?),
            _ => Value::from(text),
        }))
    }
}

/// The members in the body.
fn body(operation: &Operation, request: &Request) -> Result<Input, ApiError> {
    if operation.payload.is_some() || request.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Input::new());
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(serialization(
            "Start of structure or map found where not expected.",
        )),
        Err(error) => Err(serialization(&format!(
            "The request body is not valid JSON: {error}"
        ))),
    }
}

/// A body or a value that cannot be read as what the operation takes.
pub(super) fn serialization(message: &str) -> ApiError {
    let body = serde_json::json!({ "message": message }).to_string();
    ApiError {
        status: 400,
        code: "SerializationException",
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(method: &str, path: &str, query: &str) -> Option<&'static str> {
        MODEL.route(method, path, Some(query)).map(Operation::name)
    }

    #[test]
    fn every_operation_is_found_by_its_own_uri() {
        for (name, operation) in &MODEL.operations {
            let (path, query) = operation.uri.split_once('?').unwrap_or((&operation.uri, ""));
            let path = path.replace(['{', '}'], "");
            assert_eq!(
                named(&operation.method, &path, query),
                Some(name.as_str()),
                "{}",
                operation.uri
            );
        }
    }

    #[test]
    fn slashes_at_the_end_and_fixed_queries_are_understood() {
        assert_eq!(
            named("GET", "/2015-03-31/functions/", "MaxItems=2"),
            Some("ListFunctions")
        );
        let path = "/2019-09-30/functions/f/provisioned-concurrency";
        assert_eq!(
            named("GET", path, "List=ALL"),
            Some("ListProvisionedConcurrencyConfigs")
        );
        assert_eq!(
            named("GET", path, "Qualifier=1"),
            Some("GetProvisionedConcurrencyConfig")
        );
        assert_eq!(named("GET", "/2015-03-31/functions/f/nothing", ""), None);
        assert_eq!(named("PATCH", "/2015-03-31/functions/f", ""), None);
    }

    #[test]
    fn every_pattern_of_the_model_compiles() {
        for (name, shape) in &MODEL.shapes {
            assert!(shape.pattern.is_none() || shape.regex().is_some(), "{name}");
        }
    }
}
