//! Raw system calls for rooms and limits; each may be used between fork and exec: none allocates.
//!
//! Owns the unsafe code of the sandbox. Deliberately absent: which calls are made, and in which order.

#![expect(
    unsafe_code,
    reason = "namespaces and mounts are system calls that std and the C library do not wrap"
)]

use std::ffi::{CStr, c_int, c_long, c_ulong};
use std::os::fd::RawFd;

use super::room::Door;

/// The error of a call that answered less than zero.
pub fn call(result: c_long) -> std::io::Result<c_long> {
    if result < 0 {
        return Err(std::io::Error::last_os_error());
    }
    Ok(result)
}

pub fn unshare(flags: c_int) -> c_long {
    // SAFETY: takes a number; the process is a forked child with one thread.
    c_long::from(unsafe { libc::unshare(flags) })
}

pub fn set_namespace(fd: RawFd, kind: c_int) -> c_long {
    // SAFETY: takes numbers.
    c_long::from(unsafe { libc::setns(fd, kind) })
}

/// Enters the mount namespace that the process is in.
pub fn enter_again() -> std::io::Result<()> {
    // SAFETY: the path is a string that ends with NUL; the descriptor ends with the process.
    let fd = unsafe { libc::open(c"/proc/self/ns/mnt".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    call(set_namespace(fd, libc::CLONE_NEWNS)).map(drop)
}

pub fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: c_ulong,
    options: Option<&CStr>,
) -> std::io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: every pointer is null or a string that ends with NUL and outlives the call.
    let result = unsafe {
        libc::mount(
            pointer(source),
            target.as_ptr(),
            pointer(kind),
            flags,
            pointer(options).cast(),
        )
    };
    call(c_long::from(result)).map(drop)
}

/// A copy of the mounts at `path`, not attached to anything.
pub fn open_tree(path: &CStr) -> std::io::Result<RawFd> {
    const CLONE: c_int = 1;
    let flags = CLONE | libc::O_CLOEXEC | libc::AT_RECURSIVE;
    // SAFETY: the path is a string that ends with NUL.
    let fd = call(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })?;
    Ok(RawFd::try_from(fd).unwrap_or(-1))
}

/// Makes a tree that is not attached read-only, and leaves all else of it as it is.
pub fn make_read_only(tree: RawFd) -> std::io::Result<()> {
    /// `struct mount_attr` of the kernel.
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user: u64,
    }
    const READ_ONLY: u64 = 1;
    let attributes = Attributes {
        set: READ_ONLY,
        clear: 0,
        propagation: 0,
        user: 0,
    };
    // SAFETY: the path ends with NUL; the structure has the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    call(result).map(drop)
}

pub fn move_mount(tree: RawFd, path: &CStr) -> std::io::Result<()> {
    const FROM_EMPTY_PATH: c_int = 4;
    // SAFETY: both paths are strings that end with NUL.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree,
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            FROM_EMPTY_PATH,
        )
    };
    call(result).map(drop)
}

/// Makes what a mount can be put onto, if it is not there.
pub fn make(path: &CStr, directory: bool) -> std::io::Result<()> {
    // SAFETY: the path is a string that ends with NUL; the descriptor is closed once.
    let result = unsafe {
        if directory {
            libc::mkdir(path.as_ptr(), 0o755)
        } else {
            libc::close(libc::open(path.as_ptr(), libc::O_CREAT | libc::O_CLOEXEC, 0o600))
        }
    };
    match call(c_long::from(result)) {
        Err(error) if error.raw_os_error() != Some(libc::EEXIST) => Err(error),
        _ => Ok(()),
    }
}

pub fn go_to(directory: &CStr) -> std::io::Result<()> {
    // SAFETY: the path is a string that ends with NUL.
    call(c_long::from(unsafe { libc::chdir(directory.as_ptr()) })).map(drop)
}

/// Writes a file of `/proc` in one call, as these files want it.
pub fn write_once(file: &CStr, text: &[u8]) -> std::io::Result<()> {
    // SAFETY: the path ends with NUL, the buffer has the length given, the descriptor is closed once.
    let result = unsafe {
        let fd = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        let result = libc::write(fd, text.as_ptr().cast(), text.len());
        libc::close(fd);
        result
    };
    call(c_long::try_from(result).unwrap_or(-1)).map(drop)
}

/// Runs `child` in a forked process and gives its exit status; `child` must not allocate.
pub fn forked(child: impl FnOnce() -> c_int) -> std::io::Result<c_int> {
    // SAFETY: the child makes system calls only and ends with _exit; the parent waits for it.
    unsafe {
        let pid = libc::fork();
        match pid {
            0 => libc::_exit(child()),
            -1 => Err(std::io::Error::last_os_error()),
            _ => {
                let mut status = 0;
                while libc::waitpid(pid, &raw mut status, 0) < 0 {
                    let error = std::io::Error::last_os_error();
                    if error.kind() != std::io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                Ok(libc::WEXITSTATUS(status))
            }
        }
    }
}

/// Adds to what a command does between fork and exec: it enters the control group and the room, takes on
/// Lambda's limits, and dies when we do.
pub fn at_start(command: &mut tokio::process::Command, cgroup: Option<RawFd>, mut door: Option<Door>) {
    let parent = std::process::id();
    // SAFETY: the closure runs in the forked child and makes system calls only; it allocates nothing unless it
    // fails, and then only an error without heap data.
    unsafe {
        command.pre_exec(move || {
            if let Some(fd) = cgroup {
                call(c_long::try_from(libc::write(fd, c"0".as_ptr().cast(), 1)).unwrap_or(-1))?;
            }
            if let Some(door) = &mut door {
                door.enter()?;
            }
            limit(libc::RLIMIT_NOFILE, 1024);
            limit(libc::RLIMIT_MEMLOCK, 64 * 1024);
            limit(libc::RLIMIT_CORE, 0);
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            // The parent may have died before the call above.
            if u32::try_from(libc::getppid()).ok() != Some(parent) {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
            // What our caller left open is not the handler's; an old kernel without the call leaves it.
            libc::syscall(
                libc::SYS_close_range,
                3,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            );
            Ok(())
        });
    }
}

/// Lowers a limit, soft and hard; a machine that allows less keeps it.
fn limit(what: libc::__rlimit_resource_t, most: libc::rlim_t) {
    // SAFETY: both calls get a pointer to a valid structure.
    unsafe {
        let mut now: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(what, &raw mut now) == 0 {
            now.rlim_max = now.rlim_max.min(most);
            now.rlim_cur = now.rlim_max;
            libc::setrlimit(what, &raw const now);
        }
    }
}
