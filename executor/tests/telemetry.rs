//! The Telemetry API with a real subscriber: what a function wrote and what the platform did arrive in batches.

mod harness;

use executor::Pace;
use harness::Made;

/// A subscriber that listens on a port of its own, notes what it gets, and knows by it when a runtime is done.
const SUBSCRIBER: &str = "
import http.server, queue
done = queue.Queue()
class Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for event in json.loads(self.rfile.read(int(self.headers['Content-Length']))):
            record = event['record']
            if isinstance(record, dict):
                record.pop('metrics', None)
                record = json.dumps(record, sort_keys=True)
            note(event['type'] + ' ' + record)
            if event['type'] == 'platform.runtimeDone':
                done.put(event)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Listener)
threading.Thread(target=server.serve_forever, daemon=True).start()
me = Extension()
def subscribe(types=['platform', 'function', 'extension'], host='sandbox.localdomain', version='2022-12-13', headers=()):
    body = {
        'schemaVersion': version,
        'types': types,
        'buffering': {'maxItems': 1000, 'maxBytes': 262144, 'timeoutMs': 25},
        'destination': {'protocol': 'HTTP', 'URI': f'http://{host}:{server.server_port}/in'},
    }
    return me.call('', body, headers, method='PUT', base='/2022-07-01/telemetry')
";

#[test]
fn what_a_function_writes_and_what_the_platform_does_arrive() {
    let follow = "
print(subscribe()[::2], flush=True)
while True:
    event = me.next()
    if event['eventType'] == 'SHUTDOWN':
        note('SHUTDOWN')
        break
    # As many extensions do: it is done when the runtime is.
    assert done.get()['record']['requestId'] == event['requestId']
";
    for pace in [Pace::Live, Pace::Virtual] {
        let extension = format!("{SUBSCRIBER}{follow}");
        let mut world = Made {
            pace,
            handler: "print('loading')\ndef handler(event, context):\n    print('handled', event)\n    if event == 2:\n        raise ValueError('no')\n    return event\n",
            extensions: &[("tele.py", &extension)],
            ..Made::default()
        }
        .start();
        assert_eq!(world.call("1"), "1");
        assert!(world.call("2").contains("ValueError"));
        let seen = world.end();
        let types: Vec<&str> = seen.lines().filter_map(|line| line.split(' ').next()).collect();
        let of = |kind: &str| {
            seen.lines()
                .filter(|line| line.starts_with(kind))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("platform.initStart").len(), 1, "{seen}");
        assert_eq!(
            of("platform.telemetrySubscription"),
            [
                r#"platform.telemetrySubscription {"name": "tele.py", "state": "Subscribed", "types": ["platform", "function", "extension"]}"#
            ]
        );
        assert_eq!(
            of("platform.initRuntimeDone"),
            [
                r#"platform.initRuntimeDone {"initializationType": "on-demand", "phase": "init", "status": "success"}"#
            ]
        );
        assert_eq!(of("platform.initReport").len(), 1, "{seen}");
        assert_eq!(
            of("platform.extension"),
            [r#"platform.extension {"events": ["INVOKE", "SHUTDOWN"], "name": "tele.py", "state": "Ready"}"#]
        );
        assert_eq!(
            &of("function")[..2],
            ["function loading", "function handled 1"],
            "{seen}"
        );
        assert!(of("extension").contains(&"extension (200, 'OK')"), "{seen}");
        assert_eq!(of("platform.start").len(), 2, "{seen}");
        let done = of("platform.runtimeDone");
        assert!(
            done[0].contains(r#""status": "success""#) && done[1].contains(r#""status": "error""#),
            "{seen}"
        );
        let report = of("platform.report");
        assert!(
            report[0].contains(r#""status": "success""#) && report[1].contains(r#""status": "error""#),
            "{seen}"
        );
        // What a function wrote comes before its end, and all of it before the end of all.
        let at = |line: &str| seen.lines().position(|l| l.starts_with(line));
        assert!(at("function handled 1") < at("platform.runtimeDone"), "{seen}");
        assert_eq!(types.last(), Some(&"SHUTDOWN"), "{seen}");
    }
}

#[test]
fn wrong_subscriptions_are_refused() {
    let wrong = "
def tell(what, answer):
    print(what, answer[0], answer[2]['errorType'], flush=True)
tell('version', subscribe(version='1'))
tell('types', subscribe(types=[]))
tell('host', subscribe(host='example.com'))
tell('unknown', subscribe(headers={'Lambda-Extension-Identifier': '8476a536-e9f4-41e8-a5ff-2c6f0a3c2a11'}))
tell('logs', me.call('', {}, method='PUT', base='/2020-08-15/logs'))
while me.next()['eventType'] == 'INVOKE':
    tell('late', subscribe())
";
    let extension = format!("{SUBSCRIBER}{wrong}");
    let mut world = Made {
        pace: Pace::Virtual,
        extensions: &[("tele.py", &extension)],
        ..Made::default()
    }
    .start();
    let answer = world.call("1");
    assert_eq!(answer, "1", "{:#?}", world.lines);
    for line in [
        "version 400 ValidationError",
        "types 400 ValidationError",
        "host 400 ValidationError",
        "unknown 403 Extension.UnknownExtensionIdentifier",
        "logs 202 Logs.NotSupported",
        "late 403 Telemetry.SubscriptionClosed",
    ] {
        world.expect_line(line);
    }
}

/// A listener that is not there loses its events, and holds nobody up.
#[test]
fn a_subscriber_that_does_not_listen_delays_nothing() {
    let deaf = "
server.shutdown()
server.server_close()
print(subscribe()[::2], flush=True)
while me.next()['eventType'] == 'INVOKE':
    pass
";
    let extension = format!("{SUBSCRIBER}{deaf}");
    let mut world = Made {
        extensions: &[("deaf.py", &extension)],
        ..Made::default()
    }
    .start();
    for n in 0..5 {
        assert_eq!(world.call(&n.to_string()), n.to_string());
    }
    assert_eq!(world.end(), "");
}
