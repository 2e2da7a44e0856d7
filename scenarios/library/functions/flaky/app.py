"""Fails until its backend answers: twice, then it works.

The count lives in a global, so it survives because a warm execution environment is reused.
"""

calls = 0


class BackendDown(Exception):
    pass


def handler(event, context):
    global calls
    calls += 1
    if calls < 3:
        raise BackendDown(f"call {calls}: backend does not answer")
    return {"calls": calls, "request": context.aws_request_id}
