//! What all environments of a function share, what they are given to do, and what they have to tell.
//!
//! Owns the words between the executor's face and its actors. Deliberately absent: doing any of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use router::event::{AttemptId, Invocation, Outcome};
use router::name::{FunctionName, Name, Seed};
use router::time::Timestamp;

use crate::credentials::Credentials;
use crate::environment::Ending;
use crate::function::{FunctionSpec, Injury, Pace};
use crate::pool::Number;
use crate::reactor::Doorbell;

/// What an environment has to tell the fabric's thread; give it to [`Executor::hear`](crate::Executor::hear).
#[derive(Debug)]
pub struct News(pub(crate) Box<Told>);

#[derive(Debug)]
pub(crate) struct Told {
    pub site: Arc<Site>,
    pub number: Number,
    pub what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Lines(AttemptId, Name, Vec<String>),
    Finished(Done),
    /// What was measured of an attempt whose end was told before.
    Measured(Name, Figures),
    Ready,
    /// The function's code is another than its environments run.
    Outdated,
}

/// Figures of an attempt that only this machine has: `wall_ms`, `init_ms`, `pid`, `max_rss_mb`, `unfinished`.
pub(crate) type Figures = BTreeMap<String, String>;

#[derive(Debug)]
pub(crate) struct Done {
    pub attempt: AttemptId,
    pub name: Name,
    pub outcome: Outcome,
    pub cold: bool,
    /// In virtual pace; in live pace they follow, so that nobody waits for them.
    pub figures: Option<Figures>,
    pub lines: Vec<String>,
}

/// What all environments of one function share.
#[derive(Debug)]
pub(crate) struct Site {
    pub spec: FunctionSpec,
    pub program: PathBuf,
    pub scratch: PathBuf,
    pub pace: Pace,
    pub region: String,
    pub account: String,
    pub seed: Seed,
    pub init_timeout: Duration,
    pub patience: u32,
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    pub news: crossbeam_channel::Sender<News>,
    pub doorbell: Doorbell,
}

impl Site {
    pub fn environment(&self, number: Number) -> Name {
        Name::new(format!("env:{}/{number}", self.spec.name))
    }

    pub fn patient_timeout(&self) -> Duration {
        match self.pace {
            Pace::Live => self.spec.timeout,
            Pace::Virtual => self.spec.timeout.saturating_mul(self.patience.max(1)),
        }
    }

    pub fn ending(&self, injury: Option<Injury>) -> Ending {
        match injury {
            Some(Injury::CrashBefore) => Ending::CrashBefore,
            Some(Injury::CrashAfter) => Ending::CrashAfter,
            Some(Injury::Timeout) => Ending::TimeoutAfter,
            None if self.pace == Pace::Virtual && self.spec.duration > self.spec.timeout => {
                Ending::TimeoutAfter
            }
            None => Ending::Honest,
        }
    }
}

/// Tells, from any thread, that functions are no longer what their environments run.
#[derive(Clone, Debug)]
pub struct Changes(pub(crate) BTreeMap<FunctionName, Arc<Site>>);

impl Changes {
    /// The directory and the program of each function.
    pub fn code(&self) -> impl Iterator<Item = (&FunctionName, &Path, &Path)> {
        let parts = |(name, site)| {
            let site: &Arc<Site> = site;
            (name, site.spec.code.as_path(), site.program.as_path())
        };
        self.0.iter().map(parts)
    }

    /// The next invocation of `function` gets a new environment.
    pub fn tell(&self, function: &FunctionName) {
        if let Some(site) = self.0.get(function) {
            tell(site, 0, What::Outdated);
        }
    }
}

/// One attempt for an environment.
#[derive(Debug)]
pub(crate) struct Job {
    pub invocation: Invocation,
    pub injury: Option<Injury>,
    pub now: Timestamp,
}

/// Tells an outcome that no process had a part in.
pub(crate) fn refuse(site: &Arc<Site>, number: Number, job: &Job, why: &str) {
    deny(site, number, job, why);
    tell(site, number, What::Ready);
}

/// As [`refuse`], for an environment that runs another attempt and will say itself when it can take one.
pub(crate) fn deny(site: &Arc<Site>, number: Number, job: &Job, why: &str) {
    let done = Done {
        attempt: job.invocation.attempt,
        name: job.invocation.name.clone(),
        outcome: Outcome::system(why),
        cold: false,
        figures: None,
        lines: Vec::new(),
    };
    tell(site, number, What::Finished(done));
}

/// A closed channel means that nobody wants to know any more.
pub(crate) fn tell(site: &Arc<Site>, number: Number, what: What) {
    let _ = site.news.send(News(Box::new(Told {
        site: site.clone(),
        number,
        what,
    })));
    site.doorbell.ring();
}
