//! The wish to end: asked for once, heard by every run.

use tokio::sync::watch;

/// Asks every run to end.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears that a run is to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Somebody who may ask, and what hears it.
pub fn stop() -> (Stopper, Stop) {
    let (send, receive) = watch::channel(false);
    (Stopper(send), Stop(receive))
}

impl Stopper {
    /// Asks; asking twice changes nothing.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Nobody will ever ask.
    pub fn never() -> Stop {
        stop().1
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Whoever could have asked is gone.
            std::future::pending::<()>().await;
        }
    }
}
