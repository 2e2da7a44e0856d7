//! What router and executor have to be for a record: derived from it, whatever operation changed it.
//!
//! Owns the translation from AWS's words into ours. Pure, but for where packages lie. Deliberately absent: telling.

use std::collections::BTreeMap;
use std::time::Duration;

use executor::{ApplicationLevel, FunctionSpec, Logging, Runtime, SystemLevel};
use router::name::{SinkName, Version};
use router::settings::{Alias, Function, VersionSettings};

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
}

/// Virtual time that an invocation takes; nothing is virtual where the API is.
const DURATION: Duration = Duration::from_millis(10);

/// What a record comes to.
pub fn of(record: &Record, store: &CodeStore) -> Desired {
    let versions = record
        .revisions()
        .filter_map(|(version, revision)| Some((version.parse().ok()?, revision)));
    let versions: Vec<(Version, &Revision)> = versions.collect();
    let settings = versions
        .iter()
        .map(|(version, revision)| (*version, settings(record, *version, revision)));
    let specs = versions.iter().map(|(version, revision)| {
        let (config, code, generation) = revision.serving();
        (
            *version,
            (spec(record, *version, config, code, store), generation),
        )
    });
    Desired {
        settings: Function {
            reserved: record.reserved,
            versions: settings.collect(),
            aliases: record
                .aliases
                .iter()
                .filter_map(|(name, alias)| Some((name.as_str().into(), self::alias(record, name, alias)?)))
                .collect(),
            asynchronous: BTreeMap::new(),
        },
        specs: specs.collect(),
    }
}

fn settings(_record: &Record, _version: Version, revision: &Revision) -> VersionSettings {
    let (config, ..) = revision.serving();
    VersionSettings {
        dead_letter: config.dead_letter.as_deref().map(sink),
        provisioned: 0,
    }
}

/// The sink that stands for a queue or topic: that of its name.
fn sink(arn: &str) -> SinkName {
    SinkName::new(arn.rsplit_once(':').map_or(arn, |(_, name)| name))
}

fn alias(_record: &Record, _name: &str, alias: &super::registry::record::Alias) -> Option<Alias> {
    let also = alias
        .also
        .as_ref()
        .and_then(|(version, share)| Some((version.parse().ok()?, *share)));
    Some(Alias {
        version: alias.version.parse().ok()?,
        also,
        provisioned: 0,
    })
}

fn spec(record: &Record, version: Version, config: &Config, code: &Code, store: &CodeStore) -> FunctionSpec {
    FunctionSpec {
        name: record.name.clone(),
        version,
        runtime: runtime(&config.program),
        handler: config.handler.clone(),
        code: match code {
            Code::Package(package) => store.folder(package),
            Code::Folder(path) => path.clone(),
        },
        // Merged before the record was changed, so this only looks where.
        opt: store.opt(&config.layer_packages()).ok().flatten(),
        memory: config.memory,
        ephemeral_storage: config.ephemeral_storage,
        logging: logging(&config.logging),
        log_group: config.logging.group.clone(),
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
