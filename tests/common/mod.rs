//! A live fabric from outside: how tests start one, find its address, call it and interrupt it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The binary, with its working and temporary directories.
pub fn triggerfish(here: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_triggerfish"));
    command.args(arguments).current_dir(here);
    command
}

/// Starts `up` on a free port and waits until it is ready: the process, the rest of its output, its address.
pub fn up(mut command: Command) -> (Child, BufReader<ChildStdout>, String) {
    let mut up = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
    let mut out = BufReader::new(up.stdout.take().expect("stdout"));
    let mut ready = String::new();
    out.read_line(&mut ready).expect("a line");
    let after = ready.split("ready on http://").nth(1);
    let address = after.and_then(|rest| rest.split(' ').next()).expect("an address");
    (up, out, address.to_owned())
}

/// A connection, and how a call of a function is written to it.
pub fn caller(address: &str, function: &str) -> (TcpStream, impl Fn(&mut TcpStream)) {
    let stream = TcpStream::connect(address).expect("a connection");
    let path = format!("/2015-03-31/functions/{function}/invocations");
    let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{{}}");
    (stream, move |stream| {
        stream.write_all(request.as_bytes()).expect("written")
    })
}

/// Ctrl-C.
pub fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.expect("kill").success());
}
