//! The thread that has the control plane's records: one operation after the other, each kept before it is told.
//!
//! ```text
//!   job ─► states pass ─► registry says ─► changed? ─► kept in one transaction ─► executor ─► router ─► answer
//!                                             └─ not kept: the records are what they were, 500
//! ```
//!
//! Owns the records and what router and executor were told of them. What the fabric runs is always derived from the records
//! ([`desired`]) and compared with what it was told before, so operations only ever change records. Deliberately absent:
//! bringing code, which is done elsewhere while other operations go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use executor::Functions;
use router::name::{FunctionName, FunctionVersion, Version};
use router::router::Input as Fabric;
use router::settings::Function;
use scenarios::api::error::ApiError;
use scenarios::clock::system_now;
use scenarios::hands::Entrance;
use tokio::sync::oneshot;

use super::desired::{self, Desired};
use super::model::Input;
use super::plane::Shared;
use super::registry::code::Code;
use super::registry::served::Served;
use super::registry::{Brought, Changes, Ids, Moment, Registry, Told, Wanted};
use super::store::Store;
use crate::front::code::Package;
use crate::reload::Reload;

/// What the journal says of a function that an earlier run has left.
const KEPT: &str = "kept from an earlier run";

/// What the keeper is asked.
pub enum Job {
    /// An operation.
    Run {
        /// Which.
        served: &'static Served,
        /// What it says.
        input: Arc<Input>,
        /// What was brought for it so far.
        brought: BTreeMap<Wanted, Brought>,
        /// Who waits.
        tell: oneshot::Sender<Result<Told, ApiError>>,
    },
    /// The code of `<function>/<version>`, or of `layer:<layer>/<version>`.
    CodeOf {
        /// What.
        what: String,
        /// Who waits.
        tell: oneshot::Sender<Option<Code>>,
    },
    /// Try once more what could not be run.
    Mend {
        /// The function.
        function: FunctionName,
        /// Who waits.
        tell: oneshot::Sender<()>,
    },
}

/// The records, and who is told of them.
pub struct Keeper {
    /// What the front looks at too.
    pub shared: Arc<Shared>,
    /// The records, those of the project file among them.
    pub registry: Registry,
    /// Fresh ids.
    pub ids: Ids,
    /// Where records are kept.
    pub store: Store,
    /// What router and executor were told last.
    pub told: BTreeMap<FunctionName, Desired>,
    /// The executor's functions.
    pub functions: Functions,
    /// The way into the fabric.
    pub entrance: Entrance,
    /// Watches folders of code.
    pub reload: Reload,
    /// Packages that environments may run, though no record names them any more.
    pub retired: BTreeSet<Package>,
    /// There may be packages that nothing needs.
    pub untidy: bool,
}

impl Keeper {
    /// Starts the thread, which first tells of every record that router and executor do not know. It ends when nobody can
    /// ask it any more.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(mut self, jobs: Receiver<Job>) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name("control plane".to_owned());
        thread.spawn(move || {
            let names: Vec<FunctionName> = self.registry.functions.keys().cloned().collect();
            if self.tell(&names, KEPT).is_ok() {
                self.serve(&jobs);
            }
        })?;
        Ok(())
    }

    /// A way to ask.
    pub fn jobs() -> (Sender<Job>, Receiver<Job>) {
        unbounded()
    }

    fn serve(&mut self, jobs: &Receiver<Job>) {
        loop {
            let job = match self.registry.next_deadline() {
                Some(due) => jobs.recv_timeout(due.since(system_now())),
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(job) => self.carry_out(job),
                Err(RecvTimeoutError::Timeout) => {
                    self.registry.settle(system_now(), &mut self.ids);
                    if let Err(error) = self.commit("the time that has passed") {
                        tracing::error!(error = %error.body, "states could not pass");
                        // What was put back is due at once; the disk may need a moment.
                        std::thread::sleep(super::registry::record::TRANSITION);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.untidy && jobs.is_empty() {
                self.untidy = !self.sweep();
            }
        }
    }

    /// Whoever asked may be gone; what he asked for is done all the same.
    fn carry_out(&mut self, job: Job) {
        match job {
            Job::Run {
                served,
                input,
                brought,
                tell,
            } => {
                let told = self.run(served, &input, &brought);
                let _ = tell.send(told);
            }
            Job::CodeOf { what, tell } => drop(tell.send(self.code_of(&what))),
            Job::Mend { function, tell } => {
                self.mend(&function);
                let _ = tell.send(());
            }
        }
    }

    fn run(
        &mut self,
        served: &Served,
        input: &Input,
        brought: &BTreeMap<Wanted, Brought>,
    ) -> Result<Told, ApiError> {
        self.untidy |= !brought.is_empty();
        let now = system_now();
        self.registry.settle(now, &mut self.ids);
        let mut moment = Moment {
            now,
            place: &self.shared.place,
            ids: &mut self.ids,
            brought,
            outside: &self.shared.world,
        };
        let told = (served.run)(&mut self.registry, &mut moment, input);
        // An operation that failed has changed nothing, but states may have passed before it.
        let kept = self.commit(served.name);
        let told = told?;
        kept?;
        Ok(told)
    }

    /// Keeps what has changed, and tells of it.
    fn commit(&mut self, why: &str) -> Result<(), ApiError> {
        let changes = self.registry.take_changed();
        let kept = self
            .registry
            .rows(&changes)
            .and_then(|rows| self.store.save(&rows));
        if let Err(error) = kept {
            self.registry.restore(changes);
            tracing::error!(%error, "the control plane's records are not kept");
            return Err(ApiError::service(&format!(
                "failed to keep the change: {error:#}"
            )));
        }
        self.untidy |= !(changes.functions.is_empty() && changes.layers.is_empty());
        self.note_retired(&changes);
        let names: Vec<FunctionName> = changes.functions.into_keys().collect();
        self.tell(&names, why)
    }

    /// Makes router and executor what the records want them to be; `why` is who wants it, for the journal.
    fn tell(&mut self, names: &[FunctionName], why: &str) -> Result<(), ApiError> {
        for name in names {
            let before = self.told.remove(name);
            match self.registry.functions.contains_key(name) {
                true => self.tell_of(name, before, why)?,
                false => self.tell_of_end(name, before, why)?,
            }
        }
        Ok(())
    }

    fn tell_of_end(
        &mut self,
        name: &FunctionName,
        before: Option<Desired>,
        why: &str,
    ) -> Result<(), ApiError> {
        self.shared.directory.forget(name);
        let Some(before) = before else { return Ok(()) };
        let told = self.configure(name, None, format!("deleted by {why}"));
        for (version, (spec, _)) in before.specs {
            self.functions.remove(&of(name, version));
            self.reload.unwatch(&spec.code, &self.functions);
        }
        told
    }

    fn tell_of(&mut self, name: &FunctionName, before: Option<Desired>, why: &str) -> Result<(), ApiError> {
        let Some(record) = self.registry.functions.get(name) else {
            return Ok(());
        };
        let desired = desired::of(record, &self.shared.code);
        let known = before.as_ref();
        let mut failed = desired.problems.clone();
        for (version, (spec, generation)) in &desired.specs {
            let told = known.and_then(|known| known.specs.get(version));
            if told.is_some_and(|(_, told)| told == generation) || failed.contains_key(version) {
                continue;
            }
            if let Err(error) = self.functions.define(spec.clone()) {
                failed.insert(*version, error.to_string());
            }
            if let Some((old, _)) = told.filter(|(old, _)| old.code != spec.code) {
                self.reload.unwatch(&old.code, &self.functions);
            }
            let folder = record
                .version(&version.to_string())
                .map(|revision| &revision.code);
            if let Some(Code::Folder(folder)) = folder
                && let Err(error) = self.reload.watch(folder)
            {
                tracing::warn!(%error, folder = %folder.display(), "code is not watched: UpdateFunctionCode takes a change of it over");
            }
        }
        let told = match known.map(|known| &known.settings) == Some(&desired.settings) {
            true => Ok(()),
            false => {
                let what = match known {
                    None if why == KEPT => KEPT.to_owned(),
                    Some(_) if why == KEPT => "as an earlier run has left it".to_owned(),
                    None => format!("made by {why}"),
                    Some(_) => format!("changed by {why}"),
                };
                self.configure(name, Some(desired.settings.clone()), what)
            }
        };
        self.provision(name, known, &desired);
        for version in known.into_iter().flat_map(|known| known.specs.keys()) {
            if !desired.specs.contains_key(version) {
                self.functions.remove(&of(name, *version));
            }
        }
        if let Some(record) = self.registry.functions.get_mut(name) {
            failed
                .into_iter()
                .for_each(|(version, why)| record.fail(version, why));
            self.shared.directory.note(record);
        }
        self.told.insert(name.clone(), desired);
        told
    }

    /// Asks for environments where they were asked for since, be it for as many as before: it is how one tries again.
    fn provision(&self, name: &FunctionName, known: Option<&Desired>, desired: &Desired) {
        let before = known.map(|known| &known.provisioned);
        let asked = before.into_iter().chain([&desired.provisioned]);
        let versions: BTreeSet<&Version> = asked.flat_map(BTreeMap::keys).collect();
        let units = desired.settings.provisioned();
        for version in versions {
            if before.and_then(|before| before.get(version)) != desired.provisioned.get(version) {
                let wanted = units.get(version).copied().unwrap_or(0);
                self.functions.provision(&of(name, *version), wanted);
            }
        }
    }

    fn configure(
        &self,
        function: &FunctionName,
        settings: Option<Function>,
        what: String,
    ) -> Result<(), ApiError> {
        let (function, settings) = (function.clone(), settings.map(Box::new));
        match self.entrance.send(Fabric::Configured {
            function,
            settings,
            what,
        }) {
            true => Ok(()),
            false => Err(ApiError::unavailable(
                "triggerfish is stopping: the change is kept, and holds from the next start on",
            )),
        }
    }

    /// A version that could not be run is defined once more: its folder, or an interpreter, may be there by now.
    fn mend(&mut self, name: &FunctionName) {
        let Some(record) = self.registry.functions.get_mut(name) else {
            return;
        };
        let desired = desired::of(record, &self.shared.code);
        for (version, (spec, _)) in &desired.specs {
            let fit = record.is_failed(*version) && !desired.problems.contains_key(version);
            if fit && self.functions.define(spec.clone()).is_ok() {
                record.mended(*version);
            }
        }
        self.shared.directory.note(record);
        if let Some(told) = self.told.get_mut(name) {
            told.specs = desired.specs;
        }
    }

    fn code_of(&self, what: &str) -> Option<Code> {
        let (name, version) = what.split_once('/')?;
        if let Some(layer) = name.strip_prefix("layer:") {
            let found = self.registry.layer_version(layer, version.parse().ok()?)?;
            return Some(Code::Package(found.package.clone()));
        }
        Some(self.registry.get(name)?.version(version)?.code.clone())
    }

    fn note_retired(&mut self, changes: &Changes) {
        for before in changes.functions.values().flatten() {
            self.retired
                .extend(before.revisions().flat_map(|(_, revision)| revision.packages()));
        }
    }

    /// Removes packages that nothing names and nothing runs; answers whether there is nothing more to do.
    fn sweep(&mut self) -> bool {
        // What is being brought is named by no record yet.
        let Ok(_nobody_brings) = self.shared.bringing.try_write() else {
            return false;
        };
        let (code, running) = (&self.shared.code, self.functions.folders());
        self.retired
            .retain(|package| running.contains(&code.folder(package)));
        let mut used = self.registry.packages();
        used.extend(self.retired.iter().cloned());
        let lists = self.registry.layer_lists();
        let merged = lists.iter().filter_map(|list| code.opt(list).ok().flatten());
        let merged = merged.chain(running.iter().cloned()).collect();
        if let Err(error) = code.keep_only(&used, &merged) {
            tracing::warn!(%error, "packages that nothing uses are not removed");
        }
        self.retired.is_empty()
    }
}

fn of(function: &FunctionName, version: Version) -> FunctionVersion {
    FunctionVersion {
        function: function.clone(),
        version,
    }
}
