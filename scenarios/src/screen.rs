//! Standard output that nobody need read: a thread of its own writes, and what it cannot get rid of is left out.
//!
//! A pipe whose reader has stopped (`up | less`) would stop whoever writes to it, and with the fabric's thread
//! everything. Owns the thread and a bounded queue. Deliberately absent: what is printed.

use std::io::Write;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// Pieces of text that may wait to be written.
const ROOM: usize = 256;
/// How long the last of it may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The writing thread.
#[derive(Debug)]
pub struct Screen {
    pieces: Sender<String>,
    ended: Receiver<()>,
}

/// A way to the screen; never blocks.
#[derive(Debug)]
pub struct Pen {
    pieces: Sender<String>,
    left_out: usize,
}

impl Screen {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start() -> std::io::Result<Screen> {
        let (pieces, written) = bounded::<String>(ROOM);
        let (end, ended) = bounded(1);
        std::thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                for piece in written {
                    let mut out = std::io::stdout().lock();
                    // A closed terminal is no reason to stop.
                    let _ = out.write_all(piece.as_bytes()).and_then(|()| out.flush());
                }
                let _ = end.send(());
            })?;
        Ok(Screen { pieces, ended })
    }

    /// A way to it.
    pub fn pen(&self) -> Pen {
        Pen {
            pieces: self.pieces.clone(),
            left_out: 0,
        }
    }

    /// Writes a last piece and waits until all is out, or for as long as a reader deserves; every pen must be gone.
    pub fn close(self, last: String) {
        let _ = self.pieces.send_timeout(last, FAREWELL);
        drop(self.pieces);
        let _ = self.ended.recv_timeout(FAREWELL);
    }
}

impl Pen {
    /// Hands a piece of whole lines over, or leaves it out and says so when there is room again.
    pub fn write(&mut self, piece: &str) {
        let note = match self.left_out {
            0 => String::new(),
            lines => {
                let lines = crate::words::count_of(lines, "line");
                format!("… {lines} left out, because nobody read; the journal has every event\n")
            }
        };
        match self.pieces.try_send(note + piece) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => self.left_out = 0,
            Err(TrySendError::Full(_)) => self.left_out += piece.lines().count(),
        }
    }
}
