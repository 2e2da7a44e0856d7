//! Checked settings: what the router knows of functions, limits and ends.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::name::{FunctionName, LATEST, SinkName, Version};
use crate::retry::RetryPolicy;

/// Lambda's default account limit of concurrent executions (spec/lambda §3.4).
pub const ACCOUNT_CONCURRENCY: u32 = 1000;
/// Concurrent executions that reserved concurrency must leave to everybody else.
pub const MIN_UNRESERVED: u32 = 100;

/// A function as the router sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Reserved concurrency: guaranteed and capped; 0 lets nothing run.
    pub reserved: Option<u32>,
    /// Its versions; `$LATEST` is always one of them.
    pub versions: BTreeMap<Version, VersionSettings>,
    /// Its aliases by name.
    pub aliases: BTreeMap<Arc<str>, Alias>,
    /// What becomes of asynchronous events, by the qualifier that they were invoked with, `$LATEST` where there was none.
    /// One that is not here has the default; a version inherits nothing (spec/lambda §9.2).
    pub asynchronous: BTreeMap<Arc<str>, Asynchronous>,
    /// `RecursiveLoop: Allow`: a chain of destinations may come to it however long it is (spec/lambda §11).
    pub allows_loops: bool,
}

/// What belongs to one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionSettings {
    /// `DeadLetterConfig`: gets the event itself.
    pub dead_letter: Option<SinkName>,
    /// Provisioned concurrency of the version itself, in environments; 0 for none.
    pub provisioned: u32,
}

/// A name for a version, and perhaps for a share of another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// The version that it points to.
    pub version: Version,
    /// The additional version with its share of the invocations, 0.0 to 1.0.
    pub also: Option<(Version, f64)>,
    /// Provisioned concurrency of the alias, in environments of the version that it points to; 0 for none.
    pub provisioned: u32,
}

/// `EventInvokeConfig`: what becomes of asynchronous events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asynchronous {
    /// Retries and age.
    pub retry: RetryPolicy,
    /// `OnSuccess` destination.
    pub on_success: Option<Destination>,
    /// `OnFailure` destination.
    pub on_failure: Option<Destination>,
}

impl Asynchronous {
    /// What holds where nothing was said.
    pub fn default_settings() -> &'static Asynchronous {
        static DEFAULT: LazyLock<Asynchronous> = LazyLock::new(Asynchronous::default);
        &DEFAULT
    }
}

impl Default for Function {
    /// A function of which there is nothing but `$LATEST`.
    fn default() -> Self {
        Function {
            reserved: None,
            versions: BTreeMap::from([(Version::Latest, VersionSettings::default())]),
            aliases: BTreeMap::new(),
            asynchronous: BTreeMap::new(),
            allows_loops: false,
        }
    }
}

impl Function {
    /// A function of which there is nothing but `$LATEST`, with these settings.
    pub fn unversioned(latest: VersionSettings, asynchronous: Asynchronous) -> Self {
        Function {
            versions: BTreeMap::from([(Version::Latest, latest)]),
            asynchronous: BTreeMap::from([(LATEST.into(), asynchronous)]),
            ..Function::default()
        }
    }

    /// The version that an invocation with this qualifier runs; `None` if there is no such version or alias. `chance`,
    /// from 0 to below 1, decides between the versions of an alias: its share of it is the additional one's
    /// (spec/lambda §8.4).
    pub fn resolve(&self, qualifier: &str, chance: f64) -> Option<Version> {
        let version = match self.aliases.get(qualifier) {
            Some(alias) => match alias.also {
                Some((also, share)) if chance < share => also,
                _ => alias.version,
            },
            None => qualifier.parse().ok()?,
        };
        self.versions.contains_key(&version).then_some(version)
    }

    /// What becomes of asynchronous events that were invoked with this qualifier.
    pub fn asynchronous(&self, qualifier: &str) -> &Asynchronous {
        self.asynchronous
            .get(qualifier)
            .unwrap_or(Asynchronous::default_settings())
    }

    /// The provisioned environments of each version that has some, of its own and of the aliases that point to it.
    pub fn provisioned(&self) -> BTreeMap<Version, u32> {
        let own = self
            .versions
            .iter()
            .map(|(version, settings)| (*version, settings.provisioned));
        let aliases = self
            .aliases
            .values()
            .map(|alias| (alias.version, alias.provisioned));
        let mut all: BTreeMap<Version, u32> = BTreeMap::new();
        for (version, units) in own.chain(aliases).filter(|(_, units)| *units > 0) {
            let sum = all.entry(version).or_default();
            *sum = sum.saturating_add(units);
        }
        all
    }
}

/// Where a destination record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Another function, invoked asynchronously with the record.
    Function {
        /// Its name.
        name: FunctionName,
        /// The version or alias, if one is named.
        qualifier: Option<Arc<str>>,
    },
    /// A named sink, which keeps it.
    Sink(SinkName),
}

impl Destination {
    /// A function without a qualifier.
    pub fn function(name: FunctionName) -> Self {
        let qualifier = None;
        Destination::Function { name, qualifier }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Function { name, qualifier } => match qualifier {
                Some(qualifier) => write!(f, "{name}:{qualifier}"),
                None => name.fmt(f),
            },
            Destination::Sink(name) => name.fmt(f),
        }
    }
}

/// Everything that the router is told before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The functions.
    pub functions: BTreeMap<FunctionName, Function>,
    /// Concurrent executions of the account.
    pub concurrency: u32,
    /// Attempts handed out at once on this machine; the rest stay due, which is no throttle. `None` in
    /// virtual time, where the executor runs one after the other anyway.
    pub slots: Option<u32>,
    /// AWS region in ARNs.
    pub region: String,
    /// AWS account in ARNs.
    pub account: String,
}

impl Settings {
    /// The ARN of a function without a qualifier.
    pub fn arn(&self, function: &FunctionName) -> String {
        function_arn(&self.region, &self.account, function)
    }

    /// Checks that reserved concurrency leaves [`MIN_UNRESERVED`] to the rest, as
    /// PutFunctionConcurrency does. The error is AWS's text (spec/errors §6).
    pub fn check(&self) -> Result<(), String> {
        let reserved: u64 = self
            .functions
            .values()
            .filter_map(|f| f.reserved)
            .map(u64::from)
            .sum();
        if reserved == 0 || reserved + u64::from(MIN_UNRESERVED) <= u64::from(self.concurrency) {
            return Ok(());
        }
        Err(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{MIN_UNRESERVED}]."
        ))
    }
}

/// The ARN of a function without a qualifier (spec/lambda §2).
pub fn function_arn(region: &str, account: &str, function: &FunctionName) -> String {
    format!("arn:aws:lambda:{region}:{account}:function:{function}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Seed;

    const ONE: Version = Version::Published(1);
    const TWO: Version = Version::Published(2);

    fn function(alias: Alias) -> Function {
        let versions = [Version::Latest, ONE, TWO].map(|version| (version, VersionSettings::default()));
        Function {
            versions: versions.into(),
            aliases: [("prod".into(), alias)].into(),
            ..Function::default()
        }
    }

    fn prod(also: Option<(Version, f64)>) -> Function {
        function(Alias {
            version: ONE,
            also,
            provisioned: 0,
        })
    }

    #[test]
    fn a_qualifier_is_a_version_or_an_alias_or_nothing() {
        let f = prod(None);
        assert_eq!(f.resolve("$LATEST", 0.0), Some(Version::Latest));
        assert_eq!(f.resolve("2", 0.0), Some(TWO));
        assert_eq!(f.resolve("prod", 0.0), Some(ONE));
        for missing in ["3", "02", "Prod", "$latest", ""] {
            assert_eq!(f.resolve(missing, 0.0), None, "{missing}");
        }
        let mut gone = f;
        gone.versions.remove(&ONE);
        assert_eq!(gone.resolve("prod", 0.0), None, "its version was deleted");
    }

    #[test]
    fn a_share_is_that_of_the_additional_version() {
        let chosen = |share: f64, chance: f64| prod(Some((TWO, share))).resolve("prod", chance);
        assert_eq!(chosen(0.0, 0.0), Some(ONE), "nothing of it");
        assert_eq!(chosen(1.0, 0.999_999), Some(TWO), "all of it");
        assert_eq!((chosen(0.25, 0.249), chosen(0.25, 0.25)), (Some(TWO), Some(ONE)));
    }

    #[test]
    fn ten_thousand_invocations_are_shared_as_the_weights_say() {
        let f = prod(Some((TWO, 0.1)));
        let seed = Seed(7);
        let second = |n: &u32| f.resolve("prod", seed.chance(&format!("inv:f/api/{n}#1"))) == Some(TWO);
        let count = (0..10_000).filter(second).count();
        // The standard deviation is 30.
        assert!((900..=1100).contains(&count), "{count} of 10000");
    }

    #[test]
    fn provisioned_units_count_for_the_version_that_runs_on_them() {
        let mut f = function(Alias {
            version: TWO,
            also: Some((ONE, 0.5)),
            provisioned: 3,
        });
        f.versions.entry(ONE).or_default().provisioned = 1;
        assert_eq!(f.provisioned(), [(ONE, 1), (TWO, 3)].into());
        assert!(Function::default().provisioned().is_empty());
    }

    #[test]
    fn what_no_qualifier_was_given_for_is_not_inherited() {
        let asked = Asynchronous {
            on_success: Some(Destination::Sink(SinkName::new("good"))),
            ..Asynchronous::default()
        };
        let f = Function::unversioned(VersionSettings::default(), asked.clone());
        assert_eq!(f.asynchronous("$LATEST"), &asked);
        assert_eq!(f.asynchronous("1"), &Asynchronous::default());
    }
}
