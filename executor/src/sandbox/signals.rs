//! Stops and continues an execution environment between invocations (spec/lambda §3.1, Freeze).
//!
//! Owns the signals, and the reaping of what a kill leaves. A frozen process cannot act while virtual time leaps.
//! Deliberately absent: children that left the process group, which only a control group freezes too.

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

/// Reaps what has died of a killed group whose leader was waited for. Never waits.
pub fn reap(group: Pid) {
    let any = Pid::from_raw(-group.as_raw());
    loop {
        match waitpid(any, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Whether a killed process is gone, also from the table of processes. Reaps it, if it has fallen to us.
pub fn is_gone(pid: Pid) -> bool {
    match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => false,
        Ok(_) => true,
        // Its parent, which dies too, has not left it to us yet, or has reaped it.
        Err(_) => !std::path::Path::new("/proc").join(pid.to_string()).exists(),
    }
}

/// An error means that the group is gone already, which is what a kill wants and what `wait` will report.
fn signal(group: Pid, signal: Signal) {
    if let Err(error) = killpg(group, signal) {
        tracing::trace!(group = group.as_raw(), %signal, %error, "no process group to signal");
    }
}
