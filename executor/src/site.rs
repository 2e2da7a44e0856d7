//! What all environments of a function share, what they are given to do, and what they have to tell.
//!
//! Owns the words between the executor's face and its actors. Deliberately absent: doing any of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use router::event::{AttemptId, Invocation, Outcome};
use router::name::{FunctionVersion, Name, Seed};
use router::time::Timestamp;

use crate::audience::Audience;
use crate::credentials::Credentials;
use crate::environment::Ending;
use crate::function::{FunctionSpec, Injury, Pace};
use crate::opt::Opt;
use crate::pool::Number;
use crate::reactor::Doorbell;

/// What an environment has to tell the fabric's thread; give it to [`Executor::hear`](crate::Executor::hear).
#[derive(Debug)]
pub struct News(pub(crate) Box<Told>);

#[derive(Debug)]
pub(crate) struct Told {
    pub function: FunctionVersion,
    /// Which of its environments; 0 for none.
    pub number: Number,
    pub what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// Lines of an attempt, or of an environment that is made ready for nobody yet.
    Lines(Name, Vec<String>),
    Finished(Done),
    /// What was measured of an attempt whose end was told before.
    Measured(Name, Figures),
    Ready,
    /// A provisioned environment broke, or could not be made ready.
    Lost,
    /// The function's code is another than its environments run.
    Outdated,
    /// The function was defined anew, provisioned or removed.
    Defined,
}

/// Figures of an attempt that only this machine has: `wall_ms`, `init_ms`, `pid`, `max_rss_mb`, `unfinished`,
/// `streamed_bytes`.
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

/// What all environments of one version of a function share.
#[derive(Debug)]
pub(crate) struct Site {
    pub spec: FunctionSpec,
    pub program: PathBuf,
    pub opt: Option<Opt>,
    pub scratch: PathBuf,
    pub pace: Pace,
    pub region: String,
    pub account: String,
    pub seed: Seed,
    pub init_timeout: Duration,
    pub provisioned_init_timeout: Duration,
    pub patience: u32,
    pub endpoint: Option<String>,
    pub credentials: Credentials,
    pub voice: Voice,
}

impl Site {
    pub fn environment(&self, number: Number) -> Name {
        self.spec.function_version().environment(number)
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

/// One attempt for an environment.
#[derive(Debug)]
pub(crate) struct Job {
    pub invocation: Invocation,
    pub injury: Option<Injury>,
    /// Who wants the response as it comes, until the runtime begins to give it.
    pub audience: Option<Audience>,
    pub now: Timestamp,
}

impl Job {
    /// Its end, where no process had a part in it.
    pub fn unrun(&self, outcome: Outcome) -> Done {
        Done {
            attempt: self.invocation.attempt,
            name: self.invocation.name.clone(),
            outcome,
            cold: false,
            figures: None,
            lines: Vec::new(),
        }
    }
}

/// Tells an outcome that no process had a part in.
pub(crate) fn refuse(site: &Arc<Site>, number: Number, job: &Job, why: &str) {
    deny(site, number, job, why);
    tell(site, number, What::Ready);
}

/// As [`refuse`], for an environment that runs another attempt and will say itself when it can take one.
pub(crate) fn deny(site: &Arc<Site>, number: Number, job: &Job, why: &str) {
    let done = job.unrun(Outcome::system(why));
    tell(site, number, What::Finished(done));
}

/// Tells what an environment has to tell.
pub(crate) fn tell(site: &Site, number: Number, what: What) {
    site.voice.tell(site.spec.function_version(), number, what);
}

/// The way to the fabric's thread.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    pub news: crossbeam_channel::Sender<News>,
    pub doorbell: Doorbell,
}

impl Voice {
    /// A closed channel means that nobody wants to know any more.
    pub fn tell(&self, function: FunctionVersion, number: Number, what: What) {
        let _ = self.news.send(News(Box::new(Told {
            function,
            number,
            what,
        })));
        self.doorbell.ring();
    }
}
