//! The control plane as the front sees it: operations go in, answers come out.
//!
//! ```text
//!   run ─► keeper (a thread): registry says ─► wants code? ─► bring it, ask again
//!                                           └► changed? keep ─► tell executor, then router ─► answer
//! ```
//!
//! Owns the way to the [keeper](super::keeper), whose thread does what may take a while: nobody who only calls a function
//! waits for it, and a caller who goes away takes nothing of an operation with him. Deliberately absent: what operations
//! mean ([`super::registry`]), and HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_channel::Sender;
use router::arrivals::Refused;
use router::name::FunctionName;
use router::router::Input as Fabric;
use scenarios::api::error::ApiError;
use scenarios::hands::Entrance;
use tokio::sync::{RwLock, oneshot};

use super::bring::bring;
use super::directory::Directory;
use super::keeper::Job;
use super::model::Input;
use super::registry::code::Code;
use super::registry::served::Served;
use super::registry::{Place, Told};
use super::world::World;
use crate::front::code::CodeStore;

/// The control plane; all clones are the same one.
#[derive(Clone)]
pub struct Plane {
    shared: Arc<Shared>,
    jobs: Sender<Job>,
}

/// What the front and the keeper both look at.
pub struct Shared {
    /// Where the fabric believes to be.
    pub place: Place,
    /// Packages of code.
    pub code: Arc<CodeStore>,
    /// What invocations have to know of functions.
    pub directory: Directory,
    /// What lies around the fabric.
    pub world: World,
    /// Read by operations that code is brought for, which no record names yet; written by who removes code.
    pub bringing: Arc<RwLock<()>>,
}

impl std::ops::Deref for Plane {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Plane {
    /// The front of a keeper that hears of `jobs`.
    pub fn new(shared: Arc<Shared>, jobs: Sender<Job>) -> Self {
        Plane { shared, jobs }
    }

    /// Carries an operation out.
    ///
    /// # Errors
    /// The error to answer with.
    pub async fn run(&self, served: &'static Served, input: Input) -> Result<Told, ApiError> {
        let (input, mut brought) = (Arc::new(input), BTreeMap::new());
        let mut uploading = None;
        loop {
            let (tell, told) = oneshot::channel();
            let (input_too, brought_too) = (Arc::clone(&input), brought.clone());
            let job = Job::Run {
                served,
                input: input_too,
                brought: brought_too,
                tell,
            };
            let told = self.ask(job, told).await??;
            let Told::Wants(wanted) = told else {
                return Ok(told);
            };
            if brought.contains_key(&wanted) {
                return Err(ApiError::service("an operation asked twice for the same code"));
            }
            if uploading.is_none() {
                uploading = Some(Arc::clone(&self.bringing).read_owned().await);
            }
            let code = Arc::clone(&self.code);
            let what = bring(wanted.clone(), Arc::clone(&input), &self.world, code).await?;
            brought.insert(wanted, what);
        }
    }

    /// The code at a URL: `<function>/<version>`, or `layer:<layer>/<version>`.
    pub async fn code_of(&self, what: &str) -> Option<Code> {
        let (tell, told) = oneshot::channel();
        self.ask(
            Job::CodeOf {
                what: what.to_owned(),
                tell,
            },
            told,
        )
        .await
        .ok()?
    }

    /// Tries once more what could not be run, as a folder may be back.
    pub async fn mend(&self, function: &FunctionName) {
        let (tell, told) = oneshot::channel();
        let _ = self
            .ask(
                Job::Mend {
                    function: function.clone(),
                    tell,
                },
                told,
            )
            .await;
    }

    async fn ask<T>(&self, job: Job, told: oneshot::Receiver<T>) -> Result<T, ApiError> {
        let gone = || ApiError::unavailable("triggerfish is stopping and takes no more calls");
        self.jobs.send(job).map_err(|_| gone())?;
        told.await.map_err(|_| gone())
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
