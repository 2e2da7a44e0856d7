//! What an invocation has to know of functions, for the front to look up without waiting for an operation.
//!
//! Owns names, versions, aliases and the state that keeps a version from being invoked. Deliberately absent: everything
//! that the router decides, such as which version an alias leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use router::name::FunctionName;

use super::registry::Record;

/// The functions.
#[derive(Debug, Default)]
pub struct Directory(Mutex<BTreeMap<FunctionName, Entry>>);

#[derive(Debug)]
struct Entry {
    /// Versions and aliases.
    qualifiers: BTreeSet<String>,
    /// The state of each that cannot be invoked.
    hindered: BTreeMap<String, &'static str>,
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

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<FunctionName, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
