//! What Lambda's control plane knows: functions with their versions and aliases, layers, event source mappings.
//!
//! Owns the records and what each operation does to them (spec/lambda §7, §8), as a pure state machine: time, fresh ids
//! and what lies outside come in with a [`Moment`]; an answer or an [`ApiError`] comes out, and [`Registry::take_changed`]
//! says which records are others now. Deliberately absent: HTTP, files, and the running of functions; whoever calls keeps
//! the records and tells router and executor what has changed ([`super::plane`]).
//!
//! An operation whose code has to be brought first answers [`Told::Wants`] before it has changed anything, and is called
//! again with it.

pub mod account;
pub mod alias;
pub mod changes;
pub mod code;
pub mod concurrency;
pub mod config;
pub mod configuration;
pub mod function;
pub mod input;
pub mod invoke_config;
pub mod layer;
pub mod layer_policy;
pub mod layer_record;
pub mod mapping;
pub mod moment;
pub mod policy;
pub mod provisioned;
pub mod record;
pub mod recursion;
pub mod refusal;
pub mod runtime;
pub mod served;
pub mod tags;
pub mod target;
pub mod update;
pub mod url;
pub mod version;
#[cfg(test)]
pub mod world;

use std::collections::{BTreeMap, BTreeSet};

use router::name::FunctionName;
use router::time::Timestamp;
use scenarios::api::error::ApiError;
use serde_json::Value;

use super::model::Input;
use crate::front::code::Package;
pub use changes::{Changes, Row};
pub use input::{check_publish_to, check_revision, named, number, page, structure, text, truth};
use layer_record::LayerRecord;
use mapping::Mapping;
pub use moment::{Brought, CODE_PATH, EventSource, Ids, Moment, Outside, Place, Wanted};
pub use record::Record;
use record::Revision;
pub use refusal::{conflict, invalid, not_offered, untyped};

/// Everything that the control plane knows.
#[derive(Debug, Default)]
pub struct Registry {
    /// The functions.
    pub functions: BTreeMap<FunctionName, Record>,
    /// The layers, by their bare names.
    pub layers: BTreeMap<String, LayerRecord>,
    /// The event source mappings, by their ids.
    pub mappings: BTreeMap<String, Mapping>,
    /// Functions that the project file declared once and does not now, with what the API made of them.
    pub dormant: BTreeMap<FunctionName, Record>,
    changed: Changes,
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

impl Registry {
    /// The record of a function.
    pub fn get(&self, name: &str) -> Option<&Record> {
        self.functions.get(&FunctionName::new(name))
    }

    /// The record of a function, which is changed thereby.
    pub fn change(&mut self, name: &FunctionName) -> Option<&mut Record> {
        self.changed.function(&self.functions, name);
        self.functions.get_mut(name)
    }

    /// As [`Registry::change`], if there is something to change.
    pub fn change_if(&mut self, name: &FunctionName, wanted: bool) -> Option<&mut Record> {
        if wanted { self.change(name) } else { None }
    }

    /// Takes in a new function, or one that was changed.
    pub fn insert(&mut self, record: Record) {
        self.changed.function(&self.functions, &record.name);
        self.functions.insert(record.name.clone(), record);
    }

    /// Lets a function rest: it is kept and neither listed nor run.
    pub fn put_to_rest(&mut self, record: Record) {
        self.functions.remove(&record.name);
        self.dormant.insert(record.name.clone(), record);
    }

    /// Forgets a function.
    pub fn remove(&mut self, name: &FunctionName) {
        self.changed.function(&self.functions, name);
        self.functions.remove(name);
    }

    /// What is other than when this was asked last.
    pub fn take_changed(&mut self) -> Changes {
        std::mem::take(&mut self.changed)
    }

    /// Every version that there is, also of functions that stand back for the project file.
    fn all_revisions(&self) -> impl Iterator<Item = &Revision> {
        let records = self.functions.values().chain(self.dormant.values());
        records.flat_map(|record| {
            let versions = record.revisions().map(|(_, revision)| revision);
            versions.chain(record.own.as_deref())
        })
    }

    /// The packages that functions use, and those of layers.
    pub fn packages(&self) -> BTreeSet<Package> {
        let used = self.all_revisions().flat_map(Revision::packages);
        let layers = self.layers.values().flat_map(LayerRecord::packages);
        used.chain(layers).collect()
    }

    /// The lists of layers that functions use.
    pub fn layer_lists(&self) -> BTreeSet<Vec<Package>> {
        let lists = self.all_revisions().flat_map(Revision::layer_lists);
        lists.filter(|list| !list.is_empty()).collect()
    }

    /// Lets everything happen that was to happen by `now`: functions become active, updates complete, mappings are
    /// enabled, disabled or gone.
    pub fn settle(&mut self, now: Timestamp, ids: &mut Ids) {
        let due = self
            .functions
            .values()
            .filter(|record| record.next_deadline().is_some_and(|due| due <= now));
        for name in due.map(|record| record.name.clone()).collect::<Vec<_>>() {
            if let Some(record) = self.change(&name) {
                record.settle(now, ids);
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
