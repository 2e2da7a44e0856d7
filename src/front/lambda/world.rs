//! What lies around the fabric, as far as the control plane asks: sinks, buckets, interpreters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use executor::{Functions, Runtime};
use router::name::{FunctionName, FunctionVersion, SinkName};
use scenarios::api::error::ApiError;

use super::desired;
use super::registry::config::{Program, RETIRED};
use super::registry::{EventSource, Outside, invalid};
use crate::front::code::ZIPPED_LIMIT;

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
        let failed = |code: &str, message: &str| {
            invalid(format!(
                "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
            ))
        };
        let Some(root) = self.buckets.get(bucket).cloned() else {
            return Err(failed("NoSuchBucket", "The specified bucket does not exist"));
        };
        let key = key.to_owned();
        Ok(Box::new(move || {
            let missing = || failed("NoSuchKey", "The specified key does not exist.");
            sources::s3::check_key(&key).map_err(|_| missing())?;
            // A link may lead out of the bucket.
            let path = root.join(&key).canonicalize().map_err(|_| missing())?;
            let root = root.canonicalize().map_err(|_| missing())?;
            let size = path
                .metadata()
                .ok()
                .filter(std::fs::Metadata::is_file)
                .map(|file| file.len());
            let size = size.filter(|_| path.starts_with(&root)).ok_or_else(missing)?;
            if size >= ZIPPED_LIMIT {
                return Err(invalid(format!(
                    "Unzipped size must be smaller than {} bytes",
                    crate::front::code::UNZIPPED_LIMIT
                )));
            }
            std::fs::read(&path).map_err(|error| {
                ApiError::service(&format!(
                    "failed to read {bucket}: {error}",
                    bucket = path.display()
                ))
            })
        }))
    }
}

impl Outside for World {
    fn cannot_run(&self, runtime: &str) -> Option<String> {
        let program = Program::Runtime(runtime.to_owned());
        if let (Err(error), false) = (Runtime::parse(runtime), RETIRED.contains(&runtime)) {
            return Some(error.to_string());
        }
        executor::interpreter(&desired::runtime(&program))
            .err()
            .map(|error| error.to_string())
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
