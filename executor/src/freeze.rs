//! Stops and continues an execution environment between invocations (spec/lambda §3.1, Freeze).
//!
//! Owns the signals, and the reaping of what a kill leaves. A frozen process cannot act while virtual time leaps. Deliberately absent: cgroups;
//! children that left the process group are not frozen.

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Stops every process of the group.
pub fn freeze(group: Pid) {
    signal(group, Signal::SIGSTOP);
}

/// Continues every process of the group.
pub fn thaw(group: Pid) {
    signal(group, Signal::SIGCONT);
}

/// Kills every process of the group; works on frozen ones too.
pub fn kill(group: Pid) {
    signal(group, Signal::SIGKILL);
}

/// Reaps what has died of a killed group whose leader was waited for; whether nothing is left of it. Never waits.
pub fn reaped(group: Pid) -> bool {
    let any = Pid::from_raw(-group.as_raw());
    loop {
        match waitpid(any, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return false,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return true,
        }
    }
}

/// An error means that the group is gone already, which is what a kill wants and what `wait` will report.
fn signal(group: Pid, signal: Signal) {
    if let Err(error) = killpg(group, signal) {
        tracing::trace!(group = group.as_raw(), %signal, %error, "no process group to signal");
    }
}
