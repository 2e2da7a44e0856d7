import os


def handler(event, context):
    key = event["Records"][0]["s3"]["object"]["key"]
    with open(os.path.join(os.environ["DONE"], key), "a") as done:
        done.write("x")
