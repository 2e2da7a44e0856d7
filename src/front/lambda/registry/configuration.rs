//! How a version is shown: the `FunctionConfiguration` of responses (spec/lambda §8.1, §8.2).
//!
//! Owns the members, and which of them are left out where. Deliberately absent: what is true of it.

use router::name::{FunctionName, Seed, hex};
use router::settings::function_arn;
use router::time::Timestamp;
use serde_json::{Map, Value, json};

use super::Place;
use super::config::Program;
use super::record::{Record, Revision, State, Update};

/// Which view of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Everything.
    Whole,
    /// An item of a list: without states and runtime version.
    Item,
}

/// The ARN of a function with its qualifier as it was asked.
pub fn arn(place: &Place, name: &FunctionName, qualifier: Option<&str>) -> String {
    let arn = function_arn(&place.region, &place.account, name);
    match qualifier {
        Some(qualifier) => format!("{arn}:{qualifier}"),
        None => arn,
    }
}

/// `2025-11-25T02:38:24.123+0000`, as functions have it.
pub fn stamp(at: Timestamp) -> String {
    at.iso_millis().replace('Z', "+0000")
}

/// Seconds since the epoch, as event-invoke configs and mappings have it.
pub fn epoch(at: Timestamp) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this era are far below 2^52"
    )]
    let seconds = at.as_millis() as f64 / 1000.0;
    json!(seconds)
}

/// A version as JSON; `asked` is the qualifier that its ARN ends in.
pub fn show(
    place: &Place,
    record: &Record,
    version: &str,
    revision: &Revision,
    asked: Option<&str>,
    view: View,
) -> Value {
    let config = &revision.config;
    let mut all = Map::new();
    let mut put = |key: &str, value: Value| drop(all.insert(key.to_owned(), value));
    put("FunctionName", json!(record.name));
    put("FunctionArn", json!(arn(place, &record.name, asked)));
    put("Role", json!(config.role));
    put("Runtime", json!(runtime(&config.program)));
    put("Handler", json!(config.handler));
    put("CodeSize", json!(revision.code.size()));
    put("CodeSha256", json!(revision.code.sha256()));
    put("Description", json!(config.description));
    put("Timeout", json!(config.timeout));
    put("MemorySize", json!(config.memory));
    put("LastModified", json!(stamp(revision.modified)));
    put("Version", json!(version));
    put("RevisionId", json!(revision.revision_id));
    put("PackageType", json!("Zip"));
    put("Architectures", json!([config.architecture]));
    put("EphemeralStorage", json!({ "Size": config.ephemeral_storage }));
    put(
        "TracingConfig",
        json!({ "Mode": if config.traced { "Active" } else { "PassThrough" } }),
    );
    put(
        "SnapStart",
        json!({ "ApplyOn": "None", "OptimizationStatus": "Off" }),
    );
    put("LoggingConfig", logging(record, revision));
    if let Some(variables) = &config.environment {
        put("Environment", json!({ "Variables": variables }));
    }
    if let Some(target) = &config.dead_letter {
        put("DeadLetterConfig", json!({ "TargetArn": target }));
    }
    if !config.layers.is_empty() {
        let layers = config
            .layers
            .iter()
            .map(|layer| json!({ "Arn": layer.arn, "CodeSize": layer.package.size }));
        put("Layers", layers.collect());
    }
    if view != View::Item {
        put(
            "RuntimeVersionConfig",
            json!({ "RuntimeVersionArn": runtime_version(place, runtime(&config.program)) }),
        );
        states(revision)
            .into_iter()
            .for_each(|(key, value)| put(key, value));
    }
    Value::Object(all)
}

fn runtime(program: &Program) -> &str {
    match program {
        Program::Runtime(runtime) => runtime,
        // What a runtime of one's own is called at AWS.
        Program::Command(_) => "provided.al2023",
    }
}

/// The same for a runtime in every run.
fn runtime_version(place: &Place, runtime: &str) -> String {
    let hash = hex(&Seed(0).bytes(&format!("runtime:{runtime}")));
    format!("arn:aws:lambda:{}::runtime:{hash}", place.region)
}

fn logging(record: &Record, revision: &Revision) -> Value {
    let logging = &revision.config.logging;
    let own = || format!("/aws/lambda/{}", record.name);
    let group = logging.group.clone().unwrap_or_else(own);
    match &logging.json {
        None => json!({ "LogFormat": "Text", "LogGroup": group }),
        Some((application, system)) => json!({
            "LogFormat": "JSON", "LogGroup": group, "ApplicationLogLevel": application, "SystemLogLevel": system,
        }),
    }
}

fn states(revision: &Revision) -> Vec<(&'static str, Value)> {
    let mut states = Vec::new();
    match &revision.state {
        State::Active => states.push(("State", json!("Active"))),
        State::Pending { .. } => states.extend([
            ("State", json!("Pending")),
            ("StateReason", json!("The function is being created.")),
            ("StateReasonCode", json!("Creating")),
        ]),
        State::Failed { reason } => states.extend([
            ("State", json!("Failed")),
            ("StateReason", json!(reason)),
            ("StateReasonCode", json!("InvalidConfiguration")),
        ]),
    }
    match &revision.update {
        Update::Successful if matches!(revision.state, State::Pending { .. }) => {}
        Update::Successful => states.push(("LastUpdateStatus", json!("Successful"))),
        Update::InProgress { .. } => states.extend([
            ("LastUpdateStatus", json!("InProgress")),
            ("LastUpdateStatusReason", json!("The function is being created.")),
            ("LastUpdateStatusReasonCode", json!("Creating")),
        ]),
    }
    states
}
