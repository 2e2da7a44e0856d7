import errno
import os
import resource
import subprocess
import threading
import time

COLD = {"first": True}
TICKS = []


def handler(event, context):
    return globals()[event["do"]](event)


def cold(event):
    was, COLD["first"] = COLD["first"], False
    return was


def write(event):
    with open("/tmp/kept", "w") as file:
        file.write(event["text"])
    return os.path.exists(os.environ["TMPDIR"] + "/kept")


def read(event):
    try:
        with open("/tmp/kept") as file:
            return file.read()
    except FileNotFoundError:
        return None


def beside(event):
    try:
        open("beside", "w")
    except OSError as error:
        return errno.errorcode[error.errno]


def fill(event):
    written = 0
    try:
        with open("/tmp/big", "wb") as file:
            while True:
                written += file.write(b"x" * 2**20)
                file.flush()
    except OSError as error:
        return [errno.errorcode[error.errno], written // 2**20]
    finally:
        os.remove("/tmp/big")


def take(event):
    taken = []
    for _ in range(event["mb"]):
        taken.append(b"x" * 2**20)
    return len(taken)


def take_together(event):
    children = [
        subprocess.Popen(["python3", "-c", "x = b'x' * (60 * 2**20); input()"], stdin=subprocess.PIPE)
        for _ in range(event["children"])
    ]
    return [child.wait() for child in children]


def bomb(event):
    while True:
        subprocess.Popen(["sleep", "600"])


def limits(event):
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def tick(event):
    def run():
        while True:
            TICKS.append(time.monotonic())
            time.sleep(0.01)

    threading.Thread(target=run, daemon=True).start()
    time.sleep(0.05)
    return len(TICKS) > 1


def ticks_while_idle(event):
    entered = time.monotonic()
    # The invocation before this one ended with the longest gap, which is the freeze.
    gaps = [b - a for a, b in zip(TICKS, TICKS[1:] + [entered])]
    longest = max(gaps)
    frozen_from = TICKS[gaps.index(longest)]
    return [t for t in TICKS if frozen_from < t < frozen_from + longest]


def leave(event):
    """Starts a process in a session of its own, which starts another in a session of its own, and crashes."""
    inner = "echo $$ > /tmp/pid.new; mv /tmp/pid.new /tmp/pid; exec sleep 600"
    outer = f"setsid sh -c '{inner}' & exec sleep 600"
    subprocess.Popen(["setsid", "sh", "-c", outer])
    while not os.path.exists("/tmp/pid"):
        time.sleep(0.001)
    os._exit(3)


def left(event):
    with open("/tmp/pid") as file:
        pid = int(file.read())
    try:
        os.kill(pid, 0)
        return "alive"
    except ProcessLookupError:
        return "gone"
