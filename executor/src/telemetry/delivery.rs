//! Batches on their way to a subscriber: HTTP posts of JSON arrays, one after the other.
//!
//! Owns a mailbox that anybody may put into without waiting, and the task that empties it. A frozen listener answers
//! when it goes on; one that refuses loses the batch, and is told so with the next. Deliberately absent: retries.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use router::time::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::buffer::{Buffer, Limits};
use super::subscription::Destination;

/// How much of its answer is read.
const ANSWER_LIMIT: usize = 64 * 1024;

/// What is put in, and those who wait for it.
#[derive(Debug)]
pub struct Mailbox {
    inside: Mutex<Inside>,
    /// Something came, or all is to go.
    rings: Notify,
    /// All has gone.
    emptied: Notify,
}

#[derive(Debug)]
struct Inside {
    buffer: Buffer,
    flushing: bool,
    sending: bool,
}

impl Mailbox {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Mailbox {
            inside: Mutex::new(Inside {
                buffer: Buffer::new(limits),
                flushing: false,
                sending: false,
            }),
            rings: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Adds an event; never waits.
    pub fn put(&self, event: String) {
        self.inside().buffer.put(Instant::now(), event);
        self.rings.notify_one();
    }

    /// Sends all, and waits until it has arrived.
    pub async fn flush(&self) {
        let emptied = self.emptied.notified();
        {
            let mut inside = self.inside();
            if !inside.sending && inside.buffer.due(Instant::now()).is_none() {
                return;
            }
            inside.flushing = true;
        }
        self.rings.notify_one();
        emptied.await;
    }

    /// The next batch, when it is due.
    async fn batch(&self) -> (String, usize) {
        loop {
            let wait = {
                let mut inside = self.inside();
                inside.sending = false;
                let now = Instant::now();
                match inside.buffer.due(now) {
                    Some(wait) if wait.is_zero() || inside.flushing => {
                        if let Some(batch) = inside.buffer.take(now, &real_time()) {
                            inside.sending = true;
                            return batch;
                        }
                        None
                    }
                    Some(wait) => Some(wait),
                    None => {
                        inside.flushing = false;
                        self.emptied.notify_waiters();
                        None
                    }
                }
            };
            let rung = self.rings.notified();
            match wait {
                Some(wait) => drop(tokio::time::timeout(wait, rung).await),
                None => rung.await,
            }
        }
    }

    /// A panic elsewhere while it was locked leaves a buffer that is whole.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Empties a mailbox for as long as it is not aborted.
pub async fn deliver(mailbox: std::sync::Arc<Mailbox>, destination: Destination) {
    loop {
        let (batch, count) = mailbox.batch().await;
        let bytes = batch.len();
        if let Err(why) = post(&destination, batch).await {
            tracing::debug!(address = %destination.address, %why, "telemetry was not delivered");
            let why = format!("delivery failed: {why}");
            mailbox.inside().buffer.lose(count, bytes, &why);
        }
    }
}

async fn post(destination: &Destination, batch: String) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(destination.address)
        .await
        .map_err(|e| failed(&e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| failed(&e))?;
    let request = Request::post(&destination.path)
        .header(HOST, &destination.host)
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::from(batch)))
        .map_err(|e| failed(&e))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
        let status = response.status();
        let _ = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
        if status.is_success() {
            return Ok(());
        }
        Err(format!("the subscriber answered {status}"))
    };
    tokio::pin!(answered);
    tokio::select! {
        answer = &mut answered => answer,
        ended = connection => match ended {
            Ok(()) => answered.await,
            Err(error) => Err(failed(&error)),
        },
    }
}

fn real_time() -> String {
    let since: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).iso_millis()
}
