//! Functions of the project file as records: the same objects as those of the API.
//!
//! Each start declares them anew: code and configuration are the file's again, while versions, aliases and all else that
//! was made of them by the API stay. One that the file no longer declares is gone. Owns that rule.

use std::collections::BTreeSet;

use executor::{FunctionSpec, Logging, Runtime};
use router::name::FunctionName;
use router::time::Timestamp;

use super::registry::code::Code;
use super::registry::config::{self, Config, Program};
use super::registry::record::{Record, Revision, State, Update};
use super::registry::{Ids, Place, Registry};

/// The role of a function of the project file, which needs none.
const ROLE: &str = "triggerfish-project";

/// Takes the project's functions in, and out those that it no longer has.
pub fn take(registry: &mut Registry, specs: &[FunctionSpec], place: &Place, now: Timestamp, ids: &mut Ids) {
    let declared: BTreeSet<&FunctionName> = specs.iter().map(|spec| &spec.name).collect();
    let gone = registry
        .functions
        .values()
        .filter(|record| record.declared && !declared.contains(&record.name));
    let gone: Vec<FunctionName> = gone.map(|record| record.name.clone()).collect();
    gone.iter().for_each(|name| registry.remove(name));
    for spec in specs {
        let latest = latest(spec, place, now, ids);
        let mut record = match registry.functions.get(&spec.name) {
            Some(record) => Record {
                latest,
                ..record.clone()
            },
            None => Record::new(spec.name.clone(), latest),
        };
        record.declared = true;
        registry.insert(record);
    }
}

fn latest(spec: &FunctionSpec, place: &Place, now: Timestamp, ids: &mut Ids) -> Revision {
    let (program, runtime) = match &spec.runtime {
        Runtime::Command(words) => (Program::Command(words.clone()), None),
        Runtime::Python(id) | Runtime::Node(id) | Runtime::Provided(id) => {
            (Program::Runtime(id.clone()), Some(id))
        }
    };
    tracing::debug!(function = %spec.name, ?runtime, "declared");
    let config = Config {
        program,
        handler: spec.handler.clone(),
        timeout: u32::try_from(spec.timeout.as_secs()).unwrap_or(u32::MAX),
        memory: spec.memory,
        ephemeral_storage: spec.ephemeral_storage,
        environment: (!spec.environment.is_empty()).then(|| spec.environment.clone()),
        logging: config::Logging {
            json: levels(spec.logging),
            group: spec.log_group.clone(),
        },
        freeze: spec.freeze,
        ..Config::new(&format!("arn:aws:iam::{}:role/{ROLE}", place.account))
    };
    let mut revision = Revision::new(config, Code::Folder(spec.code.clone()), now, ids);
    revision.state = State::Active;
    revision.update = Update::Successful;
    revision
}

fn levels(logging: Logging) -> Option<(String, String)> {
    match logging {
        Logging::Text => None,
        Logging::Json { application, system } => {
            Some((application.name().to_owned(), system.name().to_owned()))
        }
    }
}
