import logging
import os


def logs():
    print("printed is plain")
    logging.debug("too low")
    logging.info("said %s", "ä")
    logging.getLogger("mine").warning({"a": [1]}, extra={"order": 7, "odd": {1}})
    try:
        {}["k"]
    except KeyError:
        logging.exception("caught")
    return {name: os.environ.get(name) for name in ("AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL")}


def fails():
    raise ValueError("two\nlines")


def handler(event, context):
    return globals()[event["do"]]()
