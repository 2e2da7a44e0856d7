//! What router and executor have to be for a record: derived from it, whatever operation changed it.
//!
//! Owns the translation from AWS's words into ours. Pure, but for where packages lie. Deliberately absent: telling.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use executor::{ApplicationLevel, FunctionSpec, Logging, Runtime, SystemLevel};
use router::name::{FunctionName, LATEST, SinkName, Version};
use router::retry::RetryPolicy;
use router::settings::{Alias, Asynchronous, Destination, Function, VersionSettings};
use router::time::Timestamp;

use super::registry::Record;
use super::registry::code::Code;
use super::registry::config::{self, Config, Program};
use super::registry::record::Revision;
use crate::front::code::CodeStore;

/// What a record comes to.
#[derive(Clone, Debug)]
pub struct Desired {
    /// For the router.
    pub settings: Function,
    /// For the executor, each with its generation: environments of another one are not used again.
    pub specs: BTreeMap<Version, (FunctionSpec, u64)>,
    /// When environments were last asked for, by the version that they are of.
    pub provisioned: BTreeMap<Version, Timestamp>,
    /// Versions whose layers cannot be merged, and why.
    pub problems: BTreeMap<Version, String>,
}

/// Virtual time that an invocation takes; nothing is virtual where the API is.
const DURATION: Duration = Duration::from_millis(10);

/// What a record comes to.
pub fn of(record: &Record, store: &CodeStore) -> Desired {
    let versions = record
        .revisions()
        .filter_map(|(version, revision)| Some((version.parse().ok()?, revision)));
    let versions: Vec<(Version, &Revision)> = versions.collect();
    let (mut specs, mut problems) = (BTreeMap::new(), BTreeMap::new());
    for (version, revision) in &versions {
        let (config, code, generation) = revision.serving();
        // Merged before the record was changed, so this only looks where.
        let opt = store.opt(&config.layer_packages()).unwrap_or_else(|error| {
            problems.insert(*version, format!("its layers cannot be merged: {error}"));
            None
        });
        specs.insert(
            *version,
            (spec(record, *version, config, code, opt, store), generation),
        );
    }
    let provisioned = record.provisioned.iter().filter_map(|(qualifier, provisioned)| {
        Some((
            record.resolve(Some(qualifier))?.0.parse().ok()?,
            provisioned.modified,
        ))
    });
    Desired {
        settings: Function {
            reserved: record.reserved,
            versions: versions
                .iter()
                .map(|(version, revision)| (*version, settings(record, *version, revision)))
                .collect(),
            aliases: record
                .aliases
                .iter()
                .filter_map(|(name, alias)| self::alias(record, name, alias))
                .collect(),
            asynchronous: asynchronous(record),
            allows_loops: !record.terminates_loops,
        },
        specs,
        provisioned: provisioned.collect(),
        problems,
    }
}

fn settings(record: &Record, version: Version, revision: &Revision) -> VersionSettings {
    let (config, ..) = revision.serving();
    VersionSettings {
        dead_letter: config.dead_letter.as_deref().map(sink),
        provisioned: provisioned(record, &version.to_string()),
    }
}

fn provisioned(record: &Record, qualifier: &str) -> u32 {
    record
        .provisioned
        .get(qualifier)
        .map_or(0, |provisioned| provisioned.requested)
}

/// The sink that stands for a queue or topic: that of its name.
fn sink(arn: &str) -> SinkName {
    SinkName::new(arn.rsplit_once(':').map_or(arn, |(_, name)| name))
}

fn alias(record: &Record, name: &str, alias: &super::registry::record::Alias) -> Option<(Arc<str>, Alias)> {
    let also = alias
        .also
        .as_ref()
        .and_then(|(version, share)| Some((version.parse().ok()?, *share)));
    let version = alias.version.parse().ok()?;
    Some((
        name.into(),
        Alias {
            version,
            also,
            provisioned: provisioned(record, name),
        },
    ))
}

/// What becomes of asynchronous events, by qualifier.
fn asynchronous(record: &Record) -> BTreeMap<Arc<str>, Asynchronous> {
    let delays = || {
        record
            .retry_delays
            .clone()
            .unwrap_or_else(|| RetryPolicy::default().delays)
    };
    let mut all: BTreeMap<Arc<str>, Asynchronous> = BTreeMap::new();
    if record.retry_delays.is_some() {
        let retry = RetryPolicy {
            delays: delays(),
            ..RetryPolicy::default()
        };
        all.insert(
            LATEST.into(),
            Asynchronous {
                retry,
                ..Asynchronous::default()
            },
        );
    }
    for (qualifier, config) in &record.invoke_configs {
        let usual = RetryPolicy::default();
        let retry = RetryPolicy {
            retries: config.retries.unwrap_or(usual.retries),
            delays: delays(),
            max_age: config
                .age
                .map_or(usual.max_age, |seconds| Duration::from_secs(seconds.into())),
        };
        let on_success = config.on_success.as_deref().map(destination);
        let on_failure = config.on_failure.as_deref().map(destination);
        all.insert(
            qualifier.as_str().into(),
            Asynchronous {
                retry,
                on_success,
                on_failure,
            },
        );
    }
    all
}

/// A destination by its ARN, which was checked when it was set.
fn destination(arn: &str) -> Destination {
    let Some((_, function)) = arn.split_once(":function:") else {
        return Destination::Sink(sink(arn));
    };
    let (name, qualifier) = match function.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier.into())),
        None => (function, None),
    };
    Destination::Function {
        name: FunctionName::new(name),
        qualifier,
    }
}

fn spec(
    record: &Record,
    version: Version,
    config: &Config,
    code: &Code,
    opt: Option<PathBuf>,
    store: &CodeStore,
) -> FunctionSpec {
    FunctionSpec {
        name: record.name.clone(),
        version,
        runtime: runtime(&config.program),
        handler: config.handler.clone(),
        code: match code {
            Code::Package(package) => store.folder(package),
            Code::Folder(path) => path.clone(),
        },
        opt,
        memory: config.memory,
        ephemeral_storage: config.ephemeral_storage,
        logging: logging(&config.logging),
        log_group: config.logging.group.clone(),
        traced: config.traced,
        freeze: config.freeze,
        timeout: config.time_limit(),
        environment: config.environment.clone().unwrap_or_default(),
        duration: DURATION,
    }
}

/// The runtime that a program names; a retired one is run as its kind is.
pub fn runtime(program: &Program) -> Runtime {
    match program {
        Program::Command(words) => Runtime::Command(words.clone()),
        Program::Runtime(id) => match Runtime::parse(id) {
            Ok(runtime) => runtime,
            Err(_) if id.starts_with("nodejs") => Runtime::Node(id.clone()),
            Err(_) if id.starts_with("python") => Runtime::Python(id.clone()),
            Err(_) => Runtime::Provided(id.clone()),
        },
    }
}

fn logging(logging: &config::Logging) -> Logging {
    let Some((application, system)) = &logging.json else {
        return Logging::Text;
    };
    let applications = ApplicationLevel::ALL.iter().find(|(name, _)| name == application);
    let systems = SystemLevel::ALL.iter().find(|(name, _)| name == system);
    Logging::Json {
        application: applications.map(|(_, level)| *level).unwrap_or_default(),
        system: systems.map(|(_, level)| *level).unwrap_or_default(),
    }
}
