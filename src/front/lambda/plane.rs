//! The control plane at work: operations carried out, kept, and told to the router and the executor.
//!
//! ```text
//!   run ─► registry says ─► wants code? bring it, ask again ─► changed? keep ─► tell executor, then router ─► answer
//! ```
//!
//! Owns the one lock around the records, the order of telling, and the passing of states that nobody looks at. What the
//! fabric runs is always derived from the records ([`desired`]) and compared with what it was told before,
//! so operations only ever change records. Deliberately absent: what operations mean ([`super::registry`]) and HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use executor::Functions;
use router::arrivals::Refused;
use router::name::{FunctionName, FunctionVersion, Version};
use router::router::Input as Fabric;
use router::settings::Function;
use scenarios::api::error::ApiError;
use scenarios::clock::system_now;
use scenarios::hands::Entrance;
use tokio::sync::Notify;

use super::desired::{self, Desired};
use super::directory::Directory;
use super::model::Input;
use super::registry::code::Code;
use super::registry::served::Served;
use super::registry::{self, Brought, Ids, Moment, Place, Registry, Told, Wanted};
use super::store::{Kind, Store};
use super::world::World;
use crate::front::code::{CodeStore, PackageError, UNZIPPED_LIMIT};
use crate::reload::Reload;

/// The control plane.
pub struct Plane {
    /// Where the fabric believes to be.
    pub place: Place,
    /// Packages of code.
    pub code: Arc<CodeStore>,
    /// What invocations have to know of functions.
    pub directory: Directory,
    /// What lies around the fabric.
    pub world: World,
    state: tokio::sync::Mutex<Inner>,
    functions: Functions,
    entrance: Entrance,
    reload: Reload,
    /// Rung when there is something to wait for.
    due: Notify,
}

/// What the lock is around.
struct Inner {
    registry: Registry,
    ids: Ids,
    store: Store,
    /// What router and executor were told last.
    told: BTreeMap<FunctionName, Desired>,
}

/// What a control plane is made of.
pub struct Parts {
    /// Where the fabric believes to be.
    pub place: Place,
    /// Packages of code.
    pub code: CodeStore,
    /// What lies around the fabric.
    pub world: World,
    /// The records, those of the project file among them.
    pub registry: Registry,
    /// Fresh ids.
    pub ids: Ids,
    /// Where records are kept.
    pub store: Store,
    /// The functions that router and executor have been told of already.
    pub told: BTreeSet<FunctionName>,
    /// The executor's functions.
    pub functions: Functions,
    /// The way into the fabric.
    pub entrance: Entrance,
    /// Watches folders of code.
    pub reload: Reload,
}

impl Plane {
    /// Takes everything over. What is not told yet is told by [`Plane::begin`].
    pub fn new(parts: Parts) -> Self {
        let told = parts
            .registry
            .functions
            .values()
            .filter(|record| parts.told.contains(&record.name));
        let told = told
            .map(|record| {
                (
                    record.name.clone(),
                    desired::of(&record.as_declared(), &parts.code),
                )
            })
            .collect();
        let directory = Directory::default();
        parts
            .registry
            .functions
            .values()
            .for_each(|record| directory.note(record));
        Plane {
            place: parts.place,
            code: Arc::new(parts.code),
            directory,
            world: parts.world,
            state: tokio::sync::Mutex::new(Inner {
                registry: parts.registry,
                ids: parts.ids,
                store: parts.store,
                told,
            }),
            functions: parts.functions,
            entrance: parts.entrance,
            reload: parts.reload,
            due: Notify::new(),
        }
    }

    /// Tells router and executor of every record that they do not know.
    ///
    /// # Errors
    /// The fabric ends.
    pub async fn begin(&self) -> Result<(), ApiError> {
        let mut inner = self.state.lock().await;
        let names: BTreeSet<FunctionName> = inner.registry.functions.keys().cloned().collect();
        self.tell(&mut inner, names, "kept from an earlier run").await
    }

    /// Carries an operation out.
    ///
    /// # Errors
    /// The error to answer with.
    pub async fn run(&self, served: &Served, input: &Input) -> Result<Told, ApiError> {
        let mut brought = BTreeMap::new();
        loop {
            let told = self.try_run(served, input, &brought).await?;
            let Told::Wants(wanted) = told else {
                return Ok(told);
            };
            if brought.contains_key(&wanted) {
                return Err(ApiError::service("an operation asked twice for the same code"));
            }
            let what = self.bring(&wanted, input).await?;
            brought.insert(wanted, what);
        }
    }

    async fn try_run(
        &self,
        served: &Served,
        input: &Input,
        brought: &BTreeMap<Wanted, Brought>,
    ) -> Result<Told, ApiError> {
        let mut inner = self.state.lock().await;
        let now = system_now();
        let Inner { registry, ids, .. } = &mut *inner;
        registry.settle(now, ids);
        let mut moment = Moment {
            now,
            place: &self.place,
            ids,
            brought,
            outside: &self.world,
        };
        let told = (served.run)(registry, &mut moment, input);
        // Also where it failed: time may have passed for others.
        self.commit(&mut inner).await?;
        told
    }

    /// Lets states pass that nobody looks at, until the fabric ends.
    pub async fn pass(&self) {
        loop {
            let due = self.state.lock().await.registry.next_deadline();
            let rung = self.due.notified();
            match due {
                None => rung.await,
                Some(due) => {
                    let wait = due.since(system_now());
                    if tokio::time::timeout(wait, rung).await.is_ok() {
                        continue;
                    }
                    let mut inner = self.state.lock().await;
                    let Inner { registry, ids, .. } = &mut *inner;
                    registry.settle(system_now(), ids);
                    if self.commit(&mut inner).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The code at a URL: `<function>/<version>`, or `layer:<layer>/<version>`.
    pub async fn code_of(&self, what: &str) -> Option<Code> {
        let (name, version) = what.split_once('/')?;
        let inner = self.state.lock().await;
        if let Some(layer) = name.strip_prefix("layer:") {
            let found = inner.registry.layer_version(layer, version.parse().ok()?)?;
            return Some(Code::Package(found.package.clone()));
        }
        Some(inner.registry.get(name)?.version(version)?.code.clone())
    }

    /// Keeps what has changed and tells of it.
    async fn commit(&self, inner: &mut Inner) -> Result<(), ApiError> {
        let changed = inner.registry.take_changed();
        self.tell(inner, changed.clone(), "made").await?;
        let Inner { registry, store, .. } = inner;
        let mut any = !changed.is_empty();
        for name in &changed {
            let record = registry.functions.get(name);
            keep(store, Kind::Function, name.as_str(), record)?;
        }
        for name in registry.take_changed_layers() {
            keep(store, Kind::Layer, &name, registry.layers.get(&name))?;
        }
        for uuid in registry.take_changed_mappings() {
            keep(store, Kind::Mapping, &uuid, registry.mappings.get(&uuid))?;
            any = true;
        }
        // Nothing is waited for in layers.
        if !any {
            return Ok(());
        }
        self.due.notify_one();
        Ok(())
    }

    /// Makes router and executor what the records want them to be; `new` is what the journal calls one that they do not know.
    async fn tell(
        &self,
        inner: &mut Inner,
        names: BTreeSet<FunctionName>,
        new: &str,
    ) -> Result<(), ApiError> {
        for name in names {
            let before = inner.told.remove(&name);
            let Some(record) = inner.registry.functions.get_mut(&name) else {
                self.directory.forget(&name);
                if let Some(before) = before {
                    self.configure(&name, None, "deleted".to_owned()).await?;
                    before
                        .specs
                        .into_keys()
                        .for_each(|version| self.functions.remove(&of(&name, version)));
                }
                continue;
            };
            let desired = desired::of(record, &self.code);
            let known = before.as_ref();
            for (version, (spec, generation)) in &desired.specs {
                let same = known
                    .and_then(|known| known.specs.get(version))
                    .is_some_and(|(_, told)| told == generation);
                if same {
                    continue;
                }
                if let Err(error) = self.functions.define(spec.clone()) {
                    record.fail(*version, error.to_string());
                }
                if let Some(Code::Folder(folder)) = record
                    .version(&version.to_string())
                    .map(|revision| &revision.code)
                    && let Err(error) = self.reload.watch(folder)
                {
                    tracing::warn!(%error, folder = %folder.display(), "code is not watched");
                }
            }
            self.directory.note(record);
            if known.map(|known| &known.settings) != Some(&desired.settings) {
                let what = if known.is_none() { new } else { "changed" };
                self.configure(&name, Some(desired.settings.clone()), what.to_owned())
                    .await?;
            }
            self.provision(&name, known, &desired);
            for version in known.into_iter().flat_map(|known| known.specs.keys()) {
                if !desired.specs.contains_key(version) {
                    self.functions.remove(&of(&name, *version));
                }
            }
            inner.told.insert(name, desired);
        }
        Ok(())
    }

    /// Asks for environments where they were asked for since, be it for as many as before: it is how one tries again.
    fn provision(&self, name: &FunctionName, known: Option<&Desired>, desired: &Desired) {
        let before = known.map(|known| &known.provisioned);
        let versions: BTreeSet<&Version> = before
            .into_iter()
            .chain([&desired.provisioned])
            .flat_map(BTreeMap::keys)
            .collect();
        let units = desired.settings.provisioned();
        for version in versions {
            if before.and_then(|before| before.get(version)) != desired.provisioned.get(version) {
                let wanted = units.get(version).copied().unwrap_or(0);
                self.functions.provision(&of(name, *version), wanted);
            }
        }
    }

    async fn configure(
        &self,
        function: &FunctionName,
        settings: Option<Function>,
        what: String,
    ) -> Result<(), ApiError> {
        let settings = settings.map(Box::new);
        send(
            &self.entrance,
            Fabric::Configured {
                function: function.clone(),
                settings,
                what,
            },
        )
        .await
    }

    /// Brings what an operation wants; nothing is locked meanwhile.
    async fn bring(&self, wanted: &Wanted, input: &Input) -> Result<Brought, ApiError> {
        let code = Arc::clone(&self.code);
        let work: Box<dyn FnOnce() -> Result<Brought, ApiError> + Send> = match wanted.clone() {
            Wanted::Zip => {
                let zip = zip_of(input).to_owned();
                Box::new(move || {
                    let bytes = STANDARD
                        .decode(zip.as_bytes())
                        .map_err(|error| not_base64(&error))?;
                    code.add(&bytes).map(Brought::Package).map_err(refused)
                })
            }
            Wanted::Object { bucket, key } => {
                let object = self.world.object(&bucket, &key)?;
                Box::new(move || {
                    let bytes = object()?;
                    code.add(&bytes).map(Brought::Package).map_err(refused)
                })
            }
            Wanted::Folder(path) => Box::new(move || code.pack(&path).map(Brought::Package).map_err(refused)),
            Wanted::Layers { layers, code: own } => Box::new(move || {
                let sizes = layers.iter().chain(&own).map(|package| code.unzipped(package));
                if sizes.sum::<Result<u64, _>>().map_err(refused)? >= UNZIPPED_LIMIT {
                    return Err(refused(PackageError::TooLargeUnzipped));
                }
                code.opt(&layers).map(|_| Brought::Merged).map_err(refused)
            }),
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(ApiError::service(&format!("failed to bring code: {error}"))))
    }
}

fn of(function: &FunctionName, version: Version) -> FunctionVersion {
    FunctionVersion {
        function: function.clone(),
        version,
    }
}

/// Hands an input to the fabric; where its inbox is full the caller waits, on a thread of its own.
///
/// # Errors
/// The fabric takes nothing more.
pub async fn send(entrance: &Entrance, input: Fabric) -> Result<(), ApiError> {
    let closed = || ApiError::unavailable("triggerfish is stopping and takes no more calls");
    let input = match entrance.try_send(input) {
        Ok(()) => return Ok(()),
        Err(Refused::Closed) => return Err(closed()),
        Err(Refused::Full(input)) => input,
    };
    let entrance = entrance.clone();
    match tokio::task::spawn_blocking(move || entrance.send(*input)).await {
        Ok(true) => Ok(()),
        _ => Err(closed()),
    }
}

/// The one `ZipFile` of an input: its own, or that of `Code` or `Content`.
fn zip_of(input: &Input) -> &str {
    let inner = ["Code", "Content"]
        .iter()
        .find_map(|member| registry::structure(input, member));
    registry::text(inner.unwrap_or(input), "ZipFile").unwrap_or_default()
}

fn not_base64(error: &base64::DecodeError) -> ApiError {
    super::model::serialization(&format!("ZipFile is not base64: {error}"))
}

/// A package that is not taken (spec/errors §6, §7).
fn refused(error: PackageError) -> ApiError {
    match error {
        PackageError::Io(error) => ApiError::service(&format!("failed to keep the code: {error}")),
        PackageError::TooLargeZipped => {
            let body = serde_json::json!({ "message": error.message() }).to_string();
            ApiError {
                status: 413,
                code: "RequestEntityTooLargeException",
                body,
            }
        }
        _ => {
            // AWS has one text for all of them; this tells which.
            tracing::warn!(why = %error, "a package of code was refused");
            registry::invalid(error.message())
        }
    }
}

/// Keeps a record, or forgets one that is gone.
fn keep<T: serde::Serialize>(
    store: &Store,
    kind: Kind,
    name: &str,
    record: Option<&T>,
) -> Result<(), ApiError> {
    store.save(kind, name, record).map_err(|error| {
        tracing::error!(%error, "the control plane's records are not kept");
        ApiError::service(&format!("failed to keep the change: {error:#}"))
    })
}
