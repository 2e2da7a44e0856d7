"""A running `triggerfish up`, and boto3's client for it."""

import os
import pathlib
import re
import subprocess
import tempfile

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "triggerfish"


class Live:
    """Runs a project in a folder of its own until it is stopped."""

    def __init__(self, project, prepare, arguments=()):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        (self.root / "triggerfish.yaml").write_text(project)
        prepare(self.root)
        self.up = subprocess.Popen(
            [BINARY, "up", "--listen", "127.0.0.1:0", *arguments], cwd=self.root, stdout=subprocess.PIPE, text=True
        )
        ready = self.up.stdout.readline()
        self.endpoint = ready.split()[2]
        self.client = boto3.client(
            "lambda",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def until(self, text):
        """Reads what `up` says up to the line that contains `text`."""
        said = ""
        for line in self.up.stdout:
            said += line
            if text in line:
                return said
        raise AssertionError(f"`{text}` did not come after:\n{said}")

    def stop(self):
        """Ends it as Ctrl-C does, checks that every event ended accounted for, and gives what it said."""
        self.up.terminate()
        rest = self.up.stdout.read()
        assert self.up.wait(timeout=30) == 0, rest
        ledger = [int(n) for n in re.findall(r"(\d+) (?:events?|done|dead|dropped|open)", rest.splitlines()[-1])]
        assert ledger[0] == sum(ledger[1:]), rest
        self.folder.cleanup()
        return rest
