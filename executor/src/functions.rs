//! The functions that an executor can run, as any thread may change them.
//!
//! Owns the sites by function and version. A change holds from the next invocation on: it gets a new environment, while
//! running ones finish on what they began with and idle ones end (spec/lambda §3.1, Recycling). Deliberately absent:
//! environments; the executor's thread hears that something was defined, and looks here again before each invocation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use router::event::{Failure, Outcome};
use router::name::FunctionVersion;
use router::settings::function_arn;

use crate::check::{Found, Look, StartError, look};
use crate::executor::Options;
use crate::function::FunctionSpec;
use crate::opt::Opt;
use crate::site::{Job, Site, Voice, What};

/// The functions of an executor; all clones are the same ones.
#[derive(Clone, Debug)]
pub struct Functions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sites: Mutex<BTreeMap<FunctionVersion, Arc<Site>>>,
    /// Every site that was ever defined and may still be run.
    alive: Mutex<Vec<Weak<Site>>>,
    provisioned: Mutex<BTreeMap<FunctionVersion, Provisioned>>,
    options: Options,
    voice: Voice,
}

/// Where the code of a function lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Code {
    /// Whose.
    pub function: FunctionVersion,
    /// The folder.
    pub folder: PathBuf,
    /// The program that runs it.
    pub program: PathBuf,
}

/// Environments of a function's version that are kept ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Provisioned {
    /// How many are wanted.
    pub requested: u32,
    /// How many are ready, or run an invocation.
    pub available: u32,
    /// One could not be made ready: no further one is tried until it is asked for anew.
    pub failed: bool,
}

impl Functions {
    /// No functions yet.
    pub(crate) fn none(options: Options, voice: Voice) -> Self {
        Functions(Arc::new(Shared {
            sites: Mutex::default(),
            alive: Mutex::default(),
            provisioned: Mutex::default(),
            options,
            voice,
        }))
    }

    /// Adds a function's version, or replaces it: the next invocation is cold and runs this one. Does not wait for
    /// what runs. What an invocation can fail of is not looked at: a handler that is not there, a `bootstrap` that is
    /// not one.
    ///
    /// # Errors
    /// There is no such folder, or nothing on this machine that runs its runtime.
    pub fn define(&self, spec: FunctionSpec) -> Result<(), StartError> {
        let function = spec.function_version();
        self.add(spec, Look::Lenient)?;
        self.0.voice.tell(function, 0, What::Defined);
        Ok(())
    }

    /// Keeps so many environments of a function's version ready, from 0; they are started now, used before others and
    /// do not expire, and one that breaks is replaced. What an init prints stands in the journal under the
    /// environment's name. Meant for live pace: when they are ready depends on the machine.
    pub fn provision(&self, function: &FunctionVersion, requested: u32) {
        let mut all = self.all_provisioned();
        match requested {
            0 => drop(all.remove(function)),
            _ => {
                let one = all.entry(function.clone()).or_default();
                (one.requested, one.failed) = (requested, false);
            }
        }
        drop(all);
        self.0.voice.tell(function.clone(), 0, What::Defined);
    }

    /// How far that is; of a version that nobody asked it for, nothing.
    pub fn provisioned(&self, function: &FunctionVersion) -> Provisioned {
        self.all_provisioned().get(function).copied().unwrap_or_default()
    }

    /// Removes a function's version, if it is there, with what is provisioned of it. What runs finishes.
    pub fn remove(&self, function: &FunctionVersion) {
        self.all_provisioned().remove(function);
        if self.sites().remove(function).is_some() {
            self.0.voice.tell(function.clone(), 0, What::Defined);
        }
    }

    /// All of them.
    pub fn specs(&self) -> Vec<FunctionSpec> {
        self.sites().values().map(|site| site.spec.clone()).collect()
    }

    /// The folders of code and of layers that environments run, or may: also of functions that were removed or replaced,
    /// until the last of their environments is gone.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let mut alive = self.0.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.retain(|site| site.strong_count() > 0);
        let sites = alive.iter().filter_map(Weak::upgrade);
        let folders = sites.flat_map(|site| [Some(site.spec.code.clone()), site.spec.opt.clone()]);
        folders.flatten().collect()
    }

    /// Where the code of each lies.
    pub fn code(&self) -> Vec<Code> {
        let code = |(function, site): (&FunctionVersion, &Arc<Site>)| Code {
            function: function.clone(),
            folder: site.spec.code.clone(),
            program: site.program.clone(),
        };
        self.sites().iter().map(code).collect()
    }

    /// The code of a function is no longer what its environments run: the next invocation gets a new one.
    pub fn tell(&self, function: &FunctionVersion) {
        if self.get(function).is_some() {
            self.0.voice.tell(function.clone(), 0, What::Outdated);
        }
    }

    pub(crate) fn get(&self, function: &FunctionVersion) -> Option<Arc<Site>> {
        self.sites().get(function).cloned()
    }

    pub(crate) fn add(&self, spec: FunctionSpec, how: Look) -> Result<(), StartError> {
        // A shim may be asked for its program: nobody else waits for that.
        let Found { code, program, opt } = look(&spec, how)?;
        let options = &self.0.options;
        let layers = opt.clone();
        let layers = layers.map(|opt| Opt::new(opt, &[&code, &program, &options.scratch]));
        let site = Site {
            spec: FunctionSpec { code, opt, ..spec },
            program,
            opt: layers,
            scratch: options.scratch.clone(),
            pace: options.pace,
            region: options.region.clone(),
            account: options.account.clone(),
            seed: options.seed,
            init_timeout: options.init_timeout,
            provisioned_init_timeout: options.provisioned_init_timeout,
            patience: options.patience,
            endpoint: options.endpoint.clone(),
            credentials: options.credentials.clone(),
            voice: self.0.voice.clone(),
        };
        let site = Arc::new(site);
        let mut alive = self.0.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.retain(|site| site.strong_count() > 0);
        alive.push(Arc::downgrade(&site));
        drop(alive);
        self.sites().insert(site.spec.function_version(), site);
        Ok(())
    }

    /// Tells the end of an attempt whose function was removed after the router had decided to run it.
    pub(crate) fn miss(&self, job: &Job) {
        let event = &job.invocation.event;
        let options = &self.0.options;
        let arn = function_arn(&options.region, &options.account, &event.to);
        let missing = Failure::Missing(format!("{arn}:{}", event.qualifier()));
        let done = job.unrun(Outcome::failed(missing));
        let function = job.invocation.function();
        self.0.voice.tell(function, 0, What::Finished(done));
    }

    /// Notes how many are available, or that one failed.
    pub(crate) fn note(&self, function: &FunctionVersion, note: impl FnOnce(&mut Provisioned)) {
        if let Some(one) = self.all_provisioned().get_mut(function) {
            note(one);
        }
    }

    fn all_provisioned(&self) -> MutexGuard<'_, BTreeMap<FunctionVersion, Provisioned>> {
        self.0.provisioned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sites(&self) -> MutexGuard<'_, BTreeMap<FunctionVersion, Arc<Site>>> {
        // The map is whole after every statement, so a panic elsewhere cannot have broken it.
        self.0.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
