//! Stops and continues an execution environment between invocations (spec/lambda §3.1, Freeze).
//!
//! Owns the two signals. A frozen process cannot act while virtual time leaps. Deliberately absent: cgroups;
//! children that left the process group are not frozen.

use nix::sys::signal::{Signal, killpg};
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

/// An error means that the group is gone already, which is what a kill wants and what `wait` will report.
fn signal(group: Pid, signal: Signal) {
    if let Err(error) = killpg(group, signal) {
        tracing::trace!(group = group.as_raw(), %signal, %error, "no process group to signal");
    }
}
