//! Bodies that come slowly, in time that does not pass.

use std::time::Duration;

use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{Instant, sleep};

use super::*;
use crate::front::http::{Body as Stream, BrokenOff};

const CREATE: &str = "/2015-03-31/functions";
const INVOKE: &str = "/2015-03-31/functions/f/invocations";
const MB: usize = 1_000_000;

type Pieces = Sender<Result<Bytes, BrokenOff>>;
type Outcome = Result<usize, (u16, String)>;

/// A client that sends pieces of a body to this path, and what comes of it.
fn client(bodies: &Bodies, path: &'static str) -> (Pieces, tokio::task::JoinHandle<Outcome>) {
    let (send, pieces) = channel(1);
    let bodies = bodies.clone();
    let read = async move {
        let request = hyper::Request::post(path).body(()).expect("a request");
        let (head, ()) = request.into_parts();
        let stream = Stream::Stream(pieces);
        let read = bodies
            .read(&head, &Service::Lambda, stream, &Times::default())
            .await;
        read.map(|(body, _)| body.len())
            .map_err(|fault| (fault.status, fault.message))
    };
    (send, tokio::spawn(read))
}

fn piece(bytes: usize) -> Result<Bytes, BrokenOff> {
    Ok(Bytes::from(vec![b'x'; bytes]))
}

/// Sends a piece every second until nobody takes it; how long that was.
async fn trickle(pieces: &Pieces, bytes: usize) -> Duration {
    let began = Instant::now();
    while pieces.send(piece(bytes)).await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stands_still_is_given_up() {
    let began = Instant::now();
    let (pieces, read) = client(&Bodies::default(), INVOKE);
    assert!(pieces.send(piece(1)).await.is_ok());
    let told = read.await.expect("an end");
    assert!(
        told.is_err_and(|(status, why)| status == 408 && why.starts_with("no byte of the body came for 20 s"))
    );
    assert_eq!(began.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_trickle_ends_and_what_is_fast_enough_does_not() {
    let (pieces, read) = client(&Bodies::default(), CREATE);
    assert_eq!(trickle(&pieces, 10).await.as_secs() / 10, 3);
    let told = read.await.expect("an end");
    assert!(told.is_err_and(|(status, why)| status == 408 && why.starts_with("only ")));
    let (pieces, read) = client(&Bodies::default(), CREATE);
    for _ in 0..60 {
        assert!(pieces.send(piece(MB)).await.is_ok());
        sleep(Duration::from_secs(1)).await;
    }
    drop(pieces);
    assert_eq!(read.await.expect("an end"), Ok(60 * MB));
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_takes_no_room() {
    let bodies = Bodies::default();
    let slow: Vec<_> = (0..8).map(|_| client(&bodies, CREATE)).collect();
    for (pieces, _) in &slow {
        assert!(pieces.send(piece(MB)).await.is_ok());
    }
    for (path, size) in [(CREATE, 70 * MB), (INVOKE, 6 * MB)] {
        let (pieces, read) = client(&bodies, path);
        let began = Instant::now();
        assert!(pieces.send(piece(size)).await.is_ok());
        drop(pieces);
        assert_eq!(read.await.expect("an end"), Ok(size));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_finds_no_room_is_told() {
    let bodies = Bodies {
        uploads: Room::new(USUAL_LIMIT, USUAL_LIMIT),
        calls: Room::new(USUAL_LIMIT, USUAL_LIMIT),
    };
    let (first, _reads) = client(&bodies, CREATE);
    assert!(first.send(piece(2 * MB)).await.is_ok());
    let (second, read) = client(&bodies, CREATE);
    let began = Instant::now();
    assert!(second.send(piece(2 * MB)).await.is_ok());
    // The first goes on meanwhile, fast enough.
    for _ in 0..31 {
        assert!(first.send(piece(MB)).await.is_ok());
        sleep(Duration::from_secs(1)).await;
    }
    // The rest is thrown away as it comes, so that the answer is read.
    assert!(second.send(piece(2 * MB)).await.is_ok());
    drop(second);
    let told = read.await.expect("an end");
    assert!(told.is_err_and(|(status, why)| status == 503 && why.contains("within 30 s")));
    assert_eq!(began.elapsed().as_secs(), 31);
    // Calls have a room of their own.
    let (pieces, read) = client(&bodies, INVOKE);
    assert!(pieces.send(piece(2 * MB)).await.is_ok());
    drop(pieces);
    assert_eq!(read.await.expect("an end"), Ok(2 * MB));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_thrown_away_as_it_comes() {
    let (pieces, read) = client(&Bodies::default(), INVOKE);
    for _ in 0..20 {
        assert!(pieces.send(piece(MB)).await.is_ok());
    }
    drop(pieces);
    assert!(
        read.await
            .expect("an end")
            .is_err_and(|(status, _)| status == 413)
    );
    let (pieces, read) = client(&Bodies::default(), INVOKE);
    assert!(pieces.send(Err(BrokenOff)).await.is_ok());
    assert!(
        read.await
            .expect("an end")
            .is_err_and(|(status, _)| status == 400)
    );
}

#[tokio::test(start_paused = true)]
async fn pieces_come_together_in_their_order() {
    let (pieces, stream) = channel(4);
    for text in ["a", "bc", "", "d"] {
        assert!(pieces.send(Ok(Bytes::from_static(text.as_bytes()))).await.is_ok());
    }
    drop(pieces);
    let (head, ()) = hyper::Request::post(INVOKE)
        .body(())
        .expect("a request")
        .into_parts();
    let stream = Stream::Stream(stream);
    let read = Bodies::default()
        .read(&head, &Service::Lambda, stream, &Times::default())
        .await;
    assert_eq!(read.ok().map(|(body, _)| body), Some(Bytes::from_static(b"abcd")));
}
