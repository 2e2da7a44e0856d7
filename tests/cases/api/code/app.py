def handler(event, context):
    return {"custom": context.client_context.custom if context.client_context else None}
