//! What an operation has changed, and what was there before: so that it is kept as a whole, or has never been.

use std::collections::BTreeMap;

use anyhow::Context;
use router::name::FunctionName;

use super::layer_record::LayerRecord;
use super::mapping::Mapping;
use super::{Record, Registry};
use crate::front::lambda::store::Kind;

/// The records before they were changed; `None` where there was none.
#[derive(Debug, Default)]
pub struct Changes {
    /// Functions.
    pub functions: BTreeMap<FunctionName, Option<Record>>,
    /// Layers, by name.
    pub layers: BTreeMap<String, Option<LayerRecord>>,
    /// Event source mappings, by id.
    pub mappings: BTreeMap<String, Option<Mapping>>,
}

/// A record as it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Of what.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its JSON; `None` where it is gone.
    pub record: Option<String>,
}

impl Changes {
    /// Whether nothing has changed.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.layers.is_empty() && self.mappings.is_empty()
    }

    pub(super) fn function(&mut self, all: &BTreeMap<FunctionName, Record>, name: &FunctionName) {
        if !self.functions.contains_key(name) {
            self.functions.insert(name.clone(), all.get(name).cloned());
        }
    }

    pub(super) fn layer(&mut self, all: &BTreeMap<String, LayerRecord>, name: &str) {
        if !self.layers.contains_key(name) {
            self.layers.insert(name.to_owned(), all.get(name).cloned());
        }
    }

    pub(super) fn mapping(&mut self, all: &BTreeMap<String, Mapping>, uuid: &str) {
        if !self.mappings.contains_key(uuid) {
            self.mappings.insert(uuid.to_owned(), all.get(uuid).cloned());
        }
    }
}

impl Registry {
    /// The records of changes as they are now.
    ///
    /// # Errors
    /// One has no JSON, which is a mistake of ours.
    pub fn rows(&self, changes: &Changes) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for name in changes.functions.keys() {
            let record = self.functions.get(name).map(Record::as_kept);
            rows.push(row(Kind::Function, name.as_str(), record.as_ref())?);
        }
        for name in changes.layers.keys() {
            rows.push(row(Kind::Layer, name, self.layers.get(name))?);
        }
        for uuid in changes.mappings.keys() {
            rows.push(row(Kind::Mapping, uuid, self.mappings.get(uuid))?);
        }
        Ok(rows)
    }

    /// Makes everything what it was before.
    pub fn restore(&mut self, changes: Changes) {
        restore(&mut self.functions, changes.functions);
        restore(&mut self.layers, changes.layers);
        restore(&mut self.mappings, changes.mappings);
    }
}

fn row<T: serde::Serialize>(kind: Kind, name: &str, record: Option<&T>) -> anyhow::Result<Row> {
    let record = record.map(serde_json::to_string).transpose();
    let record = record.with_context(|| format!("the record of {name} has no JSON"))?;
    Ok(Row {
        kind,
        name: name.to_owned(),
        record,
    })
}

fn restore<K: Ord, T>(all: &mut BTreeMap<K, T>, before: BTreeMap<K, Option<T>>) {
    for (key, record) in before {
        match record {
            Some(record) => drop(all.insert(key, record)),
            None => drop(all.remove(&key)),
        }
    }
}
