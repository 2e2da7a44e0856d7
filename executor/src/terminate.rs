//! Asks a runtime to end (spec/lambda §3.1, Shutdown), and kills one process of a group.
//!
//! Owns where SIGTERM goes: to the main thread, unless it does not take it. A process that was frozen a moment ago
//! lets whichever thread wakes first take a signal of the process, and interpreters wait for theirs on the main
//! thread only. Deliberately absent: groups ([`sandbox`](crate::sandbox)), and for how long one waits.

use nix::sys::signal::{Signal, kill as signal};
use nix::unistd::Pid;
use tokio::process::Child;

/// Sends SIGTERM to a process that is not reaped yet.
pub fn terminate(child: Option<&Child>) {
    let Some(pid) = pid(child) else { return };
    if blocks_sigterm(pid) {
        send(pid, Signal::SIGTERM);
        return;
    }
    #[expect(unsafe_code, reason = "nix has no tgkill")]
    // SAFETY: the call takes three numbers.
    unsafe {
        libc::syscall(libc::SYS_tgkill, pid.as_raw(), pid.as_raw(), libc::SIGTERM);
    }
}

/// Kills a process that is not reaped yet, and nobody else of its group.
pub fn kill(child: Option<&Child>) {
    if let Some(pid) = pid(child) {
        send(pid, Signal::SIGKILL);
    }
}

fn pid(child: Option<&Child>) -> Option<Pid> {
    let id = child.and_then(Child::id)?;
    i32::try_from(id).ok().map(Pid::from_raw)
}

fn send(pid: Pid, what: Signal) {
    if let Err(error) = signal(pid, what) {
        tracing::debug!(pid = pid.as_raw(), signal = %what, %error, "a process ended before its signal");
    }
}

/// Whether the main thread leaves SIGTERM to another.
fn blocks_sigterm(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Where there is no such file, there is no such call either.
    mask.is_none_or(|mask| mask & (1 << (libc::SIGTERM - 1)) != 0)
}
