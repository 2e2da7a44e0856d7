//! The wish to end: asked for once, heard by every run.

use std::sync::{Arc, Mutex, PoisonError};

use executor::Doorbell;
use tokio::sync::watch;

/// Asks every run to end.
#[derive(Debug)]
pub struct Stopper {
    asked: watch::Sender<bool>,
    doorbells: Doorbells,
}

/// Hears that a run is to end.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Receiver<bool>,
    doorbells: Doorbells,
}

type Doorbells = Arc<Mutex<Vec<Doorbell>>>;

/// Somebody who may ask, and what hears it.
pub fn stop() -> (Stopper, Stop) {
    let (send, asked) = watch::channel(false);
    let doorbells = Doorbells::default();
    let stopper = Stopper {
        asked: send,
        doorbells: Arc::clone(&doorbells),
    };
    (stopper, Stop { asked, doorbells })
}

impl Stopper {
    /// Asks; asking twice changes nothing.
    pub fn ask(&self) {
        self.asked.send_replace(true);
        let doorbells = self.doorbells.lock().unwrap_or_else(PoisonError::into_inner);
        doorbells.iter().for_each(Doorbell::ring);
    }
}

impl Stop {
    /// Nobody will ever ask.
    pub fn never() -> Stop {
        stop().1
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Has a reactor's doorbell rung when it is; the reactor then looks with [`Stop::is_asked`].
    pub fn rings(&self, doorbell: Doorbell) {
        let mut doorbells = self.doorbells.lock().unwrap_or_else(PoisonError::into_inner);
        doorbells.retain(Doorbell::is_heard);
        doorbells.push(doorbell);
    }

    /// Waits until it is.
    pub async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            // Whoever could have asked is gone.
            std::future::pending::<()>().await;
        }
    }
}
