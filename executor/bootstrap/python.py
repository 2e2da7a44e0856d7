"""Runs a Python handler over the Lambda Runtime API: AWS's bootstrap, small and with no dependencies.

Speaks HTTP/1.1 on one raw keep-alive socket, because the time between two events is time a user waits.
"""

import json
import logging
import os
import socket
import sys
import threading
import time
import traceback

HOST, _, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
BASE = "/2018-06-01/runtime"
NBSP = "\u00a0"
# Stands for a number until the text around it is written; nobody can have it in a text of theirs.
MARK = os.urandom(16).hex()


class Api:
    """The Runtime API on one connection."""

    def __init__(self):
        self.socket = None
        self.buffer = b""

    def connect(self):
        self.socket = socket.create_connection((HOST, int(PORT)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def call(self, method, path, headers=(), body=b""):
        if self.socket is None:
            self.connect()
        head = [f"{method} {BASE}{path} HTTP/1.1", f"Host: {HOST}:{PORT}", f"Content-Length: {len(body)}"]
        head += [f"{name}: {value}" for name, value in headers]
        request = ("\r\n".join(head) + "\r\n\r\n").encode("utf-8") + body
        self.socket.sendall(request)
        return self.answer()

    def answer(self):
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("utf-8").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", "0"))
        if len(self.buffer) < size:
            parts, have = [self.buffer], len(self.buffer)
            while have < size:
                part = self.socket.recv(1 << 20)
                if not part:
                    raise ConnectionError("the Runtime API closed the connection")
                parts.append(part)
                have += len(part)
            self.buffer = b"".join(parts)
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return status, headers, body

    def fill(self):
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the Runtime API closed the connection")
        self.buffer += part

    def post(self, path, body, error_type=None):
        headers = [("Content-Type", "application/json")]
        if error_type is not None:
            headers.append(("Lambda-Runtime-Function-Error-Type", error_type))
        self.call("POST", path, headers, body)


class Clock:
    """The time for log lines: the real one, or virtual time plus one millisecond a reading."""

    virtual = None

    def stamp(self):
        if self.virtual is None:
            now = time.time()
            millis = int(now * 1000) % 1000
        else:
            now, millis = self.virtual // 1000, self.virtual % 1000
            self.virtual += 1
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{millis:03d}Z"


CLOCK = Clock()
JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


class Shown:
    """Prints as AWS's context objects do: the name, then the members in their order."""

    def __repr__(self):
        members = ",".join(f"{name}={value}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}([{members}])"


class CognitoIdentity(Shown):
    def __init__(self, text=None):
        given = json.loads(text) if text else {}
        self.cognito_identity_id = given.get("cognitoIdentityId")
        self.cognito_identity_pool_id = given.get("cognitoIdentityPoolId")


class Client(Shown):
    def __init__(self, given):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, given.get(name))


class ClientContext(Shown):
    def __init__(self, text):
        given = json.loads(text)
        self.custom = given.get("custom")
        self.env = given.get("env")
        self.client = Client(given["client"]) if given.get("client") else None


class LambdaContext(Shown):
    """What a handler knows about its invocation."""

    def __init__(self, headers):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id", "")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        context = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(context) if context else None
        self.identity = CognitoIdentity(headers.get("lambda-runtime-cognito-identity"))
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self._deadline = int(headers.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


class Unbuffered:
    """A text stream whose writes are out at once: what a handler printed before it died or hung is in its log."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, text):
        written = self.stream.write(text)
        self.stream.flush()
        return written

    def writelines(self, lines):
        self.stream.writelines(lines)
        self.stream.flush()


class Formatter(logging.Formatter):
    def format(self, record):
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        if record.stack_info:
            message += "\n" + self.formatStack(record.stack_info)
        return one_line(f"[{record.levelname}]\t{CLOCK.stamp()}\t{record.aws_request_id}\t{message}")


# What a log record has by itself; whatever else is in one was given as `extra`.
OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id"}


class JsonFormatter(logging.Formatter):
    """AWS's structured log lines, member by member (spec/lambda §6)."""

    def format(self, record):
        level = logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10)
        line = {"timestamp": seconds(), "level": level, "message": record.getMessage(), "logger": record.name}
        if isinstance(record.msg, dict) and not record.args:
            line["message"] = record.msg
        if record.exc_info:
            kind, error, trace = record.exc_info
            line["stackTrace"] = traceback.format_tb(trace)
            line["errorType"], line["errorMessage"] = kind.__name__, str(error)
        line["requestId"] = record.aws_request_id
        if record.exc_info:
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        for name, value in vars(record).items():
            if name not in OWN and value is not None:
                line.setdefault(name, value)
        # A value that JSON does not know is text; a log line is no reason to fail.
        return json.dumps(line, ensure_ascii=False, default=str)


def seconds():
    """The time as AWS's JSON has it, without a fraction."""
    return CLOCK.stamp()[:19] + "Z"


class RequestId(logging.Filter):
    """Gives every record `aws_request_id`, which handlers' own formats use."""

    current = ""

    def filter(self, record):
        record.aws_request_id = RequestId.current
        return True


def set_up_logging():
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter() if JSON else Formatter())
    handler.addFilter(RequestId())
    logging.getLogger().addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if level:
        logging.getLogger().setLevel("DEBUG" if level == "TRACE" else level)


def one_line(text):
    """One event is one line here; AWS keeps line breaks inside an event, a carriage return stands for them."""
    return text.replace("\n", "\r")


class Fault(Exception):
    """A mistake of the function that is found outside of its code.

    `trace` is for the document, `shown` for the log only: AWS leaves it out, and who reads needs the line.
    """

    def __init__(self, error_type, message, trace=(), shown=()):
        super().__init__(message)
        self.error_type, self.message, self.trace = error_type, message, list(trace)
        self.shown = list(shown) or self.trace


def load(handler):
    if "." not in handler:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)")
    path, function = handler.rsplit(".", 1)
    module_name = path.replace("/", ".")
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {path} as a handler module")
    try:
        __import__(module_name)
        module = sys.modules[module_name]
    except ImportError as error:
        trace = own_frames(error)
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{path}': {error}", shown=trace) from None
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n']
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{path}': {error}", trace) from None
    try:
        return getattr(module, function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{path}'") from None


def own_frames(error):
    """The frames of the user's code: not ours, not the import machinery's; without column marks, as on AWS."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename != __file__ and not f.filename.startswith("<frozen")]
    return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in own])


def describe(error, request_id):
    """The error document, and the text of the log line."""
    if isinstance(error, Fault):
        kind, message, trace, shown = error.error_type, error.message, error.trace, error.shown
    else:
        kind, message = type(error).__name__, str(error)
        trace = shown = own_frames(error)
    document = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}
    encoded = json.dumps(document, ensure_ascii=ASCII).encode("utf-8", "replace")
    if JSON:
        told = {"timestamp": seconds(), "level": "ERROR", **document, "stackTrace": shown}
        return kind, encoded, json.dumps(told, ensure_ascii=False)
    line = f"[ERROR] {kind}: {message}" if message else f"[ERROR] {kind}"
    indented = "".join(shown).rstrip("\n").replace("\n", "\r")
    line += "\rTraceback (most recent call last):\r" + indented.replace("  ", NBSP * 2)
    return kind, encoded, line


def say(line):
    # Any text can be in an error's message; one that cannot be written must not cost the error document.
    try:
        sys.stdout.write(one_line(line).encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
    except (OSError, ValueError):
        pass


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def unfinished():
    """What goes on although the handler has answered, for the one who asks later why it stopped: frozen threads.
    Those that the init has started, such as an extension's, are meant to stay."""
    if unfinished.before is None:
        unfinished.before = threading.active_count()
    count = threading.active_count() - unfinished.before
    if count < 1:
        return ()
    return (("Triggerfish-Unfinished", "1 thread" if count == 1 else f"{count} threads"),)


unfinished.before = None

# AWS's encoder escapes letters beyond ASCII up to Python 3.11's runtime, and not after it.
ASCII = os.environ.get("AWS_EXECUTION_ENV", "").rpartition(".")[2] in ("8", "9", "10", "11")


def encode(value):
    """The answer as AWS's encoder writes it: bytes as they are, a Decimal with all its digits."""
    if isinstance(value, bytes):
        return value
    marks = {}

    def other(value):
        if type(value).__name__ == "Decimal" and hasattr(value, "is_nan"):
            if value.is_nan():
                return float("nan")
            mark = f"{MARK}{len(marks)}."
            marks[json.dumps(mark)] = str(value)
            return mark
        if isinstance(value, bytes):
            return value.decode("utf-8")
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    try:
        text = json.dumps(value, ensure_ascii=ASCII, default=other)
        for mark, number in marks.items():
            text = text.replace(mark, number)
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def uncaught(kind, error, trace):
    """What ends the process is shown; where this file lies differs from run to run, AWS's place stands for it."""
    text = "".join(traceback.format_exception(kind, error, trace))
    try:
        sys.stderr.write(text.replace(os.path.dirname(__file__), "/var/runtime"))
    except (OSError, ValueError):
        pass


def decode(body):
    try:
        return json.loads(body)
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from None


def main():
    api = Api()
    sys.stdout, sys.stderr = Unbuffered(sys.stdout), Unbuffered(sys.stderr)
    sys.excepthook = uncaught
    set_up_logging()
    layers = "/opt"
    for argument in sys.argv[2:]:
        if argument.startswith("opt="):
            layers = argument[4:]
        else:
            CLOCK.virtual = int(argument)
    # The process's own arguments are no business of the handler's.
    sys.argv = sys.argv[:1]
    sys.path[0] = os.environ.get("LAMBDA_TASK_ROOT", os.getcwd())
    for folder in ("python", f"python/lib/python3.{sys.version_info[1]}/site-packages"):
        folder = os.path.join(layers, folder)
        if os.path.isdir(folder):
            sys.path.insert(1, folder)
    try:
        handler = load(os.environ["_HANDLER"])
    except Exception as error:
        kind, document, line = describe(error, "")
        say(line)
        flush()
        api.post("/init/error", document, kind)
        sys.exit(1)
    while True:
        flush()
        _, headers, body = api.call("GET", "/invocation/next", unfinished())
        request_id = headers["lambda-runtime-aws-request-id"]
        virtual = headers.get("triggerfish-now-ms")
        CLOCK.virtual = int(virtual) if virtual else None
        RequestId.current = request_id
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        try:
            result = encode(handler(decode(body), LambdaContext(headers)))
        except Exception as error:
            kind, document, line = describe(error, request_id)
            say(line)
            flush()
            api.post(f"/invocation/{request_id}/error", document, kind)
        else:
            flush()
            api.post(f"/invocation/{request_id}/response", result)


if __name__ == "__main__":
    main()
