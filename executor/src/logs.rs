//! What a handler writes: from bytes in a pipe to lines of an invocation.
//!
//! Owns framing. Bytes the handler wrote before its response are in the pipe when the response arrives, so the
//! pipe is drained at that moment and nothing is guessed. Deliberately absent: START, END and REPORT
//! ([`report`](crate::report)); and JSON, which the runtime's client writes itself.

use std::fs::File;
use std::io::{ErrorKind, Read};

/// A longer line is split (spec/lambda §6).
const LINE_LIMIT: usize = 256 * 1024;
/// More output of one invocation is dropped, with a line that says so.
const INVOCATION_LIMIT: usize = 16 * 1024 * 1024;
/// How many lines may wait in a tap; it is taken at every read.
const TAP_LIMIT: usize = 100_000;
/// A pipe holds less than this; whoever writes more meanwhile is not waited for.
const DRAIN_LIMIT: usize = 2 * 1024 * 1024;
/// What one read of the pipe may bring.
const BUFFER: usize = 16 * 1024;
/// What `LogType=Tail` shows.
const TAIL: usize = 4096;

/// Whether more may come out of a pipe now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drained {
    /// It is empty for the moment.
    Empty,
    /// There may be more.
    More,
    /// Every writer is gone.
    Closed,
}

/// Reads what is in the pipe now, and never waits.
pub fn drain(pipe: &File, log: &mut Log) -> Drained {
    let mut buffer = std::mem::take(&mut log.buffer);
    buffer.resize(BUFFER, 0);
    let drained = drain_with(&mut buffer, pipe, log);
    log.buffer = buffer;
    drained
}

fn drain_with(buffer: &mut [u8], mut pipe: &File, log: &mut Log) -> Drained {
    let mut total = 0;
    while total < DRAIN_LIMIT {
        match pipe.read(buffer) {
            Ok(0) => return Drained::Closed,
            Ok(n) => {
                log.push(&buffer[..n]);
                total += n;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Drained::Empty,
            Err(error) => {
                tracing::debug!(%error, "failed to read a handler's output");
                return Drained::Closed;
            }
        }
    }
    Drained::More
}

/// The output of the invocation that runs, or of what comes before one.
#[derive(Debug, Default)]
pub struct Log {
    /// Where the pipe is read to; kept, because it is read at every answer.
    buffer: Vec<u8>,
    partial: Vec<u8>,
    lines: Vec<String>,
    tail: Vec<u8>,
    total: usize,
    /// What was written since it was taken, where somebody else wants to know.
    tap: Option<Vec<String>>,
}

impl Log {
    /// Takes bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.partial
                .extend_from_slice(piece.strip_suffix(b"\n").unwrap_or(piece));
            while self.partial.len() > LINE_LIMIT {
                let rest = self.partial.split_off(LINE_LIMIT);
                let line = std::mem::replace(&mut self.partial, rest);
                self.line(line);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                self.line(line);
            }
        }
    }

    /// From now on, lines that are pushed can also be taken from the tap.
    pub fn open_tap(&mut self) {
        self.tap.get_or_insert_default();
    }

    /// Nobody wants to know any more.
    pub fn close_tap(&mut self) {
        self.tap = None;
    }

    /// The lines that were pushed since the last call.
    pub fn take_tap(&mut self) -> Vec<String> {
        self.tap.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes a line of somebody else, between those that are being written.
    pub fn insert(&mut self, line: String) {
        self.keep(line.into_bytes());
    }

    /// Ends a line that has no end yet.
    pub fn flush(&mut self) {
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.line(line);
        }
    }

    /// The lines since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// The end of the invocation's output, and a fresh start for the next one.
    pub fn take_tail(&mut self) -> Vec<u8> {
        self.total = 0;
        std::mem::take(&mut self.tail)
    }

    fn line(&mut self, mut line: Vec<u8>) {
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if let Some(tap) = self.tap.as_mut().filter(|tap| tap.len() < TAP_LIMIT) {
            tap.push(String::from_utf8_lossy(&line).into_owned());
        }
        self.keep(line);
    }

    fn keep(&mut self, line: Vec<u8>) {
        let before = self.total;
        self.total = self.total.saturating_add(line.len() + 1);
        if self.total > INVOCATION_LIMIT {
            if before <= INVOCATION_LIMIT {
                self.lines
                    .push("[triggerfish] more than 16 MiB of output: the rest is dropped".to_owned());
            }
            return;
        }
        self.tail.extend_from_slice(&line);
        self.tail.push(b'\n');
        if self.tail.len() > 16 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
        self.lines.push(String::from_utf8_lossy(&line).into_owned());
    }
}

/// The last 4096 bytes of a log text.
pub fn last_4k(mut text: Vec<u8>) -> Vec<u8> {
    if text.len() > TAIL {
        text.drain(..text.len() - TAIL);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_the_bytes_arrive() {
        let text = "one\n\ntwo ä\r\nthree".as_bytes();
        for cut in 0..text.len() {
            let mut log = Log::default();
            log.push(&text[..cut]);
            log.push(&text[cut..]);
            log.flush();
            assert_eq!(log.take_lines(), ["one", "", "two ä", "three"], "cut at {cut}");
        }
    }

    #[test]
    fn long_lines_are_split_and_bad_bytes_replaced() {
        let mut log = Log::default();
        log.push(&vec![b'x'; LINE_LIMIT + 5]);
        log.push(b"\n\xff\n");
        let lines = log.take_lines();
        assert_eq!(
            lines.iter().map(String::len).collect::<Vec<_>>(),
            [LINE_LIMIT, 5, 3]
        );
        assert_eq!(lines[2], "\u{fffd}");
    }

    #[test]
    fn a_flood_is_cut_with_one_notice() {
        let mut log = Log::default();
        let block = [vec![b'x'; 1023], vec![b'\n']].concat();
        for _ in 0..17 * 1024 {
            log.push(&block);
        }
        let lines = log.take_lines();
        assert_eq!(lines.len(), 16 * 1024 + 1);
        assert!(lines.last().is_some_and(|l| l.contains("dropped")));
        assert!(log.take_tail().len() <= 16 * TAIL);
        assert!(last_4k(vec![0; 5000]).len() == 4096);
    }
}
