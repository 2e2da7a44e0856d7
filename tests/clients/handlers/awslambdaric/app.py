import os
import time

calls = 0
if os.environ.get("INIT") == "fail":
    raise RuntimeError("no init today")


def handler(event, context):
    global calls
    calls += 1
    do = event["do"]
    print("got", do)
    if do == "context":
        return {
            "id": context.aws_request_id,
            "arn": context.invoked_function_arn,
            "name": context.function_name,
            "memory": context.memory_limit_in_mb,
            "remaining": context.get_remaining_time_in_millis(),
            "custom": context.client_context.custom if context.client_context else None,
        }
    if do == "fail" or (do == "flaky" and calls < 3):
        raise ValueError(event.get("message", "not yet"))
    if do == "exit":
        os._exit(3)
    if do == "sleep":
        time.sleep(600)
    if do == "large":
        return "x" * (event["size"] - 2)
    return {"calls": calls}
