def handler(event, context): raise KeyError("size")
