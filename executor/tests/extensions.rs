//! Extensions as real processes: they register, hear of invocations and of the end, hold the freeze, and crash.

mod harness;

use std::path::Path;
use std::time::Duration;

use executor::Pace;
use harness::Made;

/// An extension that does what it should.
const GOOD: &str = "
me = Extension()
print('registered', me.registered, flush=True)
while True:
    event = me.next()
    note(event['eventType'] + ' ' + event.get('shutdownReason', ''))
    if event['eventType'] == 'SHUTDOWN':
        break
    print('saw', event['requestId'], event['tracing']['type'], flush=True)
";

#[test]
fn an_extension_registers_hears_of_each_invocation_and_of_the_end() {
    for pace in [Pace::Live, Pace::Virtual] {
        let mut world = Made {
            pace,
            extensions: &[("good.py", GOOD)],
            ..Made::default()
        }
        .start();
        assert_eq!(world.call("1"), "1");
        assert_eq!(world.call("2"), "2");
        world.expect_line(
            "registered (200, {'functionName': 'f', 'functionVersion': '$LATEST', 'handler': 'app.handler'})",
        );
        world.expect_line("EXTENSION\tName: good.py\tState: Ready\tEvents: [INVOKE,SHUTDOWN]");
        if pace == Pace::Virtual {
            world.expect_line("X-Amzn-Trace-Id");
        }
        assert_eq!(world.end(), "INVOKE \nINVOKE \nSHUTDOWN spindown\n");
    }
}

#[test]
fn nothing_of_the_runtime_reaches_an_extensions_variables() {
    let mut world = Made {
        pace: Pace::Virtual,
        extensions: &[(
            "env.py",
            "me = Extension(events=['INVOKE'])\nprint(*sorted(os.environ), flush=True)\nwhile True:\n    me.next()\n",
        )],
        ..Made::default()
    }
    .start();
    world.call("1");
    let line = world.lines.iter().find(|line| line.contains("AWS_REGION"));
    let keys: Vec<&str> = line.expect("printed").split(' ').collect();
    for key in [
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_ACCESS_KEY_ID",
        "AWS_LAMBDA_RUNTIME_API",
        "SEEN",
    ] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    for key in &keys {
        let runtimes = [
            "LAMBDA_TASK_ROOT",
            "LAMBDA_RUNTIME_DIR",
            "AWS_EXECUTION_ENV",
            "PYTHONPATH",
        ];
        let none = !key.starts_with('_') && !key.starts_with("AWS_LAMBDA_LOG") && !runtimes.contains(key);
        assert!(none, "{key}");
    }
}

#[test]
fn one_that_crashes_during_an_invocation_fails_it_and_the_next_works() {
    let crash = "
me = Extension()
once = os.environ['TMPDIR'] + '/once'
while True:
    event = me.next()
    if event['eventType'] == 'INVOKE' and not os.path.exists(once):
        open(once, 'w').close()
        os.kill(os.getpid(), signal.SIGKILL)
";
    for pace in [Pace::Live, Pace::Virtual] {
        let mut world = Made {
            pace,
            // It answers only in the second life: the crash comes first.
            handler: "def handler(event, context):\n    if event == 1:\n        time.sleep(600)\n    return event\n",
            extensions: &[("crash.py", crash)],
            ..Made::default()
        }
        .start();
        let error = world.call("1");
        assert!(
            error.starts_with(r#"{"errorType":"Extension.Crash","errorMessage":"RequestId: "#),
            "{error}"
        );
        assert!(error.ends_with(r#" Error: signal: killed"}"#), "{error}");
        assert_eq!(world.call("2"), "2");
        world.expect_line(
            "EXTENSION\tName: crash.py\tState: Exited\tEvents: [INVOKE,SHUTDOWN]\tError Type: signal: killed",
        );
    }
}

/// Whoever writes without end keeps neither the answer nor the timeout nor the end waiting, and is not kept whole.
#[test]
fn one_that_floods_its_output_delays_nobody() {
    let flood = "
import subprocess
me = Extension()
while me.next()['eventType'] == 'INVOKE':
    subprocess.Popen(['yes'])
";
    let handler =
        "def handler(event, context):\n    time.sleep(600 if event == 2 else 0)\n    return event\n";
    let mut world = Made {
        extensions: &[("flood.py", flood)],
        handler,
        timeout: Duration::from_secs(1),
        ..Made::default()
    }
    .start();
    assert_eq!(world.call("1"), "1");
    assert!(world.call("2").contains("Sandbox.Timedout"));
    world.end();
}

/// The caller of a live invocation has its answer; the environment goes on until the extension asks for more.
#[test]
fn an_extension_holds_the_freeze_after_the_answer() {
    let slow = "
me = Extension()
while True:
    event = me.next()
    if event['eventType'] == 'INVOKE':
        while not os.path.exists(os.environ['SEEN'] + '.answered'):
            time.sleep(0.001)
        note('worked on')
    else:
        break
";
    let mut world = Made {
        extensions: &[("slow.py", slow)],
        ..Made::default()
    }
    .start();
    assert_eq!(world.call("1"), "1");
    assert_eq!(world.seen(), "");
    std::fs::write(world.here.path().join("notes/seen.answered"), "").expect("written");
    while world.seen().is_empty() {
        world.reactor.wait(Some(Duration::from_millis(1)));
    }
    assert_eq!(world.end(), "worked on\n");
}

/// In virtual pace, nothing of an attempt runs when it counts as over.
#[test]
fn in_virtual_pace_an_attempt_lasts_until_the_extensions_are_done() {
    let slow = "
me = Extension(events=['INVOKE'])
while True:
    me.next()
    time.sleep(0.05)
    note('done')
    print('done', flush=True)
";
    let mut world = Made {
        pace: Pace::Virtual,
        extensions: &[("slow.py", slow)],
        ..Made::default()
    }
    .start();
    world.call("1");
    assert_eq!(world.seen(), "done\n");
    assert_eq!(world.lines.last().map(String::as_str), Some("done"));
}

#[test]
fn one_that_never_registers_is_named() {
    let mut world = Made {
        pace: Pace::Virtual,
        extensions: &[("good.py", GOOD), ("mute.py", "time.sleep(600)\n")],
        timeout: Duration::from_secs(1),
        init: Duration::from_secs(1),
        ..Made::default()
    }
    .start();
    let error = world.call("1");
    assert!(error.contains("Sandbox.Timedout"), "{error}");
    world.expect_line("INIT_REPORT Init Duration: 1000.00 ms\tPhase: init\tStatus: timeout");
    world.expect_line("[triggerfish] the init did not end within 1 s: extension `mute.py` did not register");
    // It had registered, so it heard of both ends.
    assert_eq!(world.end(), "SHUTDOWN timeout\nSHUTDOWN timeout\n");
}

#[test]
fn starts_that_fail_have_their_types() {
    let cases = [
        (
            "exit.py",
            "sys.exit(3)\n",
            "Extension.Crash",
            "Error: exit status 3",
        ),
        (
            "init.py",
            "me = Extension()\nprint(me.call('init/error', {}, {'Lambda-Extension-Function-Error-Type': 'Mine.Bad'})[0], flush=True)\n",
            "Extension.InitError",
            "Error: Mine.Bad",
        ),
        (
            "exit-error.py",
            "me = Extension()\nme.next()\nme.call('exit/error', {}, {'Lambda-Extension-Function-Error-Type': 'Mine.Bad'})\n",
            "Extension.ExitError",
            "Error: Mine.Bad",
        ),
    ];
    for (name, text, kind, why) in cases {
        let mut world = Made {
            pace: Pace::Virtual,
            handler: "def handler(event, context):\n    time.sleep(600)\n",
            extensions: &[(name, text)],
            ..Made::default()
        }
        .start();
        let error = world.call("1");
        assert!(error.contains(kind) && error.contains(why), "{name}: {error}");
        world.expect_line(&format!("EXTENSION\tName: {name}\tState: "));
    }
}

#[test]
fn a_file_that_is_no_program_is_a_launch_error() {
    let mut world = Made::default().start();
    let file = world.here.path().join("code/extensions/text");
    std::fs::write(&file, "hello").expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&file, mode).expect("executable");
    let error = world.call("1");
    assert!(
        error.contains("Extension.LaunchError") && error.contains("exec format error"),
        "{error}"
    );
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(world.call("2"), "2", "without it, it works");
}

#[test]
fn internal_extensions_are_told_of_invocations_and_the_runtime_of_the_end() {
    let handler = "
me = Extension('thread', ['INVOKE'])
refused = [Extension('late', ['SHUTDOWN']).registered]
def loop():
    while True:
        note(me.next()['eventType'])
threading.Thread(target=loop, daemon=True).start()
def end(*_):
    note('SIGTERM')
    os._exit(0)
signal.signal(signal.SIGTERM, end)
def handler(event, context):
    late = Extension('late', ['INVOKE']).registered
    return [refused[0][0], refused[0][1]['errorType'], late[0], late[1]['errorType']]
";
    let mut world = Made {
        pace: Pace::Virtual,
        handler,
        ..Made::default()
    }
    .start();
    assert_eq!(
        world.call("1"),
        r#"[403, "Extension.InvalidEventType", 403, "Extension.RegistrationClosed"]"#
    );
    assert_eq!(world.end(), "INVOKE\nSIGTERM\n");
}

#[test]
fn a_runtime_that_dies_takes_its_extensions_along() {
    let mut world = Made {
        handler: "def handler(event, context):\n    os._exit(4) if event == 1 else None\n    return event\n",
        extensions: &[("good.py", GOOD)],
        ..Made::default()
    }
    .start();
    let error = world.call("1");
    assert!(
        error.contains("Runtime.ExitError") && error.contains("exit status 4"),
        "{error}"
    );
    assert_eq!(world.call("2"), "2");
    assert_eq!(
        world.end(),
        "INVOKE \nSHUTDOWN failure\nINVOKE \nSHUTDOWN spindown\n"
    );
}

#[test]
fn a_timeout_is_told_to_the_extensions() {
    let mut world = Made {
        handler: "def handler(event, context):\n    time.sleep(600)\n",
        extensions: &[("good.py", GOOD)],
        timeout: Duration::from_secs(1),
        ..Made::default()
    }
    .start();
    let error = world.call("1");
    assert!(error.contains("Sandbox.Timedout"), "{error}");
    assert_eq!(world.end(), "INVOKE \nSHUTDOWN timeout\n");
}

#[test]
fn wrong_calls_are_refused_with_their_types() {
    let wrong = "
me = Extension('nobody')
print('wrong name', me.registered[0], me.registered[1]['errorType'], flush=True)
me = Extension()
def tell(what, answer):
    print(what, answer[0], answer[2]['errorType'], flush=True)
tell('twice', me.call('register', {'events': []}, {'Lambda-Extension-Name': me.name}))
tell('no name', me.call('register', {'events': []}))
tell('garbage', me.call('register', 'x', {'Lambda-Extension-Name': me.name}))
tell('other event', me.call('register', {'events': ['X']}, {'Lambda-Extension-Name': me.name}))
tell('unknown', me.call('event/next', method='GET', headers={'Lambda-Extension-Identifier': '8476a536-e9f4-41e8-a5ff-2c6f0a3c2a11'}))
tell('invalid', me.call('event/next', method='GET', headers={'Lambda-Extension-Identifier': 'x'}))
tell('no type', me.call('exit/error', {}))
other = Extension(events=None)
tell('missing', other.call('event/next', method='GET'))
while me.next()['eventType'] != 'SHUTDOWN':
    pass
";
    let other = "
me = Extension(events=None)
status, headers, body = me.call('register', {'events': ['SHUTDOWN']}, {'Lambda-Extension-Name': me.name, 'Lambda-Extension-Accept-Feature': 'accountId'})
print('account', body['accountId'], flush=True)
me.id = headers['Lambda-Extension-Identifier']
me.next()
";
    let mut world = Made {
        pace: Pace::Virtual,
        extensions: &[("wrong.py", wrong), ("other.py", other)],
        ..Made::default()
    }
    .start();
    let answer = world.call("1");
    assert_eq!(answer, "1", "{:#?}", world.lines);
    for line in [
        "wrong name 403 Extension.InvalidExtensionName",
        "twice 403 Extension.InvalidExtensionState",
        "no name 403 Extension.InvalidExtensionName",
        "garbage 400 InvalidRequestFormat",
        "other event 403 Extension.InvalidEventType",
        "unknown 403 Extension.UnknownExtensionIdentifier",
        "invalid 403 Extension.InvalidExtensionIdentifier",
        "no type 403 Extension.MissingHeader",
        "missing 403 Extension.MissingExtensionIdentifier",
        "account 123456789012",
    ] {
        world.expect_line(line);
    }
}

/// The pid that was noted first.
fn noted_pid(world: &harness::World) -> std::path::PathBuf {
    let seen = world.seen();
    Path::new("/proc").join(seen.lines().next().expect("a pid"))
}

#[test]
fn one_that_ignores_the_end_is_killed() {
    let stubborn = "
me = Extension()
note(os.getpid())
while True:
    me.next()
";
    let mut world = Made {
        extensions: &[("stubborn.py", stubborn)],
        ..Made::default()
    }
    .start();
    assert_eq!(world.call("1"), "1");
    let process = noted_pid(&world);
    assert!(process.exists());
    world.end();
    assert!(!process.exists());
}

/// Nobody is told of a failure that no invocation had; the next one finds a new environment.
#[test]
fn one_that_is_killed_between_invocations_costs_a_cold_start() {
    let good = "
me = Extension()
note(os.getpid())
while True:
    event = me.next()
    if event['eventType'] == 'SHUTDOWN':
        break
";
    let mut world = Made {
        pace: Pace::Virtual,
        handler: "count = 0\ndef handler(event, context):\n    global count\n    count += 1\n    return count\n",
        extensions: &[("a.py", good), ("good.py", GOOD)],
        ..Made::default()
    }
    .start();
    assert_eq!(world.call("1"), "1");
    assert_eq!(world.call("2"), "2");
    let seen = world.seen();
    let pid = seen
        .lines()
        .find(|line| line.parse::<u32>().is_ok())
        .expect("a pid");
    let killed = std::process::Command::new("kill").args(["-9", pid]).status();
    assert!(killed.expect("kill").success());
    while Path::new("/proc").join(pid).exists() {
        world.reactor.wait(Some(Duration::from_millis(1)));
    }
    assert_eq!(world.call("3"), "1");
    assert!(world.end().contains("SHUTDOWN failure"), "the other one was told");
}
