//! Who listens to a response while its handler still runs (spec/runtime-api §3.1, spec/lambda §5.6).
//!
//! ```text
//!   runtime ──pieces──► runtime_api ──► Audience ══bounded══► Receiver<Part> ──► the caller's connection
//! ```
//!
//! Owns the words between the two ends and how many may lie between them: a caller that does not read makes the
//! runtime wait, and one that is gone is not waited for. Only responses in streaming mode get here; every other is
//! told as a whole with its outcome, and so is the end of these. Deliberately absent: what a caller makes of the pieces.

use bytes::Bytes;
use router::name::Version;
use tokio::sync::mpsc;

/// How many pieces may lie between a runtime and its caller before the runtime waits.
const PIECES: usize = 8;

/// What a caller hears of a response that streams; after the last part comes the outcome, by another way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// The handler begins to answer: the first part, and the only one of its kind.
    Began(Began),
    /// The next bytes, never empty. Where one ends says nothing.
    Piece(Bytes),
}

/// What is known when a handler begins to answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Began {
    /// The version that runs.
    pub version: Version,
    /// The `Content-Type` that the runtime gave its response.
    pub content_type: Option<String>,
}

/// The sending end: a caller that may not be there any more.
#[derive(Debug)]
pub struct Audience(mpsc::Sender<Part>);

/// A new caller that listens, and what it hears.
pub fn audience() -> (Audience, mpsc::Receiver<Part>) {
    let (sender, parts) = mpsc::channel(PIECES);
    (Audience(sender), parts)
}

impl Audience {
    /// Says that the response begins; whether somebody still listens.
    pub(crate) async fn begin(&self, began: Began) -> bool {
        self.0.send(Part::Began(began)).await.is_ok()
    }

    /// Passes bytes on, when there is room for them; whether somebody still listens.
    pub(crate) async fn hear(&self, piece: Bytes) -> bool {
        piece.is_empty() || self.0.send(Part::Piece(piece)).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_a_caller_that_is_gone() {
        let (audience, parts) = audience();
        assert!(audience.hear(Bytes::new()).await);
        for _ in 0..PIECES {
            assert!(audience.hear(Bytes::from_static(b"x")).await);
        }
        // Full: the next one waits, until the other end goes.
        let next = tokio::spawn(async move { audience.hear(Bytes::from_static(b"y")).await });
        tokio::task::yield_now().await;
        assert!(!next.is_finished());
        drop(parts);
        assert_eq!(next.await.ok(), Some(false));
    }
}
