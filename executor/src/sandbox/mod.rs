//! What surrounds the processes of one execution environment: they are stopped, watched and killed together, and
//! have a `/tmp` of their own.
//!
//! ```text
//!                        where the machine offers it      everywhere else
//!   freeze, kill         cgroup v2                        signals to the process group
//!   whose is it?         cgroup v2                        group; then variables, for who left it
//!   /tmp                 mount namespace, tmpfs           a directory in TMPDIR, watched
//!   memory, processes    looked at while a handler runs, by both
//! ```
//!
//! Owns the choice between these, once for each machine, and the processes' end. Deliberately absent: when any of it
//! happens ([`environment`](crate::environment) says) and what a process is started with
//! ([`process`](crate::process)).

mod cgroup;
mod limits;
mod room;
mod signals;
mod strays;
mod sys;
mod usage;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use cgroup::Cgroup;
use room::{Door, Room};
use usage::PeakMeter;

pub use cgroup::clean_up;
pub(crate) use limits::{Excess, PROCESSES};
pub(crate) use room::{OPT, TMP, View, opt_refusal, straight};
pub use strays::children;

/// How long what a killed process leaves may take to die.
const SETTLE: Duration = Duration::from_millis(200);
/// How often what takes long is looked at, where the machine offers nothing better.
const SELDOM: Duration = Duration::from_secs(1);
/// How often the members of a process group are searched among all processes.
const SEARCH: Duration = Duration::from_millis(100);

/// What this machine does not offer, one sentence each; handlers run all the same.
pub fn shortcomings() -> Vec<String> {
    let tmp = room::refusal().map(|why| {
        format!(
            "handlers that write to /tmp itself share the machine's ({why}); TMPDIR is each environment's own"
        )
    });
    let opt = opt_refusal().map(|why| {
        format!("layers are found in directories of their own and not in /opt ({why}): PATH and its like name them")
    });
    tmp.into_iter().chain(opt).collect()
}

/// The surroundings of one environment. They outlive its processes.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// Stands in for `/tmp` where there are no rooms.
    directory: PathBuf,
    /// `/tmp` may hold this many MB.
    storage: u32,
    /// The memory limit in bytes.
    memory: u64,
    cgroup: Option<Cgroup>,
    room: Option<Room>,
    group: Option<Pid>,
    meter: Option<PeakMeter>,
    peak: u64,
    frozen: bool,
    overfull: bool,
    /// When the files in `directory` were counted.
    weighed: Option<Instant>,
    /// When all processes of the machine were looked at for members.
    scanned: Option<Instant>,
    /// Killed, and not known to be gone.
    dead: BTreeSet<Pid>,
}

impl Sandbox {
    /// Empty surroundings; `directory` is this environment's own, and made if it is needed.
    pub fn new(directory: PathBuf, storage: u32, memory: u32) -> std::io::Result<Sandbox> {
        if room::refusal().is_some() {
            std::fs::create_dir_all(&directory)?;
        }
        Ok(Sandbox {
            directory,
            storage,
            memory: u64::from(memory) << 20,
            cgroup: Cgroup::new(),
            room: None,
            group: None,
            meter: None,
            peak: 0,
            frozen: false,
            overfull: false,
            weighed: None,
            scanned: None,
            dead: BTreeSet::new(),
        })
    }

    /// The environment's `/tmp`, as its processes see it.
    pub fn tmp(&self) -> &Path {
        if room::refusal().is_some() {
            &self.directory
        } else {
            Path::new(TMP)
        }
    }

    /// Makes a process start in here, in `code`; of the machine's `/tmp` it sees only `views`, and `opt` as `/opt`.
    pub fn around(
        &self,
        command: &mut Command,
        code: &Path,
        views: Vec<View>,
        opt: Option<&Path>,
    ) -> std::io::Result<()> {
        let door = match (&self.room, room::refusal()) {
            (_, Some(_)) => None,
            (Some(room), None) => Some(Door::into(room, code)?),
            (None, None) => Some(Door::new(self.storage, code, views, opt)?),
        };
        sys::at_start(command, self.cgroup.as_ref().map(Cgroup::entrance), door);
        Ok(())
    }

    /// A process of this group was started in here; the first leads it.
    pub fn entered(&mut self, group: Pid) {
        if self.group.replace(group) == Some(group) {
            return;
        }
        if room::refusal().is_none() && self.room.is_none() {
            self.room = Room::of(group);
        }
        strays::know(group);
        self.peak = 0;
        self.frozen = false;
    }

    /// The group of its processes, while there are any.
    pub fn group(&self) -> Option<Pid> {
        self.group
    }

    /// The process whose memory is looked at after every invocation.
    pub fn measure(&mut self, pid: Pid) {
        self.meter = Some(PeakMeter::new(pid));
    }

    /// Stops everything.
    pub fn freeze(&mut self) {
        let Some(group) = self.group else { return };
        self.frozen = true;
        match &self.cgroup {
            Some(cgroup) => cgroup.freeze(),
            None => signals::freeze(group),
        }
    }

    /// Lets everything go on.
    pub fn thaw(&mut self) {
        let Some(group) = self.group.filter(|_| std::mem::take(&mut self.frozen)) else {
            return;
        };
        match &self.cgroup {
            Some(cgroup) => cgroup.thaw(),
            None => signals::thaw(group),
        }
    }

    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Kills everything, frozen or not.
    pub fn kill(&mut self) {
        self.dead.extend(self.processes());
        match (&self.cgroup, self.group) {
            (Some(cgroup), _) => cgroup.kill(),
            (None, Some(group)) => signals::kill(group),
            (None, None) => {}
        }
    }

    /// The first process was waited for: what else there is dies, and does not stay a zombie. It falls to us, if
    /// we adopt orphans; who has left the group is known by the Runtime API at `api`.
    pub async fn ended(&mut self, api: &str) {
        self.kill();
        if let Some(cgroup) = self.cgroup.as_ref().filter(|_| std::mem::take(&mut self.frozen)) {
            cgroup.thaw();
        }
        // Heard before the look, so that no end falls in between.
        let mut ends = signal(SignalKind::child());
        let first = self.group.take();
        first.into_iter().for_each(strays::forget);
        let (dead, cgroup) = (&mut self.dead, self.cgroup.as_ref());
        // The children of what has died are orphans only then, so one look may not be enough.
        let look = || match cgroup {
            Some(cgroup) => cgroup.processes().into_iter().collect(),
            None => strays::kill(api),
        };
        dead.retain(|pid| Some(*pid) != first);
        dead.extend(look());
        let all = async {
            loop {
                dead.retain(|pid| !signals::is_gone(*pid));
                if dead.is_empty() {
                    dead.extend(look());
                }
                if dead.is_empty() {
                    return first.into_iter().for_each(signals::reap);
                }
                let Ok(ends) = &mut ends else { return };
                ends.recv().await;
            }
        };
        // What takes longer to die is looked at again after the next end.
        let _ = tokio::time::timeout(SETTLE, all).await;
    }

    /// All that run in here.
    fn processes(&self) -> Vec<Pid> {
        match (&self.cgroup, self.group) {
            (Some(cgroup), _) => cgroup.processes(),
            (None, Some(group)) => usage::members(group),
            (None, None) => Vec::new(),
        }
    }

    /// The highest memory so far, in bytes, after a quick look at the first process.
    pub fn peak(&mut self) -> u64 {
        let seen = self.meter.as_ref().and_then(PeakMeter::peak);
        self.peak = self.peak.max(seen.unwrap_or_default());
        self.peak
    }

    /// Whether more memory was used than there is.
    pub fn overran(&self) -> bool {
        self.peak > self.memory
    }

    /// Looks at all processes: when to look again, or which limit they have passed.
    pub fn look(&mut self) -> Result<Duration, Excess> {
        let soon = self.scanned.is_some_and(|at| at.elapsed() < SEARCH);
        let processes = match self.group.filter(|_| self.cgroup.is_none() && soon) {
            Some(first) => vec![first],
            None => {
                self.scanned = Some(Instant::now());
                self.processes()
            }
        };
        let usage = usage::of(&processes, self.memory);
        self.peak = self.peak.max(usage.memory);
        limits::judge(usage, self.memory)
    }

    /// When to look for the first time.
    pub fn first_look(&self) -> Duration {
        limits::next(self.peak, self.memory)
    }

    /// Whether more lies in `/tmp` than it may hold, where nothing but this look tells; said once.
    pub fn is_overfull(&mut self) -> bool {
        let soon = self.weighed.is_some_and(|at| at.elapsed() < SELDOM);
        if room::refusal().is_none() || self.overfull || soon {
            return false;
        }
        self.weighed = Some(Instant::now());
        self.overfull = usage::tree(&self.directory) > u64::from(self.storage) << 20;
        self.overfull
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
