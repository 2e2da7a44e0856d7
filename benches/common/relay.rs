//! The bare relay: a caller's connection, a handler's connection, and nothing between them but HTTP.
//!
//! It is the floor of what an invocation costs: the same handler process, no fabric, journal or checks.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::http::{connect, read, request, respond, try_read};

/// What the Runtime API hands out with every event; the handler's client reads it in both.
const EVENT_HEADERS: &str = "lambda-runtime-aws-request-id: 8476a536-e9f4-41e8-a5ff-2c6f0a3c2a11\r\n\
    lambda-runtime-deadline-ms: 9999999999999\r\n\
    lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n\
    lambda-runtime-trace-id: Root=1-65d4a5f1-8476a536e9f441e8a5ff2c6f;Parent=000000010a3c2a11;Sampled=1\r\n";

/// A handler's process and a thread that hands it what callers send, one at a time.
pub struct Relay {
    /// Where further callers may connect; one is served at a time, and until it leaves.
    pub address: String,
    caller: Option<TcpStream>,
    child: Child,
}

impl Relay {
    /// Starts a handler by `program`; it has connected when this returns.
    pub fn start(program: &str, arguments: &[&Path], code: &Path) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let child = Command::new(program)
            .args(arguments)
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("LAMBDA_TASK_ROOT", code)
            .env("_HANDLER", "app.handler")
            .current_dir(code)
            .stdin(Stdio::null())
            .spawn()
            .expect("the handler starts");
        let (handler, _) = listener.accept().expect("the handler connects");
        handler.set_nodelay(true).expect("no delay");
        std::thread::spawn(move || serve(&listener, handler));
        Relay {
            caller: Some(connect(&address)),
            address,
            child,
        }
    }

    /// Calls the handler.
    pub fn call(&mut self, body: &[u8]) -> Vec<u8> {
        let caller = self.caller.as_mut().expect("not let go");
        request(caller, "POST", "/invoke", "", body);
        read(caller)
    }

    /// Makes room for a caller from elsewhere.
    pub fn let_go(&mut self) {
        self.caller = None;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(listener: &TcpListener, mut handler: TcpStream) {
    read(&mut handler);
    while let Ok((mut caller, _)) = listener.accept() {
        caller.set_nodelay(true).expect("no delay");
        while let Some(body) = try_read(&mut caller) {
            respond(&mut handler, EVENT_HEADERS, &body);
            let Some(answer) = try_read(&mut handler) else {
                return;
            };
            respond(&mut handler, "", b"{\"status\":\"OK\"}\n");
            respond(&mut caller, "", &answer);
            if try_read(&mut handler).is_none() {
                return;
            }
        }
    }
}
