//! The control plane of a run: what the data directory has, and what the project file declares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use crossbeam_channel::Receiver;
use executor::Functions;
use router::name::{FunctionName, Seed};
use router::settings::Function;
use scenarios::assemble::{ACCOUNT, REGION};
use scenarios::clock::system_now;
use scenarios::hands::Entrance;

use super::declared;
use super::desired;
use super::directory::Directory;
use super::keeper::{Job, Keeper};
use super::plane::{Plane, Shared};
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
    /// What the URLs of code are signed with.
    pub secret: [u8; 32],
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
pub fn plane(start: Start<'_>) -> Result<Ready> {
    let directory = start.data.join("lambda");
    let failed = || format!("failed to use {}", directory.display());
    std::fs::create_dir_all(&directory).with_context(failed)?;
    let code = CodeStore::open(directory.join("code")).with_context(failed)?;
    let mut store = Store::open(&directory)?;
    let place = Place {
        region: REGION.to_owned(),
        account: ACCOUNT.to_owned(),
        endpoint: start.endpoint,
        secret: start.secret,
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
    // All of that is kept already.
    registry.take_changed();
    let specs = start.functions.specs();
    let notes = declared::take(
        &mut registry,
        &specs,
        &start.settings,
        &place,
        system_now(),
        &mut ids,
    );
    let changes = registry.take_changed();
    store.save(&registry.rows(&changes)?)?;
    // Nothing runs yet that could use what no record names.
    let merged = registry.layer_lists();
    let merged = merged
        .iter()
        .filter_map(|list| code.opt(list).ok().flatten())
        .collect();
    code.keep_only(&registry.packages(), &merged)
        .with_context(failed)?;
    let directory = Directory::default();
    let known = specs.iter().filter_map(|spec| registry.functions.get(&spec.name));
    let told = known
        .map(|record| (record.name.clone(), desired::of(&record.as_declared(), &code)))
        .collect();
    registry
        .functions
        .values()
        .for_each(|record| directory.note(record));
    let shared = Arc::new(Shared {
        place,
        code: Arc::new(code),
        directory,
        world: start.world,
        bringing: Arc::default(),
    });
    let (ask, jobs) = Keeper::jobs();
    let keeper = Keeper {
        shared: Arc::clone(&shared),
        registry,
        ids,
        store,
        told,
        functions: start.functions,
        entrance: start.entrance,
        reload: start.reload,
        retired: BTreeSet::new(),
        untidy: false,
    };
    Ok(Ready {
        plane: Plane::new(shared, ask),
        keeper,
        jobs,
        notes,
    })
}

/// A control plane whose keeper has not begun.
pub struct Ready {
    /// The front's part of it.
    pub plane: Plane,
    /// What there is to tell of the project file and what earlier runs have left.
    pub notes: Vec<String>,
    keeper: Keeper,
    jobs: Receiver<Job>,
}

impl Ready {
    /// Begins: router and executor hear of every function that they do not know.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn begin(self) -> std::io::Result<()> {
        self.keeper.start(self.jobs)
    }
}
