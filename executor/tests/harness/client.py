import http.client, json, os, signal, sys, threading, time

class Extension:
    """A client of the Extensions API (2020-01-01)."""

    def __init__(self, name=None, events=("INVOKE", "SHUTDOWN")):
        self.name = name or os.path.basename(sys.argv[0])
        self.api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self.id = None
        if events is not None:
            status, headers, body = self.call("register", {"events": events}, {"Lambda-Extension-Name": self.name})
            self.id, self.registered = headers.get("Lambda-Extension-Identifier"), (status, body)

    def call(self, path, body=None, headers=(), method="POST", base="/2020-01-01/extension/"):
        headers = dict(headers)
        if self.id:
            headers.setdefault("Lambda-Extension-Identifier", self.id)
        body = json.dumps(body) if not isinstance(body, (str, bytes)) else body
        self.api.request(method, base + path, body, headers)
        answer = self.api.getresponse()
        text = answer.read().decode()
        try:
            return answer.status, answer.headers, json.loads(text)
        except ValueError:
            return answer.status, answer.headers, text

    def next(self):
        status, _, body = self.call("event/next", method="GET")
        assert status == 200, (status, body)
        return body

def note(text):
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(f"{text}\n")

