import os
import pathlib
import urllib.parse

UPLOADS = pathlib.Path(os.environ["UPLOADS"])


def handler(event, context):
    record = event["Records"][0]
    key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
    if record["eventName"].startswith("ObjectRemoved"):
        print(f"{key} is gone")
        return {"key": key}
    size = len((UPLOADS / key).read_bytes())
    print(f"{key} has {size} bytes")
    return {"key": key, "size": size}
