//! Functions of the project file as records: the same objects as those of the API.
//!
//! Each start declares them anew: code and configuration are the file's again, while versions, aliases and all else that
//! was made of them by the API stay. What the API made stands back while the file declares a function of its name, and is
//! there again when it does not; what the API made of a function of the file waits for the file to declare it again.
//! Owns that rule.

use std::collections::{BTreeMap, BTreeSet};

use executor::{FunctionSpec, Logging, Runtime};
use router::name::{FunctionName, LATEST, SinkName, Version};
use router::retry::RetryPolicy;
use router::settings::{Asynchronous, Destination, Function};
use router::time::Timestamp;

use super::registry::code::Code;
use super::registry::config::{self, Config, Program};
use super::registry::configuration::arn;
use super::registry::invoke_config::InvokeConfig;
use super::registry::record::{Record, Revision, State, Update};
use super::registry::{Ids, Place, Registry};

/// The role of a function of the project file, which needs none.
const ROLE: &str = "triggerfish-project";

/// Takes the project's functions in, and out those that it no longer has. Answers what there is to tell of it.
pub fn take(
    registry: &mut Registry,
    specs: &[FunctionSpec],
    settings: &BTreeMap<FunctionName, Function>,
    place: &Place,
    now: Timestamp,
    ids: &mut Ids,
) -> Vec<String> {
    let mut notes = Vec::new();
    let declared: BTreeSet<&FunctionName> = specs.iter().map(|spec| &spec.name).collect();
    let gone = registry
        .functions
        .values()
        .filter(|record| record.declared && !declared.contains(&record.name));
    for record in gone.cloned().collect::<Vec<_>>() {
        notes.extend(retire(registry, record));
    }
    for spec in specs {
        let Some(settings) = settings.get(&spec.name) else {
            continue;
        };
        let latest = latest(spec, settings, place, now, ids);
        let kept = registry.functions.get(&spec.name).cloned();
        let mut record = match kept {
            Some(mut record) => {
                let own = std::mem::replace(&mut record.latest, latest);
                if !record.declared {
                    notes.push(format!(
                        "{}, made by the API, stands back while the project file declares it",
                        spec.name
                    ));
                    record.own = Some(Box::new(own));
                }
                record
            }
            None => Record::new(spec.name.clone(), latest),
        };
        record.declared = true;
        record.reserved = settings.reserved;
        let asynchronous = settings.asynchronous(LATEST);
        record.retry_delays = Some(asynchronous.retry.delays.clone());
        match invoke_config(asynchronous, place, now) {
            Some(config) => drop(record.invoke_configs.insert(LATEST.to_owned(), config)),
            None => drop(record.invoke_configs.remove(LATEST)),
        }
        registry.insert(record);
    }
    notes
}

/// Takes out a function that the file no longer declares: to what the API made, or to rest.
fn retire(registry: &mut Registry, mut record: Record) -> Option<String> {
    let name = record.name.clone();
    if let Some(own) = record.own.take() {
        record.latest = *own;
        (record.declared, record.retry_delays) = (false, None);
        registry.insert(record);
        return Some(format!(
            "{name} is the API's again: the project file no longer declares it"
        ));
    }
    if record.has_more_than_declared() {
        registry.put_to_rest(record);
        let note = "is not in the project file: what the API made of it waits until it is again";
        return Some(format!("{name} {note}"));
    }
    registry.remove(&name);
    None
}

fn latest(
    spec: &FunctionSpec,
    settings: &Function,
    place: &Place,
    now: Timestamp,
    ids: &mut Ids,
) -> Revision {
    let program = match &spec.runtime {
        Runtime::Command(words) => Program::Command(words.clone()),
        Runtime::Python(id) | Runtime::Node(id) | Runtime::Provided(id) => Program::Runtime(id.clone()),
    };
    let dead_letter = settings
        .versions
        .get(&Version::Latest)
        .and_then(|latest| latest.dead_letter.as_ref());
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
        traced: spec.traced,
        freeze: spec.freeze,
        dead_letter: dead_letter.map(|sink| queue(place, sink)),
        ..Config::new(&format!("arn:aws:iam::{}:role/{ROLE}", place.account))
    };
    let mut revision = Revision::new(config, Code::Folder(spec.code.clone()), now, ids);
    revision.state = State::Active;
    revision.update = Update::Successful;
    revision
}

/// The settings of asynchronous invocations, if they are others than AWS's own.
fn invoke_config(given: &Asynchronous, place: &Place, now: Timestamp) -> Option<InvokeConfig> {
    let usual = RetryPolicy {
        delays: given.retry.delays.clone(),
        ..RetryPolicy::default()
    };
    if given.retry == usual && given.on_success.is_none() && given.on_failure.is_none() {
        return None;
    }
    let target = |destination: &Option<Destination>| match destination.as_ref()? {
        Destination::Function { name, qualifier } => Some(arn(place, name, qualifier.as_deref())),
        Destination::Sink(sink) => Some(queue(place, sink)),
    };
    Some(InvokeConfig {
        retries: Some(given.retry.retries),
        age: u32::try_from(given.retry.max_age.as_secs()).ok(),
        on_success: target(&given.on_success),
        on_failure: target(&given.on_failure),
        modified: now,
    })
}

/// The queue that a sink stands for.
fn queue(place: &Place, sink: &SinkName) -> String {
    format!("arn:aws:sqs:{}:{}:{sink}", place.region, place.account)
}

fn levels(logging: Logging) -> Option<(String, String)> {
    match logging {
        Logging::Text => None,
        Logging::Json { application, system } => {
            Some((application.name().to_owned(), system.name().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::registry::world::{World, new_function};
    use super::*;

    fn spec(name: &str) -> FunctionSpec {
        FunctionSpec {
            name: FunctionName::new(name),
            version: Version::Latest,
            runtime: Runtime::Provided("provided.al2023".to_owned()),
            handler: "h".to_owned(),
            code: "/project".into(),
            opt: None,
            memory: 128,
            ephemeral_storage: 512,
            logging: Logging::Text,
            log_group: None,
            traced: false,
            freeze: true,
            timeout: Duration::from_secs(3),
            environment: BTreeMap::new(),
            duration: Duration::from_millis(10),
        }
    }

    /// A start with a project file that declares these.
    fn start(world: &mut World, names: &[&str]) -> Vec<String> {
        let specs: Vec<FunctionSpec> = names.iter().map(|name| spec(name)).collect();
        let settings = names
            .iter()
            .map(|name| (FunctionName::new(*name), Function::default()));
        let notes = take(
            &mut world.registry,
            &specs,
            &settings.collect(),
            &world.place,
            world.now,
            &mut Ids::new(router::name::Seed(1)),
        );
        // What rests is loaded like the rest by the next start.
        let resting = std::mem::take(&mut world.registry.dormant);
        world.registry.functions.extend(resting);
        world.registry.take_changed();
        notes
    }

    #[test]
    fn what_the_api_made_stands_back_and_comes_again() {
        let mut world = World::with(&["f"]);
        world.done("PublishVersion", json!({ "FunctionName": "f" }));
        let before = world.done("GetFunctionConfiguration", json!({ "FunctionName": "f" }));
        let packages = world.registry.packages();
        assert_eq!(start(&mut world, &["f"]).len(), 1);
        let declared = world.done("GetFunctionConfiguration", json!({ "FunctionName": "f" }));
        assert_eq!(declared["Runtime"], "provided.al2023");
        assert_eq!(world.registry.packages(), packages, "its code is kept meanwhile");
        world.done(
            "GetFunctionConfiguration",
            json!({ "FunctionName": "f", "Qualifier": "1" }),
        );
        assert_eq!(start(&mut world, &["f"]), [""; 0]);
        assert_eq!(start(&mut world, &[]).len(), 1);
        let after = world.done("GetFunctionConfiguration", json!({ "FunctionName": "f" }));
        assert_eq!(after, before);
        assert_eq!(start(&mut world, &[]), [""; 0]);
    }

    #[test]
    fn what_the_api_made_of_a_declared_function_waits_for_it() {
        let mut world = World::default();
        start(&mut world, &["p", "q"]);
        world.done("PublishVersion", json!({ "FunctionName": "p" }));
        let notes = start(&mut world, &["q"]);
        assert_eq!(notes.len(), 1);
        assert!(
            notes
                .iter()
                .all(|note| note.starts_with("p is not in the project file"))
        );
        start(&mut world, &["p", "q"]);
        world.done(
            "GetFunctionConfiguration",
            json!({ "FunctionName": "p", "Qualifier": "1" }),
        );
        assert_eq!(start(&mut world, &["p"]), [""; 0]);
        assert_eq!(
            world.refused("GetFunction", json!({ "FunctionName": "q" })).0,
            404
        );
        world.done("CreateFunction", new_function("q"));
    }
}
