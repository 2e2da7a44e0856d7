//! What lies around the fabric, as far as the control plane asks: sinks, buckets, interpreters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use executor::{BadRuntime, Functions, InterpreterError, Runtime};
use router::name::{FunctionName, FunctionVersion, SinkName};
use scenarios::api::error::ApiError;

use super::desired;
use super::registry::config::Program;
use super::registry::{EventSource, Outside, invalid};
use crate::front::code::{PackageError, UNZIPPED_LIMIT};

/// The surroundings.
#[derive(Debug)]
pub struct World {
    /// The sinks of the project.
    pub sinks: BTreeSet<SinkName>,
    /// The directory of each bucket, by the bucket's name.
    pub buckets: BTreeMap<String, PathBuf>,
    /// Whether retired runtimes are taken.
    pub retired: bool,
    /// What the executor runs.
    pub functions: Functions,
}

/// Reads an object when it is called, which may take a while.
pub type ReadObject = Box<dyn FnOnce() -> Result<Vec<u8>, ApiError> + Send>;

impl World {
    /// An object of a bucket of ours.
    ///
    /// # Errors
    /// There is no such bucket; or, when it is read, no such object (spec/errors §6).
    pub fn object(&self, bucket: &str, key: &str) -> Result<ReadObject, ApiError> {
        let Some(root) = self.buckets.get(bucket).cloned() else {
            return Err(get_object_failed(
                "NoSuchBucket",
                "The specified bucket does not exist",
            ));
        };
        let key = key.to_owned();
        Ok(Box::new(move || read_object(&root, &key)))
    }
}

/// What Lambda says of an S3 that says this (spec/errors §6).
fn get_object_failed(code: &str, message: &str) -> ApiError {
    invalid(format!(
        "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    ))
}

fn read_object(root: &Path, key: &str) -> Result<Vec<u8>, ApiError> {
    let missing = || get_object_failed("NoSuchKey", "The specified key does not exist.");
    sources::s3::check_key(key).map_err(|_| missing())?;
    // A link may lead out of the bucket.
    let path = root.join(key).canonicalize().map_err(|_| missing())?;
    let root = root.canonicalize().map_err(|_| missing())?;
    let size = path
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len());
    let size = size.filter(|_| path.starts_with(&root)).ok_or_else(missing)?;
    // Of the limits, only that of what it unpacks to is one of objects, too (spec/lambda §8.1): a zip that is as large
    // is not worth reading.
    if size >= UNZIPPED_LIMIT {
        return Err(invalid(PackageError::TooLargeUnzipped.message()));
    }
    std::fs::read(&path)
        .map_err(|error| ApiError::service(&format!("failed to read {}: {error}", path.display())))
}

impl Outside for World {
    fn cannot_run(&self, runtime: &str) -> Option<String> {
        cannot_run(runtime, |runtime| executor::interpreter(runtime).map(|_| ()))
    }

    fn sink(&self, name: &str) -> Option<SinkName> {
        self.sinks.get(&SinkName::new(name)).cloned()
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn takes_retired(&self) -> bool {
        self.retired
    }

    fn provisioned(&self, function: &FunctionName, version: &str) -> (u32, bool) {
        let Ok(version) = version.parse() else {
            return (0, false);
        };
        let function = function.clone();
        let provisioned = self.functions.provisioned(&FunctionVersion { function, version });
        (provisioned.available, provisioned.failed)
    }

    fn event_source(&self, arn: &str) -> EventSource {
        // Queues and streams of tables are kinds that may be here, and none is yet.
        match arn.split(':').nth(2) {
            Some("kinesis") => EventSource::NotOffered("Kinesis as an event source"),
            Some("kafka") => EventSource::NotOffered("Kafka as an event source"),
            Some("mq") => EventSource::NotOffered("Amazon MQ as an event source"),
            Some("rds") => EventSource::NotOffered("DocumentDB as an event source"),
            _ => EventSource::Missing,
        }
    }
}

/// Why a runtime cannot run here, in words for those who call the API: a project file can do more (`command`).
fn cannot_run(runtime: &str, find: impl FnOnce(&Runtime) -> Result<(), InterpreterError>) -> Option<String> {
    if matches!(Runtime::parse(runtime), Err(BadRuntime::NotOurs(_))) {
        return Some(format!(
            "runtime {runtime} cannot be run here; use provided.al2023 with a bootstrap that starts it"
        ));
    }
    // Retired ones are run as their kind is.
    let program = Program::Runtime(runtime.to_owned());
    match find(&desired::runtime(&program)) {
        Ok(()) => None,
        Err(InterpreterError::Missing { names }) => Some(format!(
            "runtime {runtime} cannot be run here: `{names}` is not on the PATH of triggerfish; install it and start triggerfish again"
        )),
        Err(other) => Some(format!("runtime {runtime} cannot be run here: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::super::registry::config::runtimes::{RETIRED, RUNTIMES};
    use super::*;

    #[test]
    fn what_cannot_be_run_is_told_in_the_words_of_an_api() {
        for runtime in RUNTIMES.iter().chain(RETIRED) {
            let ours = ["python", "nodejs", "provided"]
                .iter()
                .any(|kind| runtime.starts_with(kind));
            let told = format!(
                "runtime {runtime} cannot be run here; use provided.al2023 with a bootstrap that starts it"
            );
            assert_eq!(cannot_run(runtime, |_| Ok(())), (!ours).then_some(told));
        }
        let missing = |_: &Runtime| {
            Err(InterpreterError::Missing {
                names: "node` or `nodejs".to_owned(),
            })
        };
        let told = "runtime nodejs20.x cannot be run here: `node` or `nodejs` is not on the PATH of triggerfish; install it and start triggerfish again";
        assert_eq!(cannot_run("nodejs20.x", missing).as_deref(), Some(told));
    }

    #[test]
    fn objects_have_no_limit_but_that_of_what_they_unpack_to() {
        let here = tempfile::tempdir().expect("a directory");
        let of = |length: u64| {
            let file = File::create(here.path().join("o.zip")).expect("a file");
            file.set_len(length).expect("a length");
            read_object(here.path(), "o.zip").map(|bytes| bytes.len() as u64)
        };
        assert_eq!(of(52_428_800), Ok(52_428_800));
        let told = invalid("Unzipped size must be smaller than 262144000 bytes");
        assert_eq!(of(UNZIPPED_LIMIT), Err(told));
        let missing = || get_object_failed("NoSuchKey", "The specified key does not exist.");
        for key in ["none", "../o.zip", ""] {
            assert_eq!(read_object(here.path(), key), Err(missing()), "{key}");
        }
    }
}
