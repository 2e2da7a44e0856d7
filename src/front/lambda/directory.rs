//! What an invocation has to know of functions, for the front to look up without waiting for an operation.
//!
//! Owns names, versions, aliases, function URLs and the state that keeps a version from being invoked. Deliberately absent:
//! everything that the router decides, such as which version an alias leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use router::name::FunctionName;

use super::registry::Record;
use super::registry::target::UNQUALIFIED;
use super::registry::url::UrlConfig;

/// The functions.
#[derive(Debug, Default)]
pub struct Directory(Mutex<BTreeMap<FunctionName, Entry>>);

#[derive(Debug)]
struct Entry {
    /// Versions and aliases.
    qualifiers: BTreeSet<String>,
    /// The state of each that cannot be invoked.
    hindered: BTreeMap<String, &'static str>,
    /// Function URLs, each with its alias.
    urls: Vec<(Option<String>, UrlConfig)>,
}

/// What a function URL leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The function.
    pub function: FunctionName,
    /// The alias, if it is an alias' URL.
    pub alias: Option<String>,
    /// How it is served.
    pub config: UrlConfig,
}

/// What a look-up finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It can be invoked.
    Ready,
    /// It is there, in a state in which it cannot.
    Hindered(&'static str),
    /// There is no such function, version or alias.
    Missing,
}

impl Directory {
    /// Takes in what is true of a function now.
    pub fn note(&self, record: &Record) {
        let versions = record.revisions().map(|(version, _)| version);
        let qualifiers: BTreeSet<String> = versions.chain(record.aliases.keys().cloned()).collect();
        let hindered = qualifiers.iter().filter_map(|qualifier| {
            let (_, revision) = record.resolve(Some(qualifier))?;
            Some((qualifier.clone(), revision.hinders()?))
        });
        let entry = Entry {
            hindered: hindered.collect(),
            qualifiers,
            urls: record
                .urls
                .iter()
                .map(|(key, url)| (Some(key.clone()).filter(|key| key != UNQUALIFIED), url.clone()))
                .collect(),
        };
        self.lock().insert(record.name.clone(), entry);
    }

    /// Forgets a function.
    pub fn forget(&self, name: &FunctionName) {
        self.lock().remove(name);
    }

    /// Looks a function's version or alias up; `$LATEST` for none.
    pub fn find(&self, name: &FunctionName, qualifier: Option<&str>) -> Found {
        let functions = self.lock();
        let qualifier = qualifier.unwrap_or("$LATEST");
        let Some(entry) = functions
            .get(name)
            .filter(|entry| entry.qualifiers.contains(qualifier))
        else {
            return Found::Missing;
        };
        entry
            .hindered
            .get(qualifier)
            .map_or(Found::Ready, |state| Found::Hindered(state))
    }

    /// Looks a function URL up, by what its host begins with.
    pub fn url(&self, id: &str) -> Option<Target> {
        self.lock().iter().find_map(|(function, entry)| {
            let (alias, config) = entry.urls.iter().find(|(_, url)| url.id == id)?;
            Some(Target {
                function: function.clone(),
                alias: alias.clone(),
                config: config.clone(),
            })
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<FunctionName, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
