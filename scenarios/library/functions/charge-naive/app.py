"""Charges an order. The bug: S3 may deliver an event twice, and this charges twice."""

import os
import pathlib
import urllib.parse

CHARGES = pathlib.Path(os.environ["CHARGES"])


def handler(event, context):
    order = urllib.parse.unquote_plus(event["Records"][0]["s3"]["object"]["key"])
    with (CHARGES / "ledger.txt").open("a") as ledger:
        ledger.write(f"charged {order}\n")
