def handler(event, context):
    return {"items": [{"a": 1}, {"a": 2}]}
