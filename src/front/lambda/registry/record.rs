//! The record of a function: its versions, aliases and everything that hangs on its name.
//!
//! Owns the data and the passing of its states. Deliberately absent: operations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use router::name::{FunctionName, Version};
use router::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ids;
use super::code::Code;
use super::config::Config;
use super::invoke_config::InvokeConfig;
use super::policy::Policy;
use super::provisioned::Provisioned;
use super::url::UrlConfig;
use crate::front::code::Package;

/// How long a new or updated function is `Pending` or `InProgress`, unless somebody looks at it before: who polls needs no
/// second poll, and who does not wait meets the conflict that AWS would answer with. AWS takes seconds.
pub const TRANSITION: Duration = Duration::from_millis(100);

/// A function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its bare name.
    pub name: FunctionName,
    /// Whether the project file declares it.
    #[serde(default)]
    pub declared: bool,
    /// `$LATEST`.
    pub latest: Revision,
    /// The API's own `$LATEST`, while the project file declares a function of this name.
    #[serde(default)]
    pub own: Option<Box<Revision>>,
    /// Published versions.
    pub versions: BTreeMap<u64, Revision>,
    /// The number of the last one that was published: none is used twice.
    pub published: u64,
    /// Aliases.
    pub aliases: BTreeMap<String, Alias>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Reserved concurrency.
    pub reserved: Option<u32>,
    /// Provisioned concurrency, by version or alias.
    #[serde(default)]
    pub provisioned: BTreeMap<String, Provisioned>,
    /// Settings of asynchronous invocations, by qualifier; the function's own are `$LATEST`'s.
    #[serde(default)]
    pub invoke_configs: BTreeMap<String, InvokeConfig>,
    /// The waits before retries that the project file gives; AWS has no setting for them.
    #[serde(default)]
    pub retry_delays: Option<Vec<Duration>>,
    /// Resource policies, by version or alias; the function's own is at `$LATEST`.
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// Function URLs, by alias; the function's own is at `$LATEST`.
    #[serde(default)]
    pub urls: BTreeMap<String, UrlConfig>,
    /// Whether a loop that runs through it is stopped (spec/lambda §11).
    #[serde(default = "terminates")]
    pub terminates_loops: bool,
}

/// AWS's default of `RecursiveLoop`.
fn terminates() -> bool {
    true
}

/// A version: code and configuration, and how far along they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Its configuration.
    pub config: Config,
    /// Its code.
    pub code: Code,
    /// When it was made or updated.
    pub modified: Timestamp,
    /// Random, and another after each change.
    pub revision_id: String,
    /// Whether it may be invoked.
    pub state: State,
    /// How far its last update is.
    pub update: Update,
    /// Grows with each update: environments of another one are not used again.
    pub generation: u64,
    /// For a published version: the configuration of `$LATEST` then, to tell whether anything has changed since.
    #[serde(default)]
    pub published_from: Option<Config>,
}

/// `State`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// Being made.
    Pending {
        /// Until when, at the latest.
        until: Timestamp,
    },
    /// May be invoked.
    Active,
    /// Cannot be run here.
    Failed {
        /// Why.
        reason: String,
    },
}

/// `LastUpdateStatus`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Update {
    /// Under way: invocations still meet what was before.
    InProgress {
        /// Until when, at the latest.
        until: Timestamp,
        /// What was before.
        before: Box<(Config, Code, u64)>,
    },
    /// Done.
    Successful,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// The version it points to: `$LATEST` or a number.
    pub version: String,
    /// An additional version and its share of invocations, 0 to 1.
    pub also: Option<(String, f64)>,
    /// Free text.
    pub description: String,
    /// Random, and another after each change.
    pub revision_id: String,
}

impl Record {
    /// A function with nothing but its first code and configuration.
    pub fn new(name: FunctionName, latest: Revision) -> Self {
        Record {
            name,
            declared: false,
            latest,
            own: None,
            versions: BTreeMap::new(),
            published: 0,
            aliases: BTreeMap::new(),
            tags: BTreeMap::new(),
            reserved: None,
            provisioned: BTreeMap::new(),
            invoke_configs: BTreeMap::new(),
            policies: BTreeMap::new(),
            urls: BTreeMap::new(),
            retry_delays: None,
            terminates_loops: terminates(),
        }
    }

    /// What the project file alone makes of it: `$LATEST` and nothing of the API's.
    pub fn as_declared(&self) -> Record {
        let own = self.invoke_configs.get_key_value("$LATEST");
        Record {
            declared: true,
            reserved: self.reserved,
            invoke_configs: own
                .map(|(key, config)| (key.clone(), config.clone()))
                .into_iter()
                .collect(),
            retry_delays: self.retry_delays.clone(),
            ..Record::new(self.name.clone(), self.latest.clone())
        }
    }

    /// A version cannot be run here.
    pub fn fail(&mut self, version: Version, reason: String) {
        let revision = match version {
            Version::Latest => Some(&mut self.latest),
            Version::Published(number) => self.versions.get_mut(&number),
        };
        if let Some(revision) = revision {
            revision.state = State::Failed { reason };
            revision.update = Update::Successful;
        }
    }

    /// Whether a version could not be run.
    pub fn is_failed(&self, version: Version) -> bool {
        let revision = self.version(&version.to_string());
        revision.is_some_and(|revision| matches!(revision.state, State::Failed { .. }))
    }

    /// A version that could not be run can be.
    pub fn mended(&mut self, version: Version) {
        let revision = match version {
            Version::Latest => Some(&mut self.latest),
            Version::Published(number) => self.versions.get_mut(&number),
        };
        if let Some(revision) = revision {
            revision.state = State::Active;
        }
    }

    /// As it is kept: what could not be run is tried again by the next start.
    pub fn as_kept(&self) -> Record {
        let mut kept = self.clone();
        for revision in kept.versions.values_mut().chain([&mut kept.latest]) {
            if matches!(revision.state, State::Failed { .. }) {
                revision.state = State::Active;
            }
        }
        kept
    }

    /// Whether the API has made anything of it that the project file knows nothing of.
    pub fn has_more_than_declared(&self) -> bool {
        let of_versions = self.invoke_configs.keys().any(|qualifier| qualifier != "$LATEST");
        let without = self.versions.is_empty()
            && self.aliases.is_empty()
            && self.tags.is_empty()
            && self.policies.is_empty()
            && self.urls.is_empty()
            && self.provisioned.is_empty();
        !without || of_versions || self.published > 0
    }

    /// Completes everything that is under way.
    pub fn complete(&mut self, ids: &mut Ids) {
        while let Some(until) = self.next_deadline() {
            self.settle(until, ids);
        }
    }

    /// Forgets a version and what was configured for it.
    pub fn forget_version(&mut self, number: u64) {
        self.versions.remove(&number);
        self.forget(&number.to_string());
    }

    /// Forgets an alias and what was configured for it.
    pub fn forget_alias(&mut self, alias: &str) {
        if self.aliases.remove(alias).is_some() {
            self.forget(alias);
        }
    }

    /// Forgets what hangs on a qualifier.
    fn forget(&mut self, qualifier: &str) {
        self.provisioned.remove(qualifier);
        self.invoke_configs.remove(qualifier);
        self.policies.remove(qualifier);
        self.urls.remove(qualifier);
    }

    /// A version by `$LATEST` or its number.
    pub fn version(&self, version: &str) -> Option<&Revision> {
        match version {
            "$LATEST" => Some(&self.latest),
            number => self.versions.get(&canonical(number)?),
        }
    }

    /// The version that a qualifier leads to, an alias to its main one; `$LATEST` for none.
    pub fn resolve(&self, qualifier: Option<&str>) -> Option<(String, &Revision)> {
        let asked = qualifier.unwrap_or("$LATEST");
        let version = self.aliases.get(asked).map_or(asked, |alias| &alias.version);
        Some((version.to_owned(), self.version(version)?))
    }

    /// All versions that can be run, `$LATEST` first.
    pub fn revisions(&self) -> impl Iterator<Item = (String, &Revision)> {
        let latest = std::iter::once(("$LATEST".to_owned(), &self.latest));
        latest.chain(
            self.versions
                .iter()
                .map(|(number, revision)| (number.to_string(), revision)),
        )
    }

    /// Lets everything happen that was to happen by `now`; says whether anything did.
    pub fn settle(&mut self, now: Timestamp, ids: &mut Ids) -> bool {
        let mut any = self.latest.settle(now, ids);
        for revision in self.versions.values_mut() {
            any |= revision.settle(now, ids);
        }
        any
    }

    /// When [`Record::settle`] has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.revisions()
            .filter_map(|(_, revision)| revision.until())
            .min()
    }
}

/// A version's number as AWS writes it: digits without a zero in front.
fn canonical(number: &str) -> Option<u64> {
    number.parse().ok().filter(|n: &u64| n.to_string() == number)
}

impl Revision {
    /// A version that is being made.
    pub fn new(config: Config, code: Code, now: Timestamp, ids: &mut Ids) -> Self {
        Revision {
            config,
            code,
            modified: now,
            revision_id: ids.uuid(),
            state: State::Pending {
                until: now + TRANSITION,
            },
            update: Update::Successful,
            generation: 0,
            published_from: None,
        }
    }

    /// Whether it is still being made.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending { .. })
    }

    /// The state that keeps it from being invoked.
    pub fn hinders(&self) -> Option<&'static str> {
        match self.state {
            State::Active => None,
            State::Pending { .. } => Some("Pending"),
            State::Failed { .. } => Some("Failed"),
        }
    }

    /// Exchanges code and configuration; what was before serves until the update is done.
    pub fn update(&mut self, config: Config, code: Code, now: Timestamp, ids: &mut Ids) {
        let before = (
            std::mem::replace(&mut self.config, config),
            std::mem::replace(&mut self.code, code),
            self.generation,
        );
        if matches!(self.state, State::Failed { .. }) {
            self.state = State::Active;
        }
        self.update = Update::InProgress {
            until: now + TRANSITION,
            before: Box::new(before),
        };
        self.generation += 1;
        self.modified = now;
        self.revision_id = ids.uuid();
    }

    /// What it is made of, and what serves until an update is done.
    fn parts(&self) -> impl Iterator<Item = (&Config, &Code)> {
        let before = match &self.update {
            Update::InProgress { before, .. } => Some((&before.0, &before.1)),
            Update::Successful => None,
        };
        before.into_iter().chain([(&self.config, &self.code)])
    }

    /// The packages of its code and layers.
    pub fn packages(&self) -> BTreeSet<Package> {
        let of = |(config, code): (&Config, &Code)| {
            let own = match code {
                Code::Package(package) => Some(package.clone()),
                Code::Folder(_) => None,
            };
            own.into_iter().chain(config.layer_packages())
        };
        self.parts().flat_map(of).collect()
    }

    /// Its layers, in their order.
    pub fn layer_lists(&self) -> Vec<Vec<Package>> {
        self.parts().map(|(config, _)| config.layer_packages()).collect()
    }

    /// What invocations meet now.
    pub fn serving(&self) -> (&Config, &Code, u64) {
        match &self.update {
            Update::InProgress { before, .. } => (&before.0, &before.1, before.2),
            Update::Successful => (&self.config, &self.code, self.generation),
        }
    }

    fn until(&self) -> Option<Timestamp> {
        let state = match self.state {
            State::Pending { until } => Some(until),
            _ => None,
        };
        match self.update {
            Update::InProgress { until, .. } => Some(state.map_or(until, |state| state.min(until))),
            Update::Successful => state,
        }
    }

    fn settle(&mut self, now: Timestamp, ids: &mut Ids) -> bool {
        if self.until().is_none_or(|until| until > now) {
            return false;
        }
        if matches!(self.state, State::Pending { .. }) {
            self.state = State::Active;
        }
        self.update = Update::Successful;
        self.revision_id = ids.uuid();
        true
    }
}

impl Alias {
    /// Whether it sends invocations to a version.
    pub fn leads_to(&self, version: &str) -> bool {
        self.version == version || self.also.as_ref().is_some_and(|(also, _)| also == version)
    }
}
