"""A running `triggerfish up`, and boto3's client for it."""

import os
import pathlib
import queue
import re
import subprocess
import tempfile
import threading

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "triggerfish"
# How long anything may take that these tests wait for, seconds.
PATIENCE = 30


class Live:
    """Runs a project in a folder of its own until it is stopped."""

    def __init__(self, project, prepare=lambda root: None, arguments=()):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        (self.root / "triggerfish.yaml").write_text(project)
        prepare(self.root)
        self.arguments = arguments
        self.start()

    def start(self):
        """Starts it, also again after it was killed: in the same folder, on another port."""
        command = [BINARY, "up", "--listen", "127.0.0.1:0", *self.arguments]
        self.up = subprocess.Popen(command, cwd=self.root, stdout=subprocess.PIPE, text=True)
        self.said = queue.SimpleQueue()
        # A pipe that nobody reads would fill up, and stop it.
        threading.Thread(target=self.listen, args=(self.up.stdout, self.said), daemon=True).start()
        self.endpoint = self.until("ready on").splitlines()[-1].split()[2]
        self.client = self.connect(retries={"total_max_attempts": 1})

    @staticmethod
    def listen(stdout, said):
        with stdout:
            for line in stdout:
                said.put(line)
        said.put(None)

    def connect(self, service="lambda", **config):
        """A client of boto3 for its endpoint."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(**config),
        )

    def environment(self):
        """The variables with which the `aws` CLI and SDKs find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "PATH": os.environ["PATH"],
        }

    def until(self, text):
        """Reads what `up` says up to the line that contains `text`."""
        said = ""
        while True:
            try:
                line = self.said.get(timeout=PATIENCE)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"`{text}` did not come after:\n{said}")
            said += line
            if text in line:
                return said

    def kill(self):
        """Ends it as `kill -9` does: nothing is told, nothing is tidied."""
        self.up.kill()
        self.up.wait(timeout=PATIENCE)

    def end(self):
        """Ends it as Ctrl-C does, checks that every event ended accounted for, and gives what it said."""
        self.up.terminate()
        assert self.up.wait(timeout=PATIENCE) == 0, "it did not end well"
        rest = "".join(iter(self.said.get, None))
        ledger = [int(n) for n in re.findall(r"(\d+) (?:events?|done|dead|dropped|open)", rest.splitlines()[-1])]
        assert ledger[0] == sum(ledger[1:]), rest
        return rest

    def stop(self):
        """Ends it, and removes its folder."""
        rest = self.end()
        self.folder.cleanup()
        return rest
