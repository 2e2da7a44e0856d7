//! The things an actor waits for, one at a time, and the clocks it reads.
//!
//! Each wait may be given up and begun anew at any moment. Deliberately absent: which of them matters when.

use std::path::Path;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::environment::Exit;
use crate::process::exit_of;
use crate::runtime_api::Handout;

pub(super) fn real_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Why a program did not start: in the texts of Go, which is what AWS shows; or that `code`, where it was to start, is gone,
/// which cannot happen on AWS.
pub(super) fn unstartable(program: &Path, code: &Path, error: &std::io::Error) -> String {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    if !code.is_dir() {
        return format!(
            "the folder of the function's code is gone: {}; put it back, or give the function other code",
            code.display()
        );
    }
    let text = match (error.kind(), error.raw_os_error()) {
        (NotFound, _) => "no such file or directory".to_owned(),
        (PermissionDenied, _) => "permission denied".to_owned(),
        (_, Some(libc::ENOEXEC)) => "exec format error".to_owned(),
        _ => error.to_string(),
    };
    format!("fork/exec {}: {text}", program.display())
}

/// Far away rather than an overflow.
pub(super) fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration)
        .unwrap_or_else(|| now + Duration::from_secs(86_400 * 365))
}

pub(super) async fn exited(child: &mut Option<Child>) -> Exit {
    match child {
        Some(child) => child.wait().await.map_or(Exit::Signal(9), exit_of),
        None => std::future::pending().await,
    }
}

pub(super) async fn dropped(parked: &mut Option<oneshot::Sender<Handout>>) {
    match parked {
        Some(sender) => sender.closed().await,
        None => std::future::pending().await,
    }
}

/// Lets the tasks that are ready now go first.
pub(super) async fn after_the_others() {
    let mut asked = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
