//! What this process is to its handlers: it holds their descriptors, adopts their orphans, and lets nothing outlive it.
//!
//! Owns the settings of the process itself. Deliberately absent: one environment's processes, which are the
//! executor's.

/// Makes this process the parent of every orphan among its descendants.
pub fn adopt() {
    #[cfg(target_os = "linux")]
    {
        #[expect(unsafe_code, reason = "std has no prctl")]
        // SAFETY: PR_SET_CHILD_SUBREAPER takes one number and touches no memory.
        unsafe {
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
        }
    }
}

/// Raises the limit of open files to what the system allows: every environment takes a handful of them, and a
/// handler gets AWS's own limit.
pub fn open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Kills every child that is left, and theirs as they fall to us. A bounded number of rounds, because a
/// process that forks faster than it is killed must not keep us.
pub fn kill() {
    for _ in 0..100 {
        let children = executor::children();
        if children.is_empty() {
            break;
        }
        for child in children {
            tracing::warn!(pid = child, "a process that a handler left behind is killed");
            #[expect(unsafe_code, reason = "std cannot signal a process it did not spawn")]
            // SAFETY: both calls take numbers; the status may be null.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, std::ptr::null_mut(), 0);
            }
        }
    }
    executor::clean_up();
}
