//! The extensions of one environment as processes and waiting polls (spec/runtime-api §11).
//!
//! Owns the external extensions' processes and output, each extension's waiting `next`, and the events it is owed
//! because its poll was not there. Without extensions it is two empty lists. Deliberately absent: what anything
//! means; the [registry](crate::extension) and the [environment](crate::environment) say.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::process::Child;
use tokio::sync::oneshot;

use crate::environment::Exit;
use crate::extension::{Denial, Seat};
use crate::logs::Log;
use crate::output::Output;
use crate::process::{Process, exit_of};
use crate::runtime_api::Handout;
use crate::runtime_call::Reply;

/// What an external extension does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrewNews {
    /// Its process is reaped.
    Ended(Seat, Exit),
    /// It wrote something.
    Readable(Seat),
}

/// The external extensions, and the desk of each extension.
#[derive(Debug, Default)]
pub struct Crew {
    members: Vec<Member>,
    desks: Vec<Desk>,
    /// Whose output is looked at first.
    turn: usize,
    /// Their lines of the init were logged.
    pub announced: bool,
}

#[derive(Debug)]
struct Member {
    child: Option<Child>,
    output: Output,
    log: Log,
}

#[derive(Debug, Default)]
struct Desk {
    parked: Option<oneshot::Sender<Handout>>,
    owed: Option<Handout>,
}

impl Crew {
    /// Takes the process of the next seat.
    pub fn enlist(&mut self, process: Process) {
        self.members.push(Member {
            child: Some(process.child),
            output: Output::of(process.output),
            log: Log::default(),
        });
    }

    /// Whether a process of theirs is not reaped yet.
    pub fn is_alive(&self) -> bool {
        self.members.iter().any(|m| m.child.is_some())
    }

    /// The next thing one of them does; never, if there are none.
    pub async fn news(&mut self) -> CrewNews {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<CrewNews> {
        // Ends before output, and every seat has its turn: one may write without end.
        for (seat, member) in self.members.iter_mut().enumerate() {
            if let Poll::Ready(exit) = member.poll_end(context) {
                return Poll::Ready(CrewNews::Ended(seat, exit));
            }
        }
        let seats = self.members.len();
        for seat in (0..seats).map(|n| (self.turn + n) % seats) {
            if self.members[seat].output.poll(context).is_ready() {
                self.turn = seat + 1;
                return Poll::Ready(CrewNews::Readable(seat));
            }
        }
        Poll::Pending
    }

    /// Whether there is more than was read at once.
    pub fn is_undrained(&self) -> bool {
        self.members.iter().any(|member| member.output.is_undrained())
    }

    /// Reads what one has written.
    pub fn drain(&mut self, seat: Seat) {
        if let Some(member) = self.members.get_mut(seat) {
            member.drain();
        }
    }

    /// The lines that are whole, by seat, so that their order does not depend on who ran first.
    pub fn take_lines(&mut self) -> Vec<String> {
        let lines = self.members.iter_mut().map(|member| {
            let lines = member.log.take_lines();
            drop(member.log.take_tail());
            lines
        });
        lines.flatten().collect()
    }

    /// From now on what they write can be tapped.
    pub fn open_taps(&mut self) {
        self.members.iter_mut().for_each(|member| member.log.open_tap());
    }

    /// Nobody wants to know any more.
    pub fn close_taps(&mut self) {
        self.members.iter_mut().for_each(|member| member.log.close_tap());
    }

    /// The lines since the last call.
    pub fn take_taps(&mut self) -> Vec<String> {
        self.members
            .iter_mut()
            .flat_map(|member| member.log.take_tap())
            .collect()
    }

    /// All that was written, also the last line of one that has ended.
    pub fn drain_all(&mut self) {
        for member in &mut self.members {
            member.drain();
            if member.child.is_none() {
                member.log.flush();
            }
        }
    }

    /// Takes what is owed.
    pub fn owed(&mut self, seat: Seat) -> Option<Handout> {
        self.desk(seat).owed.take()
    }

    /// Lets a poll wait; one that waited already is refused.
    pub fn wait(&mut self, seat: Seat, name: &str, poll: oneshot::Sender<Handout>) {
        if let Some(old) = self.desk(seat).parked.replace(poll) {
            let denial = Denial::State {
                from: "Ready",
                to: "Ready",
                name: name.to_owned(),
            };
            let _ = old.send(Handout::Refused(Reply::Denied(denial)));
        }
    }

    /// Gives an event to one who waits, or owes it: a poll may have broken off, or not have come yet.
    pub fn deliver(&mut self, seat: Seat, event: Handout) {
        let desk = self.desk(seat);
        desk.owed = match desk.parked.take() {
            Some(poll) => poll.send(event).err(),
            None => Some(event),
        };
    }

    /// The polls of those who wait; the others are owed.
    pub fn deliver_later(
        &mut self,
        events: Vec<(Seat, Handout)>,
    ) -> Vec<(Seat, oneshot::Sender<Handout>, Handout)> {
        let mut later = Vec::new();
        for (seat, event) in events {
            match self.desk(seat).parked.take() {
                Some(poll) => later.push((seat, poll, event)),
                None => self.desk(seat).owed = Some(event),
            }
        }
        later
    }

    fn desk(&mut self, seat: Seat) -> &mut Desk {
        if self.desks.len() <= seat {
            self.desks.resize_with(seat + 1, Desk::default);
        }
        &mut self.desks[seat]
    }
}

impl Member {
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Exit> {
        let Some(child) = &mut self.child else {
            return Poll::Pending;
        };
        let waited = match pin!(child.wait()).poll(context) {
            Poll::Ready(waited) => waited,
            Poll::Pending => return Poll::Pending,
        };
        self.child = None;
        Poll::Ready(waited.map_or(Exit::Signal(9), exit_of))
    }

    fn drain(&mut self) {
        self.output.drain(&mut self.log);
    }
}

/// The external extensions in some code or in the layers: the executable files of its `extensions` folder, by name.
pub fn files(code: &Path) -> Vec<PathBuf> {
    let Ok(folder) = std::fs::read_dir(code.join("extensions")) else {
        return Vec::new();
    };
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let mut files: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).filter(runs).collect();
    files.sort();
    files
}

/// The name an extension registers with.
pub fn name_of(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// An answer for an extension: a JSON body with one header.
pub fn answer(header: &'static str, value: &str, body: String) -> Handout {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.push((HeaderName::from_static(header), value));
    }
    let body = Bytes::from(body);
    Handout::Event { headers, body }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::*;

    fn event(body: &str) -> Handout {
        answer("lambda-extension-event-identifier", "1", body.to_owned())
    }

    fn body(poll: &mut oneshot::Receiver<Handout>) -> Option<Bytes> {
        match poll.try_recv() {
            Ok(Handout::Event { body, .. }) => Some(body),
            _ => None,
        }
    }

    #[test]
    fn an_event_whose_poll_is_gone_is_owed_to_the_next_one() {
        let mut crew = Crew::default();
        let (poll, gone) = oneshot::channel();
        assert!(crew.owed(2).is_none());
        crew.wait(2, "a", poll);
        drop(gone);
        crew.deliver(2, event("1"));
        assert!(crew.owed(2).is_some());
        crew.deliver(2, event("2"));
        assert!(crew.owed(2).is_some(), "also where no poll has come yet");
        let (poll, mut waits) = oneshot::channel();
        crew.wait(2, "a", poll);
        crew.deliver(2, event("3"));
        assert_eq!(body(&mut waits).unwrap(), "3");
        assert!(crew.owed(2).is_none());
    }

    #[test]
    fn only_executable_files_are_extensions_and_they_are_sorted() {
        let code = tempfile::tempdir().unwrap();
        assert!(files(code.path()).is_empty());
        let folder = code.path().join("extensions");
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        for (name, mode) in [("b", 0o755), ("a.py", 0o700), ("readme", 0o644)] {
            std::fs::write(folder.join(name), "").unwrap();
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.join(name), mode).unwrap();
        }
        let names: Vec<String> = files(code.path()).iter().map(|f| name_of(f)).collect();
        assert_eq!(names, ["a.py", "b"]);
    }
}
