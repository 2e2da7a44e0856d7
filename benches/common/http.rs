//! HTTP without a library: one message at a time on a connection that is kept.

use std::io::{Read, Write};
use std::net::TcpStream;

/// A connection to `127.0.0.1:PORT`.
pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    stream
}

/// Sends a request; `headers` are whole lines, each with its end.
pub fn request(stream: &mut TcpStream, method: &str, path: &str, headers: &str, body: &[u8]) {
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    text.extend_from_slice(body);
    stream.write_all(&text).expect("written");
}

/// Sends an answer; `headers` are whole lines, each with its end.
pub fn respond(stream: &mut TcpStream, headers: &str, body: &[u8]) {
    let mut text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    text.extend_from_slice(body);
    stream.write_all(&text).expect("written");
}

/// A message's body.
pub fn read(stream: &mut TcpStream) -> Vec<u8> {
    try_read(stream).expect("a message")
}

/// A message's body; `None` where the connection has ended.
pub fn try_read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    try_read_whole(stream).map(|(_, body)| body)
}

/// A message's head with the blank line, and its body. Messages never overlap here.
pub fn try_read_whole(stream: &mut TcpStream) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let n = stream.read(&mut part).ok().filter(|n| *n > 0)?;
        all.extend_from_slice(&part[..n]);
        let Some(end) = all.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let whole = end + 4 + length.unwrap_or(0);
        if all.len() >= whole {
            let body = all.split_off(end + 4);
            return Some((all, body));
        }
    }
}
