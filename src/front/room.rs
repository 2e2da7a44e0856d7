//! Memory for large bodies: many clients with 70 MB each would be more than a machine has.
//!
//! Room is taken as bytes come, never for what a client announces. So several bodies may each hold a part and want more
//! when all is taken; the last part is therefore kept for one of them at a time, and as large as any body can be: that one ends,
//! and gives its room back. Owns this rule. Deliberately absent: what a body is, and how long it waits for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Memory that bodies share.
#[derive(Clone, Debug)]
pub struct Room {
    /// In KiB, because a semaphore counts to 4 G at most.
    shared: Arc<Semaphore>,
    /// One permit: for as much as the largest body needs.
    last: Arc<Semaphore>,
}

/// What one body has of it, until this is dropped.
#[derive(Debug)]
pub struct Lease {
    room: Room,
    shared: Option<OwnedSemaphorePermit>,
    last: Option<OwnedSemaphorePermit>,
}

/// What a request has of it whose body has come; given back with the last clone, or by [`Held::end`].
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<Option<Lease>>>);

impl Room {
    /// Room of so many bytes for bodies of at most `largest`.
    pub fn new(bytes: usize, largest: usize) -> Self {
        Room {
            shared: Arc::new(Semaphore::new(bytes.saturating_sub(largest) / 1024)),
            last: Arc::new(Semaphore::new(1)),
        }
    }

    /// A body that has nothing yet.
    pub fn lease(&self) -> Lease {
        Lease {
            room: self.clone(),
            shared: None,
            last: None,
        }
    }
}

impl Lease {
    /// Grows until it has so many bytes; whether there was room within `wait`.
    pub async fn grow(&mut self, bytes: usize, wait: Duration) -> bool {
        let has = self.shared.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let lacks = bytes.div_ceil(1024).saturating_sub(has);
        if lacks == 0 || self.last.is_some() {
            return true;
        }
        let lacks = u32::try_from(lacks).unwrap_or(u32::MAX);
        let (shared, last) = (Arc::clone(&self.room.shared), Arc::clone(&self.room.last));
        let more = async {
            tokio::select! {
                biased;
                Ok(more) = shared.acquire_many_owned(lacks) => self.add(more),
                Ok(last) = last.acquire_owned() => self.last = Some(last),
            }
        };
        timeout(wait, more).await.is_ok()
    }

    fn add(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.shared {
            Some(has) => has.merge(more),
            None => self.shared = Some(more),
        }
    }
}

impl From<Lease> for Held {
    fn from(lease: Lease) -> Self {
        Held(Arc::new(Mutex::new(Some(lease))))
    }
}

impl Held {
    /// Gives the room back: the body is somebody else's to count from here on.
    pub fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;
    const WAIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn one_of_those_that_want_more_can_always_end() {
        let room = Room::new(8 * KIB, 4 * KIB);
        let (mut one, mut two, mut three) = (room.lease(), room.lease(), room.lease());
        assert!(one.grow(2 * KIB, WAIT).await && two.grow(2 * KIB, WAIT).await);
        // All that is shared is taken, and nobody has enough.
        assert!(one.grow(3 * KIB, WAIT).await, "the last part is free");
        let began = tokio::time::Instant::now();
        assert!(!two.grow(3 * KIB, WAIT).await && !three.grow(1, WAIT).await);
        assert_eq!(began.elapsed(), 2 * WAIT);
        assert!(one.grow(4 * KIB, WAIT).await);
        let (waits, ()) = tokio::join!(two.grow(4 * KIB, WAIT), async { drop(one) });
        assert!(waits);
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_given_back_once() {
        let room = Room::new(2 * KIB, KIB);
        let mut lease = room.lease();
        assert!(lease.grow(KIB, WAIT).await && lease.grow(KIB, WAIT).await);
        let held = Held::from(lease);
        let clone = held.clone();
        assert_eq!(room.shared.available_permits(), 0);
        held.end();
        drop(clone);
        held.end();
        assert_eq!(room.shared.available_permits(), 1);
    }
}
