import os
import subprocess


def handler(event, context):
    if event["do"] == "big":
        return "x" * (6_291_556 - 1)
    if event["do"] == "exit":
        os._exit(3)
    if event["do"] == "fork":
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        return "forked"
    if event["do"] == "flood":
        # More than a pipe holds, and more than one look at it takes.
        print(("y" * 10_000 + "\n") * 600)
        return "told"
