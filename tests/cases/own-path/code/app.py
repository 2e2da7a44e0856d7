import os

def handler(event, context):
    print(os.getcwd())
    print("reading", os.environ["UPLOADS"], os.environ["TMPDIR"])
    open(os.environ["UPLOADS"] + "/missing")
