//! A version's configuration: what CreateFunction and UpdateFunctionConfiguration say (spec/lambda §8.1).
//!
//! Owns the members, their defaults, and the checks that the model cannot make. Members that exist at AWS and mean
//! nothing here are taken only with the value that changes nothing; any other is refused by name. Deliberately absent:
//! code, states, and how a configuration is shown ([`super::configuration`]).

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::api::error::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Moment, invalid, not_offered, number, structure, text};
use crate::front::code::Package;
use crate::front::lambda::model::Input;

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

/// A layer version that a function uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Its ARN.
    pub arn: String,
    /// Its content.
    pub package: Package,
}

/// Runtimes that AWS takes for new functions, in the order in which its error lists them (spec/lambda §8.1).
pub const RUNTIMES: &[&str] = &[
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];

/// Runtimes that AWS once took.
pub const RETIRED: &[&str] = &[
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "ruby2.5",
    "ruby2.7",
];

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
/// Layers that a function may use.
const LAYERS: usize = 5;

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
            check_runtime(moment, runtime)?;
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

/// Members that mean nothing here: no value but the one that asks for nothing is taken.
///
/// # Errors
/// One asks for something.
pub fn check_unoffered(input: &Input) -> Result<(), ApiError> {
    let empty = |member: &str, part: &str| {
        let list = structure(input, member).and_then(|inner| inner.get(part));
        list.and_then(Value::as_array).is_none_or(Vec::is_empty)
    };
    if !(empty("VpcConfig", "SubnetIds") && empty("VpcConfig", "SecurityGroupIds")) {
        return Err(not_offered("VpcConfig (functions run on this machine's network)"));
    }
    if input
        .get("FileSystemConfigs")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
    {
        return Err(not_offered("FileSystemConfigs"));
    }
    if text(input, "PackageType").is_some_and(|kind| kind != "Zip") || input.contains_key("ImageConfig") {
        return Err(not_offered("PackageType Image (there are no containers)"));
    }
    if text(input, "KMSKeyArn").is_some_and(|key| !key.is_empty()) {
        return Err(not_offered("KMSKeyArn"));
    }
    let snapstart = structure(input, "SnapStart").and_then(|snapstart| text(snapstart, "ApplyOn"));
    if snapstart.is_some_and(|on| on != "None") {
        return Err(not_offered("SnapStart ApplyOn PublishedVersions"));
    }
    let others = [
        "CodeSigningConfigArn",
        "TenancyConfig",
        "CapacityProviderConfig",
        "DurableConfig",
        "RuntimeConfig",
        "AcceleratorConfig",
        "PublishTo",
    ];
    match others.iter().find(|member| input.contains_key(**member)) {
        Some(member) => Err(not_offered(member)),
        None => Ok(()),
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

/// Refuses a runtime in AWS's words, or in ours if it is one that cannot be run here.
fn check_runtime(moment: &Moment<'_>, runtime: &str) -> Result<(), ApiError> {
    if RETIRED.contains(&runtime) && !moment.outside.takes_retired() {
        return Err(invalid(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
        )));
    }
    if !RUNTIMES.contains(&runtime) && !RETIRED.contains(&runtime) {
        return Err(invalid(format!(
            "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
            RUNTIMES.join(", ")
        )));
    }
    match moment.outside.cannot_run(runtime) {
        Some(why) => Err(invalid(why)),
        None => Ok(()),
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
