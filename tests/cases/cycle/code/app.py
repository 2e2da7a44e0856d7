import os, pathlib

def handler(event, context):
    key = event["Records"][0]["s3"]["object"]["key"]
    (pathlib.Path(os.environ["UPLOADS"]) / f"{key}x").write_text("again")
