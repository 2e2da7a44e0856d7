//! A version's configuration: what CreateFunction and UpdateFunctionConfiguration say (spec/lambda §8.1).
//!
//! Owns the members, their defaults, and the checks that the model cannot make. Deliberately absent: code, states, and how a configuration is shown ([`super::configuration`]).

mod layer_list;
pub mod runtimes;
mod unoffered;

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Moment, invalid, number, structure, text};
use crate::front::code::Package;
use crate::front::lambda::model::Input;
pub use layer_list::{Layer, layers};
pub use unoffered::check_unoffered;

/// The configuration of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Free text.
    pub description: String,
    /// The role's ARN, which nothing is asked of.
    pub role: String,
    /// What runs it.
    pub program: Program,
    /// The handler string.
    pub handler: String,
    /// Seconds an invocation may take, 1 to 900.
    pub timeout: u32,
    /// MB, 128 to 10240.
    pub memory: u32,
    /// MB in `/tmp`, 512 to 10240.
    pub ephemeral_storage: u32,
    /// Variables; `None` where none were ever given.
    pub environment: Option<BTreeMap<String, String>>,
    /// How its log is written.
    pub logging: Logging,
    /// `TracingConfig.Mode` is `Active`: trace headers say `Sampled=1`.
    pub traced: bool,
    /// The queue or topic for events that are given up.
    pub dead_letter: Option<String>,
    /// Layers, in their order.
    pub layers: Vec<Layer>,
    /// `x86_64` or `arm64`. Native code has to fit this machine either way.
    pub architecture: String,
    /// Whether processes stop between invocations.
    pub freeze: bool,
}

/// What runs a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// A runtime's identifier.
    Runtime(String),
    /// A command of the project file.
    Command(Vec<String>),
}

/// `LoggingConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Logging {
    /// `ApplicationLogLevel` and `SystemLogLevel` of a log in JSON; `None` for plain text.
    pub json: Option<(String, String)>,
    /// The log group, if it is not the function's own.
    pub group: Option<String>,
}

/// Variables that are Lambda's own (spec/lambda §4).
const RESERVED: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Bytes that variables may take as JSON.
const ENVIRONMENT_LIMIT: usize = 4096;
impl Config {
    /// AWS's defaults.
    pub fn new(role: &str) -> Self {
        Config {
            description: String::new(),
            role: role.to_owned(),
            program: Program::Runtime(String::new()),
            handler: String::new(),
            timeout: 3,
            memory: 128,
            ephemeral_storage: 512,
            environment: None,
            logging: Logging::default(),
            traced: false,
            dead_letter: None,
            layers: Vec::new(),
            architecture: "x86_64".to_owned(),
            freeze: true,
        }
    }

    /// Takes in what an input says; what it does not say stays.
    ///
    /// # Errors
    /// A value that AWS would refuse, or that is not offered here.
    pub fn take(
        &mut self,
        moment: &Moment<'_>,
        input: &Input,
        layers: Option<Vec<Layer>>,
    ) -> Result<(), ApiError> {
        check_unoffered(input)?;
        if let Some(role) = text(input, "Role") {
            self.role = role.to_owned();
        }
        if let Some(runtime) = text(input, "Runtime") {
            runtimes::check(moment, runtime)?;
            self.program = Program::Runtime(runtime.to_owned());
        }
        if let Some(handler) = text(input, "Handler") {
            self.handler = handler.to_owned();
        }
        if let Some(description) = text(input, "Description") {
            self.description = description.to_owned();
        }
        self.timeout = within(input, "Timeout", 900)?.unwrap_or(self.timeout);
        self.memory = within(input, "MemorySize", 10240)?.unwrap_or(self.memory);
        if let Some(storage) = structure(input, "EphemeralStorage") {
            self.ephemeral_storage = within(storage, "Size", 10240)?.unwrap_or(self.ephemeral_storage);
        }
        if let Some(environment) = structure(input, "Environment") {
            self.environment = Some(variables(environment)?);
        }
        if let Some(logging) = structure(input, "LoggingConfig") {
            self.logging.take(logging)?;
        }
        if let Some(mode) = structure(input, "TracingConfig").and_then(|tracing| text(tracing, "Mode")) {
            self.traced = mode == "Active";
        }
        if let Some(target) = structure(input, "DeadLetterConfig") {
            self.dead_letter = dead_letter(moment, text(target, "TargetArn"))?;
        }
        if let Some(Value::Array(architectures)) = input.get("Architectures") {
            let first = architectures.first().and_then(Value::as_str);
            self.architecture = first.unwrap_or(&self.architecture).to_owned();
        }
        if let Some(layers) = layers {
            self.layers = layers;
        }
        Ok(())
    }
}

impl Logging {
    fn take(&mut self, input: &Input) -> Result<(), ApiError> {
        let levels = (text(input, "ApplicationLogLevel"), text(input, "SystemLogLevel"));
        let json = match text(input, "LogFormat") {
            Some(format) => format == "JSON",
            None => self.json.is_some(),
        };
        if !json && levels != (None, None) {
            return Err(invalid(
                "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your request or change the LogFormat to \"JSON\" and try again.",
            ));
        }
        let info = || ("INFO".to_owned(), "INFO".to_owned());
        let (mut application, mut system) = self.json.take().unwrap_or_else(info);
        levels
            .0
            .into_iter()
            .for_each(|level| level.clone_into(&mut application));
        levels
            .1
            .into_iter()
            .for_each(|level| level.clone_into(&mut system));
        self.json = json.then_some((application, system));
        if let Some(group) = text(input, "LogGroup") {
            self.group = Some(group.to_owned());
        }
        Ok(())
    }
}

/// A number whose limit for ordinary functions is below the model's.
fn within(input: &Input, member: &str, limit: u32) -> Result<Option<u32>, ApiError> {
    let Some(given) = number(input, member) else {
        return Ok(None);
    };
    match u32::try_from(given).ok().filter(|n| *n <= limit) {
        Some(number) => Ok(Some(number)),
        None => {
            let path = match member {
                "Timeout" => "timeout",
                "MemorySize" => "memorySize",
                _ => "ephemeralStorage.size",
            };
            let rule = format!("Member must have value less than or equal to {limit}");
            Err(ApiError::constraint(&given.to_string(), path, &rule))
        }
    }
}

fn variables(environment: &Input) -> Result<BTreeMap<String, String>, ApiError> {
    let given = structure(environment, "Variables");
    let pairs = given.into_iter().flatten();
    let variables: BTreeMap<String, String> = pairs
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|key| RESERVED.contains(key))
        .collect();
    let start = "Lambda was unable to configure your environment variables because the environment variables you have provided";
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{start} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = json!(variables).to_string();
    match measured.len() > ENVIRONMENT_LIMIT {
        true => Err(invalid(format!(
            "{start} exceeded the 4KB limit. String measured: {measured}"
        ))),
        false => Ok(variables),
    }
}

/// A dead-letter target: the sink that stands for a queue or a topic.
fn dead_letter(moment: &Moment<'_>, arn: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(arn) = arn.filter(|arn| !arn.is_empty()) else {
        return Ok(None);
    };
    match moment.sink(arn).is_some() {
        true => Ok(Some(arn.to_owned())),
        false => Err(invalid(format!("The destination ARN {arn} is invalid."))),
    }
}

impl Config {
    /// How long an invocation may take.
    pub fn time_limit(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }

    /// The packages of its layers, in their order.
    pub fn layer_packages(&self) -> Vec<Package> {
        self.layers.iter().map(|layer| layer.package.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
