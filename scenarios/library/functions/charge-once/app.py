"""Charges an order once, however often its event arrives.

The order's key and the event's sequencer name the operation; a marker that is created exclusively
remembers it.
"""

import os
import pathlib
import urllib.parse

CHARGES = pathlib.Path(os.environ["CHARGES"])


def handler(event, context):
    item = event["Records"][0]["s3"]["object"]
    order = urllib.parse.unquote_plus(item["key"])
    try:
        (CHARGES / f"{order}.{item['sequencer']}.seen").open("x").close()
    except FileExistsError:
        print(f"{order} was charged already")
        return
    with (CHARGES / "ledger.txt").open("a") as ledger:
        ledger.write(f"charged {order}\n")
