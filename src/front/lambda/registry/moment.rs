//! What an operation may know beside the records and its input: time, place, fresh ids, and the world around.
//!
//! Owns the words; whoever calls gives them their values. So operations are pure, and a test can say what is true.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use router::name::{FunctionName, Seed, SinkName, hex};
use router::time::Timestamp;

use crate::front::code::Package;

/// Where the fabric believes to be.
#[derive(Clone, Debug)]
pub struct Place {
    /// The region of ARNs.
    pub region: String,
    /// The account of ARNs, 12 digits.
    pub account: String,
    /// Where this gateway answers, `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// What the URLs of code are signed with.
    pub secret: [u8; 32],
}

/// How long the URL of a function's code is good for (spec/lambda §8.2).
const CODE_URL: Duration = Duration::from_secs(600);
/// Where code can be fetched, below our own prefix.
pub const CODE_PATH: &str = "/_triggerfish/code/";

impl Place {
    /// A URL at which a package can be fetched for ten minutes: `what` is `<function>/<version>`, or a layer's.
    pub fn code_url(&self, now: Timestamp, what: &str) -> String {
        let until = (now + CODE_URL).as_millis() / 1000;
        let signature = self.signature(what, until);
        format!(
            "{}{CODE_PATH}{what}?expires={until}&signature={signature}",
            self.endpoint
        )
    }

    /// Whether a URL is one of ours, and still good.
    pub fn is_code_url(&self, now: Timestamp, what: &str, until: u64, signature: &str) -> bool {
        // Compared as hashes, whose time tells nothing of the text.
        let hash = |text: &str| Seed(0).bytes(text);
        hash(&self.signature(what, until)) == hash(signature) && now.as_millis() / 1000 <= until
    }

    fn signature(&self, what: &str, until: u64) -> String {
        let secret = hex(&self.secret);
        hex(&Seed(until).bytes(&format!("{secret}{what}"))[..16])
    }
}

/// What an operation may know beside the records and its input.
pub struct Moment<'a> {
    /// The time.
    pub now: Timestamp,
    /// Where the fabric believes to be.
    pub place: &'a Place,
    /// Fresh ids.
    pub ids: &'a mut Ids,
    /// What was brought for this call so far.
    pub brought: &'a BTreeMap<Wanted, Brought>,
    /// What lies outside.
    pub outside: &'a dyn Outside,
}

impl Moment<'_> {
    /// The sink that stands for the queue or topic of an ARN, if it is of this region and account.
    pub fn sink(&self, arn: &str) -> Option<SinkName> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", _, "sqs" | "sns", region, account, name] => {
                let here = *region == self.place.region && *account == self.place.account;
                self.outside.sink(name).filter(|_| here)
            }
            _ => None,
        }
    }
}

/// What the control plane asks of the world around it.
pub trait Outside: Sync {
    /// Why a runtime cannot run here, if it cannot.
    fn cannot_run(&self, runtime: &str) -> Option<String>;
    /// The sink that stands for a queue or topic of this name.
    fn sink(&self, name: &str) -> Option<SinkName>;
    /// Whether there is a folder at a path.
    fn is_folder(&self, path: &Path) -> bool;
    /// Whether runtimes that AWS has retired are taken.
    fn takes_retired(&self) -> bool;
    /// What is known of an event source, by its ARN.
    fn event_source(&self, arn: &str) -> EventSource;
    /// How many environments of a version (a number) are provisioned by now, and whether its initialization failed.
    fn provisioned(&self, function: &FunctionName, version: &str) -> (u32, bool);
}

/// What is known of an event source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventSource {
    /// It is here.
    #[cfg_attr(not(test), expect(dead_code, reason = "no source that is polled is here yet"))]
    Exists {
        /// The visibility timeout of a queue.
        visibility_seconds: Option<u32>,
    },
    /// It is of a kind that can be here, and is not; or of no kind that Lambda knows.
    Missing,
    /// It is of a kind that is not offered, by the name that an error gives it.
    NotOffered(&'static str),
}

/// Where a package of code comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The `ZipFile` of the request.
    Zip,
    /// An object of a bucket.
    Object {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// A folder, packed as it is now.
    Folder(PathBuf),
    /// Layers, merged in their order; with the code that they are for, they have a limit together.
    Layers {
        /// The layers.
        layers: Vec<Package>,
        /// The code, if it is a package.
        code: Option<Package>,
    },
}

/// What was brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A package.
    Package(Package),
    /// Layers are merged.
    Merged,
}

/// Ids as AWS would draw them: hashes of the run's seed and a serial number.
#[derive(Debug)]
pub struct Ids {
    seed: Seed,
    next: u64,
}

impl Ids {
    /// The ids of a run.
    pub fn new(seed: Seed) -> Self {
        Ids { seed, next: 0 }
    }

    /// A version 4 UUID, as revision ids and mappings have.
    pub fn uuid(&mut self) -> String {
        self.next += 1;
        self.seed.request_id(&format!("lambda:{}", self.next)).to_string()
    }

    /// 32 small letters and digits, as the host of a function URL begins with.
    pub fn label(&mut self) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        self.next += 1;
        let bytes = self.seed.bytes(&format!("url:{}", self.next));
        bytes
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(*byte) % 36]))
            .collect()
    }
}
