//! Processes that left the group of an environment that has ended: found by their variables, and killed.
//!
//! Who adopts orphans, as the binary does, becomes the parent of what a handler started in a session of its own.
//! The address of the environment's Runtime API, which no other environment has, tells whose it was. Deliberately
//! absent: who changed its variables too; the binary kills those when it ends.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill as signal};
use nix::unistd::Pid;

/// The first processes of all environments, which are no orphans: looking at each of them for each of them would
/// take a while.
static KNOWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A process that we wait for.
pub fn know(pid: Pid) {
    KNOWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(pid.as_raw());
}

/// A process that was waited for.
pub fn forget(pid: Pid) {
    KNOWN
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&pid.as_raw());
}

/// Kills every orphan of ours whose environment listens at `api`, and says which they were.
pub fn kill(api: &str) -> BTreeSet<Pid> {
    let entry = format!("AWS_LAMBDA_RUNTIME_API={api}");
    let mut killed = BTreeSet::new();
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let others = children().into_iter().filter(|pid| !known.contains(pid));
    for pid in others.map(Pid::from_raw) {
        let Ok(variables) = std::fs::read(format!("/proc/{pid}/environ")) else {
            continue;
        };
        if !variables.split(|b| *b == 0).any(|v| v == entry.as_bytes()) {
            continue;
        }
        // It is our child and not waited for, so the number cannot be another's by now.
        killed.insert(pid);
        if let Err(error) = signal(pid, Signal::SIGKILL) {
            tracing::debug!(pid = pid.as_raw(), %error, "a process that left its group is gone already");
        }
    }
    killed
}

/// The processes whose parent we are; none where there is no `/proc`.
pub fn children() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<i32>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    use std::os::unix::process::{CommandExt, ExitStatusExt};

    #[test]
    fn only_children_of_the_environment_are_killed() {
        let start = |api: &str| {
            let mut command = std::process::Command::new("sleep");
            command
                .arg("600")
                .env("AWS_LAMBDA_RUNTIME_API", api)
                .process_group(0);
            command.spawn().unwrap()
        };
        let (mut ours, mut other) = (start("127.0.0.1:1"), start("127.0.0.1:11"));
        assert_eq!(kill("127.0.0.1:1").len(), 1);
        assert_eq!(ours.wait().unwrap().signal(), Some(9));
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
