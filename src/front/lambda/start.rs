//! The control plane of a run: what the data directory has, and what the project file declares.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use executor::Functions;
use router::name::{FunctionName, Seed};
use router::settings::Function;
use scenarios::assemble::{ACCOUNT, REGION};
use scenarios::clock::system_now;
use scenarios::hands::Entrance;

use super::declared;
use super::plane::{Parts, Plane};
use super::registry::record::Record;
use super::registry::{Ids, Place, Registry};
use super::store::{Kind, Store};
use super::world::World;
use crate::front::code::CodeStore;
use crate::reload::Reload;

/// What a control plane starts from.
pub struct Start<'a> {
    /// The data directory.
    pub data: &'a Path,
    /// Where the gateway answers.
    pub endpoint: String,
    /// What ids derive from.
    pub seed: Seed,
    /// What lies around the fabric.
    pub world: World,
    /// The executor's functions: those of the project file.
    pub functions: Functions,
    /// What the router was told of them.
    pub settings: BTreeMap<FunctionName, Function>,
    /// The way into the fabric.
    pub entrance: Entrance,
    /// Watches folders of code.
    pub reload: Reload,
}

/// Puts a control plane together.
///
/// # Errors
/// The data directory cannot be read or written.
pub fn plane(start: Start<'_>) -> Result<Plane> {
    let directory = start.data.join("lambda");
    let failed = || format!("failed to use {}", directory.display());
    std::fs::create_dir_all(&directory).with_context(failed)?;
    let code = CodeStore::open(directory.join("code")).with_context(failed)?;
    let store = Store::open(&directory)?;
    let place = Place {
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        endpoint: start.endpoint,
        secret: start.seed.bytes("code-urls"),
    };
    let (mut registry, mut ids) = (Registry::default(), Ids::new(start.seed));
    for record in store.load::<Record>(Kind::Function)? {
        registry.insert(record);
    }
    for layer in store.load(Kind::Layer)? {
        registry.insert_layer(layer);
    }
    for mapping in store.load(Kind::Mapping)? {
        registry.insert_mapping(mapping);
    }
    let specs = start.functions.specs();
    declared::take(
        &mut registry,
        &specs,
        &start.settings,
        &place,
        system_now(),
        &mut ids,
    );
    // Nothing runs yet that could use what no record names.
    let merged = registry.layer_lists();
    let merged = merged
        .iter()
        .filter_map(|list| code.opt(list).ok().flatten())
        .collect();
    code.keep_only(&registry.packages(), &merged)
        .with_context(failed)?;
    Ok(Plane::new(Parts {
        place,
        code,
        world: start.world,
        registry,
        ids,
        store,
        told: specs.into_iter().map(|spec| spec.name).collect(),
        functions: start.functions,
        entrance: start.entrance,
        reload: start.reload,
    }))
}
