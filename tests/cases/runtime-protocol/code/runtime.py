"""A runtime on raw sockets that does to the Runtime API what it is asked to, and answers with what it heard."""
import json
import os
import socket
import sys
import time

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime"


class Api:
    def __init__(self):
        self.socket = socket.create_connection((HOST, int(PORT)))

    def send(self, method, path, body=b"", headers=(), length=None):
        length = len(body) if length is None else length
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{PORT}", *headers]
        if not any(line.startswith("Transfer-Encoding") for line in headers):
            lines.append(f"Content-Length: {length}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    def hear(self):
        text = b""
        while b"\r\n\r\n" not in text:
            part = self.socket.recv(65536)
            if not part:
                return 0, {}, b""
            text += part
        head, _, body = text.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        while len(body) < int(headers.get("content-length", 0)):
            body += self.socket.recv(65536)
        return int(first.split()[1]), headers, body

    def call(self, *request, **more):
        self.send(*request, **more)
        return self.hear()


def told(answer):
    return [answer[0], answer[2].decode()]


def main():
    mode = os.environ["_HANDLER"]
    if mode == "exits":
        sys.exit(9)
    if mode == "never":
        print("thinking", flush=True)
        time.sleep(600)
    api = Api()
    if mode == "garbage":
        api.socket.sendall(b"\x16\x03\x01 not HTTP\r\n\r\n")
        print(api.socket.recv(100).split(b"\r\n")[0].decode())
        sys.exit(1)
    if mode == "init":
        kind = "Lambda-Runtime-Function-Error-Type: Runtime.Mine"
        api.call("POST", f"{BASE}/init/error", b'{"errorType":"X", "errorMessage":"m"}', [kind])
        time.sleep(600)
    before, last, pending = None, "nobody", False
    while True:
        if not pending:
            api.send("GET", f"{BASE}/invocation/next")
        pending = False
        status, headers, body = api.hear()
        event = json.loads(body)
        id = headers["lambda-runtime-aws-request-id"]
        path = f"{BASE}/invocation/{id}"
        old, last = last, id
        before, seen = None, before
        do = event["do"]
        if do == "headers":
            # Real times differ from run to run: the answer is part of the trace.
            del headers["date"]
            headers["lambda-runtime-deadline-ms"] = len(headers["lambda-runtime-deadline-ms"])
            answer = headers
        elif do == "next twice":
            again = api.call("GET", f"{BASE}/invocation/next")
            answer = [again[0], again[2] == body, again[1]["lambda-runtime-aws-request-id"] in path]
        elif do == "wrong id":
            answer = told(api.call("POST", f"{BASE}/invocation/nobody/response", b"1"))
        elif do == "init error":
            answer = told(api.call("POST", f"{BASE}/init/error", b"{}"))
        elif do == "answer twice":
            api.call("POST", f"{path}/response", b'"first"')
            before = told(api.call("POST", f"{path}/response", b'"second"'))
            continue
        elif do == "large":
            before = told(api.call("POST", f"{path}/response", b"x" * event["size"]))
            continue
        elif do == "error":
            kind = f"Lambda-Runtime-Function-Error-Type: {event['kind']}"
            before = told(api.call("POST", f"{path}/error", event["document"].encode(), [kind]))
            continue
        elif do == "mode":
            api.call("POST", f"{path}/response", b"1", ["Lambda-Runtime-Function-Response-Mode: pigeon"])
            continue
        elif do == "cut":
            api.send("POST", f"{path}/response", b"half", length=100)
            api.socket.close()
            api = Api()
            continue
        elif do == "chunks":
            chunks = b'4\r\n"abc\r\n1\r\n"\r\n0\r\n' + event.get("trailers", "").encode() + b"\r\n"
            before = told(api.call("POST", f"{path}/response", chunks, ["Transfer-Encoding: chunked"]))
            continue
        elif do == "old id":
            answer = told(api.call("POST", f"{BASE}/invocation/{old}/response", b"1"))
        elif do == "pieces":
            api.send("POST", f"{path}/response", length=9)
            for piece in (b'"one', b"-two", b'"'):
                time.sleep(0.02)
                api.socket.sendall(piece)
            before = told(api.hear())
            continue
        elif do == "chunks cut":
            api.send("POST", f"{path}/response", b"5\r\n\"abcd\r\n", ["Transfer-Encoding: chunked"])
            api.socket.close()
            api = Api()
            continue
        elif do == "no chunk":
            api.send("POST", f"{path}/response", b"many\r\nabc", ["Transfer-Encoding: chunked"])
            api = Api()
            continue
        elif do == "stream":
            # As AWS's clients stream: the mode, the trailers announced, pieces with pauses.
            names = ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"]
            mode = ["Lambda-Runtime-Function-Response-Mode: streaming", "Transfer-Encoding: chunked"]
            api.send("POST", f"{path}/response", b"", [*mode, f"Trailer: {', '.join(names)}"])
            for piece in (b'3\r\n"ab\r\n', b'2\r\nc"\r\n', b"0\r\n" + event.get("trailers", "").encode() + b"\r\n"):
                time.sleep(0.02)
                api.socket.sendall(piece)
            before = told(api.hear())
            continue
        elif do == "at once":
            # The response and the next question in one write: both are heard, in order.
            question = f"GET {BASE}/invocation/next HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n\r\n".encode()
            api.send("POST", f"{path}/response", b'"both"' + question, length=6)
            before = told(api.hear())
            pending = True
            continue
        elif do == "two questions":
            # The second question has the same event again, on whichever connection it comes.
            other = Api()
            again = other.call("GET", f"{BASE}/invocation/next")
            answer = [again[0], again[1]["lambda-runtime-aws-request-id"] == id]
        elif do == "large error":
            before = told(api.call("POST", f"{path}/error", b"x" * 6291557))
            continue
        elif do == "odd lengths":
            sent = [["Content-Length: 5", "Content-Length: 6"], ["Content-Length: -1"], ["Content-Length: many"]]
            answer = []
            for lines in sent:
                other = Api()
                other.socket.sendall("\r\n".join([f"POST {path}/response HTTP/1.1", f"Host: {HOST}", *lines, "", "abcde"]).encode())
                answer.append(other.hear()[0])
        elif do == "one huge header":
            other = Api()
            other.send("POST", f"{path}/response", b"1", [f"X: {'y' * 600_000}"])
            answer = other.hear()[0]
        elif do == "odd path":
            paths = ["/invocation//response", "/invocation/%00/response", f"/invocation/{'a' * 5000}/response", "/invocation/next/", "/../../etc"]
            answer = [Api().call("POST", BASE + path, b"1")[0] for path in paths]
        elif do == "unicode kind":
            kind = "Lambda-Runtime-Function-Error-Type: Function.\u00c4rger"
            before = told(api.call("POST", f"{path}/error", b"\xff\x00 no text", [kind]))
            continue
        elif do == "bytes":
            before = told(api.call("POST", f"{path}/response", bytes(range(256))))
            continue
        elif do == "garbage":
            other = Api()
            other.socket.sendall(b"hello\r\n\r\n")
            answer = other.hear()[0]
        elif do == "huge headers":
            answer = Api().call("GET", "/2018-06-01/ping", b"", [f"X-{n}: {'y' * 1000}" for n in range(900)])[0]
        elif do == "not supported":
            asked = [("PUT", "/2020-08-15/logs"), ("GET", f"{BASE}/restore/next")]
            answer = [told(api.call(method, path)) for method, path in asked]
        elif do == "answer and exit":
            api.call("POST", f"{path}/response", b'"bye"')
            os._exit(3)
        elif do == "answer and stay":
            api.call("POST", f"{path}/response", b'"stays"')
            time.sleep(600)
        elif do == "hang up":
            api.socket.close()
            time.sleep(600)
        else:
            answer = seen
        api.call("POST", f"{path}/response", json.dumps(answer).encode())


main()
