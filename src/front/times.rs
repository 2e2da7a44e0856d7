//! How long clients may take for what they do.
//!
//! Owns the durations of the whole front, in one value that a test can choose. Deliberately absent: the clocks, which run where
//! something is waited for: [`connection`](super::connection) and [`body`](super::body).

use std::time::Duration;

/// How long each thing may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// An unused connection is kept.
    pub idle: Duration,
    /// A head, from its first byte to its last.
    pub head: Duration,
    /// An answer may lie unread.
    pub unread: Duration,
    /// The next piece of a body: a slow body is read, one that stands still is not.
    pub piece: Duration,
    /// A whole body, whatever its size.
    pub body: Duration,
    /// And as much more for each 1,000,000 bytes of it that have come.
    pub megabyte: Duration,
    /// A body may wait for memory, which does not count as its own time.
    pub room: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            idle: Duration::from_secs(300),
            head: Duration::from_secs(10),
            unread: Duration::from_secs(60),
            piece: Duration::from_secs(20),
            body: Duration::from_secs(30),
            megabyte: Duration::from_secs(1),
            room: Duration::from_secs(30),
        }
    }
}

impl Times {
    /// How long a body may take of which so many bytes have come.
    pub fn of_body(&self, bytes: usize) -> Duration {
        let megabytes = u32::try_from(bytes / 1_000_000).unwrap_or(u32::MAX);
        self.body.saturating_add(self.megabyte.saturating_mul(megabytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_come_earns_time() {
        let times = Times::default();
        let seconds = |bytes| times.of_body(bytes).as_secs();
        assert_eq!((seconds(0), seconds(999_999), seconds(70_167_211)), (30, 30, 100));
        assert!(seconds(usize::MAX) > 30);
    }
}
