import logging


def handler(event, context):
    print("not JSON")
    logging.debug("too low")
    logging.info("said %s", "\u00e4")
    logging.getLogger("mine").warning({"a": [1]}, extra={"order": 7, "odd": {1}, "none": None})
    try:
        {}["k"]
    except KeyError:
        logging.exception("caught")
    raise ValueError("two\nlines")
