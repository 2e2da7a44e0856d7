//! Nothing a handler leaves behind outlives us: processes that left their group are adopted and killed.
//!
//! Linux only; elsewhere process groups are all there is.

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

/// Kills every child that is left, and theirs as they fall to us. A bounded number of rounds, because a
/// process that forks faster than it is killed must not keep us.
pub fn kill() {
    for _ in 0..100 {
        let children = executor::children();
        if children.is_empty() {
            return;
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
}
