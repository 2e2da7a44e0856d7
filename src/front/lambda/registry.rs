//! What Lambda's control plane knows: functions with their versions and aliases, layers, event source mappings.
//!
//! Owns the records and what each operation does to them (spec/lambda §7, §8), as a pure state machine: time, fresh ids
//! and what lies outside come in with a [`Moment`]; an answer or an [`ApiError`] comes out, and [`Registry::take_changed`]
//! says which records are others now. Deliberately absent: HTTP, files, and the running of functions; whoever calls keeps
//! the records and tells router and executor what has changed ([`super::plane`]).
//!
//! An operation whose code has to be brought first answers [`Told::Wants`] before it has changed anything, and is called
//! again with it.

pub mod alias;
pub mod code;
pub mod config;
pub mod configuration;
pub mod function;
pub mod layer;
pub mod layer_policy;
pub mod layer_record;
pub mod mapping;
pub mod record;
pub mod served;
pub mod tags;
pub mod target;
pub mod update;
pub mod url;
pub mod version;
#[cfg(test)]
pub mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use router::name::{FunctionName, Seed, SinkName, hex};
use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde_json::{Value, json};

use super::model::Input;
use super::name::{self, Named};
use crate::front::code::Package;
use layer_record::LayerRecord;
use mapping::Mapping;
pub use record::Record;

/// Everything that the control plane knows.
#[derive(Debug, Default)]
pub struct Registry {
    /// The functions.
    pub functions: BTreeMap<FunctionName, Record>,
    /// The layers, by their bare names.
    pub layers: BTreeMap<String, LayerRecord>,
    /// The event source mappings, by their ids.
    pub mappings: BTreeMap<String, Mapping>,
    changed: BTreeSet<FunctionName>,
    changed_layers: BTreeSet<String>,
    changed_mappings: BTreeSet<String>,
}

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
const CODE_URL: std::time::Duration = std::time::Duration::from_secs(600);
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

/// What the control plane asks of the world around it.
pub trait Outside: Sync {
    /// Why a runtime cannot run here, if it cannot.
    fn cannot_run(&self, runtime: &str) -> Option<String>;
    /// The sink that stands for a queue or topic of this name.
    fn sink(&self, name: &str) -> Option<SinkName>;
    /// Whether runtimes that AWS has retired are taken.
    fn takes_retired(&self) -> bool;
    /// What is known of an event source, by its ARN.
    fn event_source(&self, arn: &str) -> EventSource;
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
    /// Layers, merged in their order.
    Layers(Vec<Package>),
}

/// What was brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brought {
    /// A package.
    Package(Package),
    /// Layers are merged.
    Merged,
}

/// What an operation comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An answer.
    Answer {
        /// Its HTTP status.
        status: u16,
        /// Its body; `None` for no content.
        body: Option<Value>,
    },
    /// Nothing has been changed: this has to be brought, and the operation called again.
    Wants(Wanted),
}

/// What an operation gives back.
pub type Outcome = Result<Told, ApiError>;

/// An operation.
pub type Operation = fn(&mut Registry, &mut Moment<'_>, &Input) -> Outcome;

impl Told {
    /// An answer with a body.
    pub fn json(status: u16, body: Value) -> Outcome {
        Ok(Told::Answer {
            status,
            body: Some(body),
        })
    }

    /// An answer without one.
    pub fn nothing() -> Outcome {
        Ok(Told::Answer {
            status: 204,
            body: None,
        })
    }
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

impl Registry {
    /// The record of a function.
    pub fn get(&self, name: &str) -> Option<&Record> {
        self.functions.get(&FunctionName::new(name))
    }

    /// The record of a function, which is changed thereby.
    pub fn change(&mut self, name: &FunctionName) -> Option<&mut Record> {
        let record = self.functions.get_mut(name)?;
        self.changed.insert(name.clone());
        Some(record)
    }

    /// As [`Registry::change`], if there is something to change.
    pub fn change_if(&mut self, name: &FunctionName, wanted: bool) -> Option<&mut Record> {
        if wanted { self.change(name) } else { None }
    }

    /// Takes in a new function, or one that was changed.
    pub fn insert(&mut self, record: Record) {
        self.changed.insert(record.name.clone());
        self.functions.insert(record.name.clone(), record);
    }

    /// Forgets a function.
    pub fn remove(&mut self, name: &FunctionName) {
        self.changed.insert(name.clone());
        self.functions.remove(name);
    }

    /// The functions that are others than when this was asked last; those that are not there were deleted.
    pub fn take_changed(&mut self) -> BTreeSet<FunctionName> {
        std::mem::take(&mut self.changed)
    }

    /// The layers that are others than when this was asked last.
    pub fn take_changed_layers(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.changed_layers)
    }

    /// The packages that functions use, and those of layers.
    pub fn packages(&self) -> BTreeSet<Package> {
        let revisions = self.functions.values().flat_map(Record::revisions);
        let used = revisions.flat_map(|(_, revision)| revision.packages());
        let layers = self.layers.values().flat_map(LayerRecord::packages);
        used.chain(layers).collect()
    }

    /// The lists of layers that functions use.
    pub fn layer_lists(&self) -> BTreeSet<Vec<Package>> {
        let revisions = self.functions.values().flat_map(Record::revisions);
        let lists = revisions.flat_map(|(_, revision)| revision.layer_lists());
        lists.filter(|list| !list.is_empty()).collect()
    }

    /// Lets everything happen that was to happen by `now`: functions become active, updates complete, mappings are
    /// enabled, disabled or gone.
    pub fn settle(&mut self, now: Timestamp, ids: &mut Ids) {
        for (name, record) in &mut self.functions {
            if record.settle(now, ids) {
                self.changed.insert(name.clone());
            }
        }
        self.settle_mappings(now);
    }

    /// When [`Registry::settle`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let functions = self.functions.values().filter_map(Record::next_deadline);
        let mappings = self.mappings.values().filter_map(Mapping::next_deadline);
        functions.chain(mappings).min()
    }
}

/// The function that an input names by `FunctionName` and `Qualifier`: its place and the qualifier's consistency checked
/// (spec/errors §8, steps 3 and 4).
///
/// # Errors
/// Another region's or account's, or two qualifiers.
pub fn named(moment: &Moment<'_>, input: &Input) -> Result<Named, ApiError> {
    let mut named = name::function(text(input, "FunctionName").unwrap_or_default())?;
    named.check_place(&moment.place.region, &moment.place.account)?;
    if let Some(qualifier) = text(input, "Qualifier") {
        named.qualify(qualifier)?;
    }
    Ok(named)
}

/// A text among an input's members.
pub fn text<'a>(input: &'a Input, member: &str) -> Option<&'a str> {
    input.get(member)?.as_str()
}

/// A whole number among an input's members.
pub fn number(input: &Input, member: &str) -> Option<i64> {
    // 3.0 is a whole number too.
    let value = input.get(member)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the model's constraint has seen that it is whole"
    )]
    value.as_i64().or_else(|| value.as_f64().map(|n| n as i64))
}

/// A truth among an input's members; `false` unless given.
pub fn truth(input: &Input, member: &str) -> bool {
    input.get(member).and_then(Value::as_bool).unwrap_or(false)
}

/// A structure among an input's members.
pub fn structure<'a>(input: &'a Input, member: &str) -> Option<&'a Input> {
    input.get(member)?.as_object()
}

/// Refuses `PublishTo`, which belongs to managed instances (spec/lambda §12).
///
/// # Errors
/// It is given.
pub fn check_publish_to(input: &Input) -> Result<(), ApiError> {
    match input.contains_key("PublishTo") {
        true => Err(not_offered("PublishTo (managed instances)")),
        false => Ok(()),
    }
}

/// A client's mistake that its model could not show (spec/errors §6).
pub fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::user(400, "InvalidParameterValueException", message)
}

/// A parameter or value that exists at AWS and is not offered here: said rather than ignored.
pub fn not_offered(what: &str) -> ApiError {
    invalid(format!("{what} is not supported by this version of triggerfish"))
}

/// Something that stands in the way (spec/errors §4).
pub fn conflict(message: impl Into<String>) -> ApiError {
    ApiError::user(409, "ResourceConflictException", message)
}

/// Refuses a revision id that is no longer the latest (spec/errors §5).
///
/// # Errors
/// `PreconditionFailedException` that names `api`.
pub fn check_revision(input: &Input, latest: &str, api: &str) -> Result<(), ApiError> {
    match text(input, "RevisionId") {
        Some(given) if given != latest => {
            let message = format!(
                "The Revision Id provided does not match the latest Revision Id. Call the {api} API to retrieve the latest Revision Id"
            );
            Err(ApiError::user(412, "PreconditionFailedException", message))
        }
        _ => Ok(()),
    }
}

/// One page of a list: at most `MaxItems` and `cap` items after `Marker`, and the next marker in `NextMarker`.
///
/// # Errors
/// A marker that this list never gave.
pub fn page(input: &Input, cap: usize, member: &str, items: Vec<(String, Value)>) -> Result<Value, ApiError> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let after = match text(input, "Marker").filter(|marker| !marker.is_empty()) {
        Some(marker) => {
            let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
            let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            Some(key.ok_or_else(|| invalid(format!("Invalid marker: {marker}")))?)
        }
        None => None,
    };
    let most = number(input, "MaxItems")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(cap)
        .clamp(1, cap);
    let start = match &after {
        // Where the marked item is gone, its place in the order is not.
        Some(after) => items
            .iter()
            .position(|(key, _)| key == after)
            .map_or_else(|| items.partition_point(|(key, _)| key <= after), |at| at + 1),
        None => 0,
    };
    let rest = items.len().saturating_sub(start) > most;
    let shown: Vec<(String, Value)> = items.into_iter().skip(start).take(most).collect();
    let last = shown
        .last()
        .map(|(key, _)| URL_SAFE_NO_PAD.encode(key))
        .filter(|_| rest);
    let mut answer = json!({ member: shown.into_iter().map(|(_, item)| item).collect::<Vec<_>>() });
    if let Some(marker) = last {
        answer["NextMarker"] = Value::from(marker);
    }
    Ok(answer)
}
