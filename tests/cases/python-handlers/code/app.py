import ctypes
import decimal
import logging
import os
import select
import subprocess
import sys
import threading


def handler(event, context):
    return globals()[event["do"]](context)


def dies(context):
    print("printed, no end of line", end="")
    os._exit(3)


def is_killed(context):
    print("printed before the signal")
    os.kill(os.getpid(), 9)


def leaves(context):
    sys.exit(0)


def raises(context):
    raise ValueError("two\nlines")


def raises_unwritable(context):
    raise ValueError("\ud800")


def set_of_things(context):
    return {1}


def decimals(context):
    return [decimal.Decimal("1.50"), decimal.Decimal(3), decimal.Decimal("1E+3"), b"text"]


def bytes_as_they_are(context):
    return b'{"raw":  true}'


def too_deep(context):
    too_deep(context)


def logs(context):
    logger = logging.getLogger()
    logger.info("not shown")
    logger.warning("two\nlines")
    shown = logger.handlers[0].formatter
    logger.handlers[0].setFormatter(logging.Formatter("own format %(message)s [%(aws_request_id)s]"))
    logger.warning(context.aws_request_id)
    logger.handlers[0].setFormatter(shown)
    sys.stdout.buffer.write(b"\xff is not UTF-8\n")
    sys.stdout.flush()
    print("out")
    print("err", file=sys.stderr)
    os.write(1, b"raw\n")


def shows_context(context):
    return str(context).split(",")[2:7]


def thread(context):
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def closes_everything(context):
    os.closerange(0, 100)


def crashes(context):
    ctypes.string_at(0)


def starts_a_session(context):
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open(os.environ["TMPDIR"] + "/left", "w") as file:
        file.write(str(left.pid))
    os._exit(0)


def waits_for_its_end(context):
    with open(os.environ["TMPDIR"] + "/left") as file:
        pid = int(file.read())
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return "gone"
    select.select([end], [], [])
    return "gone"


def is_interrupted(context):
    raise KeyboardInterrupt
