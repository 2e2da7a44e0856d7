//! A synchronous call on its way: into the fabric, and what comes back piece by piece.
//!
//! Owns the order in which a caller hears: what a handler streams comes first, as it comes, and the end last. Whoever
//! drops a [`Call`] hears no more; the handler goes on, as on AWS. Deliberately absent: the form of answers, which
//! [`invoke`](super::invoke) has.

use std::sync::Arc;

use bytes::Bytes;
use executor::{Began, Part};
use router::event::{CallDetails, Lane, Payload};
use router::name::FunctionName;
use router::router::Input;
use scenarios::api::error::ApiError;
use scenarios::api::{self, InvocationType};
use scenarios::hands::Answered;
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

use super::directory::Found;
use super::plane::send;
use super::registry::refusal::hindered;
use crate::front::gateway::{Gateway, call_name};
use crate::front::room::Held;

/// The state of a version that could not be run.
const FAILED: &str = "Failed";

/// What is to run, checked.
pub struct Order<'a> {
    /// The function.
    pub function: &'a FunctionName,
    /// The version or the alias, as the caller named it.
    pub qualifier: Option<&'a str>,
    /// What the caller says beside the event.
    pub details: CallDetails,
    /// The event.
    pub payload: Payload,
}

/// A call that runs.
#[derive(Debug)]
pub struct Call {
    parts: Receiver<Part>,
    end: Option<oneshot::Receiver<Answered>>,
    ended: Option<Answered>,
}

/// What a caller hears next.
#[derive(Debug)]
pub enum Heard {
    /// The handler begins to stream its response.
    Began(Began),
    /// Bytes of that response, never none.
    Piece(Bytes),
    /// All is over; a response that did not stream is in here.
    End(Answered),
    /// The fabric stopped before the end.
    Stopped,
}

/// Checks a call before it begins (spec/lambda §5.3); what comes back is the event.
///
/// # Errors
/// The error to answer with.
pub async fn admit(
    gateway: &Gateway,
    kind: InvocationType,
    function: &FunctionName,
    qualifier: Option<&str>,
    body: &Bytes,
) -> Result<Payload, ApiError> {
    let mut found = gateway.plane.directory.find(function, qualifier);
    if found == Found::Hindered(FAILED) {
        // What could not be run may be there again, such as a folder.
        gateway.plane.mend(function).await;
        found = gateway.plane.directory.find(function, qualifier);
    }
    let asked = api::Call {
        kind,
        function,
        qualifier,
        body,
    };
    let payload = api::check(asked, |_| found != Found::Missing)?;
    match found {
        Found::Hindered(state) => Err(hindered(state)),
        _ => Ok(payload),
    }
}

/// The input that such an order is to the fabric.
pub fn input(gateway: &Gateway, number: u64, lane: Lane, order: Order<'_>) -> Input {
    Input::Invoked(api::event(
        gateway.seed,
        &call_name(number),
        order.function,
        order.qualifier.map(Arc::from),
        lane,
        order.details,
        order.payload,
    ))
}

/// Begins a call whose caller waits, and hears a response that streams as it comes if `streams`. The body's `room` is given
/// back when the fabric has the event.
///
/// # Errors
/// The fabric takes nothing more.
pub async fn begin(
    gateway: &Gateway,
    number: u64,
    order: Order<'_>,
    streams: bool,
    room: &Held,
) -> Result<Call, ApiError> {
    let (tell, end) = oneshot::channel();
    let tell = move |answered| drop(tell.send(answered));
    let (reply, parts) = match streams {
        true => gateway.replies.open_stream(tell),
        false => (gateway.replies.open(tell), executor::audience().1),
    };
    send(
        &gateway.entrance,
        input(gateway, number, Lane::Reply(reply), order),
    )
    .await?;
    // The event is the fabric's now, which has a bound of its own.
    room.end();
    Ok(Call::new(parts, end))
}

impl Call {
    fn new(parts: Receiver<Part>, end: oneshot::Receiver<Answered>) -> Self {
        Call {
            parts,
            end: Some(end),
            ended: None,
        }
    }

    /// Waits for what comes next; after the end there is only [`Heard::Stopped`].
    pub async fn next(&mut self) -> Heard {
        if let Some(end) = &mut self.end {
            tokio::select! {
                biased;
                Some(part) = self.parts.recv() => return part.into(),
                ended = end => {
                    self.ended = ended.ok();
                    self.end = None;
                }
            }
        }
        // All that was streamed lies there when the end is told.
        match self.parts.try_recv() {
            Ok(part) => part.into(),
            Err(_) => self.ended.take().map_or(Heard::Stopped, Heard::End),
        }
    }

    /// Waits for the end of a call that does not stream.
    ///
    /// # Errors
    /// The fabric stopped before it.
    pub async fn end(mut self) -> Result<Answered, ApiError> {
        loop {
            match self.next().await {
                Heard::End(answered) => return Ok(answered),
                Heard::Stopped => return Err(stopped()),
                Heard::Began(_) | Heard::Piece(_) => {}
            }
        }
    }
}

impl From<Part> for Heard {
    fn from(part: Part) -> Self {
        match part {
            Part::Began(began) => Heard::Began(began),
            Part::Piece(bytes) => Heard::Piece(bytes),
        }
    }
}

/// What a caller is told whose call did not end.
pub fn stopped() -> ApiError {
    ApiError::service("the fabric stopped")
}

/// Calls without a fabric, for the tests of those that answer them.
#[cfg(test)]
pub mod made {
    use std::time::Duration;

    use router::event::{ErrorKind, Failure, FunctionError, Outcome};
    use router::name::Version;
    use tokio::sync::mpsc::{Sender, channel};

    use super::*;

    /// A call, who streams into it, and who ends it.
    pub fn call() -> (Call, Sender<Part>, oneshot::Sender<Answered>) {
        let (pieces, parts) = channel(8);
        let (tell, end) = oneshot::channel();
        (Call::new(parts, end), pieces, tell)
    }

    /// The first part of a response of this type.
    pub fn began(content_type: Option<&str>) -> Part {
        Part::Began(Began {
            version: Version::Latest,
            content_type: content_type.map(str::to_owned),
        })
    }

    /// Bytes of a response.
    pub fn piece(text: &'static str) -> Part {
        Part::Piece(Bytes::from_static(text.as_bytes()))
    }

    /// An end.
    pub fn answered(result: Result<&'static str, Failure>) -> Answered {
        let outcome = Outcome {
            result: result.map(|text| Bytes::from_static(text.as_bytes())),
            duration: Duration::ZERO,
            log: Bytes::new(),
        };
        Answered {
            outcome,
            version: Some(Version::Latest),
        }
    }

    /// The failure of a function with this document.
    pub fn function_error(document: &'static str) -> Failure {
        Failure::Function(FunctionError {
            kind: ErrorKind::Error,
            payload: Bytes::from_static(document.as_bytes()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::made::{answered, call, piece};
    use super::*;

    #[tokio::test]
    async fn all_pieces_come_before_the_end() {
        let (mut call, pieces, tell) = call();
        for text in ["a", "b"] {
            assert!(pieces.send(piece(text)).await.is_ok());
        }
        assert!(tell.send(answered(Ok("ab"))).is_ok());
        assert!(matches!(call.next().await, Heard::Piece(bytes) if bytes == "a"));
        assert!(matches!(call.next().await, Heard::Piece(bytes) if bytes == "b"));
        assert!(matches!(call.next().await, Heard::End(_)));
        assert!(matches!(call.next().await, Heard::Stopped));
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_is_stopped() {
        let (mut call, pieces, tell) = call();
        drop((pieces, tell));
        assert!(matches!(call.next().await, Heard::Stopped));
    }
}
