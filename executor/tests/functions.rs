//! Functions that are defined, replaced and removed while the executor runs, with real processes.

mod harness;

use std::time::{Duration, Instant};

use executor::{FunctionSpec, Pace, Runtime};
use harness::{Made, World};
use router::name::{FunctionName, FunctionVersion, Version};

const THIRD: Version = Version::Published(3);

/// Waits for a file before it answers, and says which code it is.
fn handler(word: &str) -> String {
    format!(
        "import os, time
count = 0
def handler(event, context):
    global count
    count += 1
    note('began {word} ' + str(count))
    while event and not os.path.exists(os.environ['NOTES'] + '/go'):
        time.sleep(0.005)
    return '{word} ' + str(count)
"
    )
}

fn world(pace: Pace) -> World {
    Made {
        pace,
        handler: &handler("old"),
        ..Made::default()
    }
    .start()
}

/// The function with other code, in a folder of its own.
fn with_code(world: &World, folder: &str, text: &str) -> FunctionSpec {
    let code = world.here.path().join(folder);
    std::fs::create_dir_all(&code).expect("made");
    std::fs::write(code.join("app.py"), text).expect("written");
    FunctionSpec {
        code,
        ..world.spec.clone()
    }
}

/// The same, with what its tests note.
fn newer(world: &World) -> FunctionSpec {
    let client = std::fs::read_to_string(world.spec.code.join("app.py")).expect("read");
    with_code(world, "new", &client.replace("old", "new"))
}

fn wait_for(world: &mut World, text: &str) {
    let began = Instant::now();
    while !world.seen().contains(text) {
        assert!(began.elapsed() < Duration::from_secs(60), "no {text}");
        world.reactor.wait(Some(Duration::from_millis(5)));
        assert!(world.hear().is_none(), "it ended");
    }
}

fn go(world: &World) {
    std::fs::write(world.here.path().join("notes/go"), "").expect("written");
}

fn environments(world: &World) -> Vec<String> {
    let names = world.environments.iter();
    names
        .map(|name| name.as_ref().map_or("none".to_owned(), ToString::to_string))
        .collect()
}

#[test]
fn what_is_redefined_is_cold_at_once_and_what_runs_finishes_on_the_old_code() {
    for pace in [Pace::Live, Pace::Virtual] {
        let mut world = world(pace);
        assert_eq!(world.call("0"), r#""old 1""#);
        assert_eq!(world.call("0"), r#""old 2""#);
        world.invoke("1");
        wait_for(&mut world, "began old 3");
        let new = newer(&world);
        world.executor.functions().define(new).expect("defined");
        // Not even heard of: the next invocation sees it nevertheless.
        assert_eq!(world.call("0"), r#""new 1""#);
        go(&world);
        assert_eq!(world.answer(), r#""old 3""#);
        assert_eq!(world.call("0"), r#""new 2""#);
        assert_eq!(
            environments(&world),
            ["env:f/1", "env:f/1", "env:f/2", "env:f/1", "env:f/2"]
        );
        world.end();
    }
}

#[test]
fn a_removed_function_finishes_what_runs_and_takes_nothing_more() {
    let mut world = world(Pace::Live);
    world.invoke("1");
    wait_for(&mut world, "began old 1");
    let latest = FunctionVersion::latest(FunctionName::new("f"));
    world.executor.functions().remove(&latest);
    let missing = world.call("0");
    assert!(
        missing.contains("Missing") && missing.contains(":function:f:$LATEST"),
        "{missing}"
    );
    go(&world);
    assert_eq!(world.answer(), r#""old 1""#);
    assert!(world.executor.functions().code().is_empty());
    let again = newer(&world);
    world.executor.functions().define(again).expect("defined");
    assert_eq!(world.call("0"), r#""new 1""#);
    assert_eq!(
        environments(&world),
        ["none", "env:f/1", "env:f/2"],
        "no name is given twice"
    );
    world.end();
}

#[test]
fn two_versions_run_side_by_side_and_know_who_they_are() {
    let told = "import os
def handler(event, context):
    names = ['FUNCTION_VERSION', 'LOG_GROUP_NAME', 'LOG_STREAM_NAME', 'INITIALIZATION_TYPE']
    return [event] + [os.environ['AWS_LAMBDA_' + name] for name in names] + [context.invoked_function_arn]
";
    let mut world = world(Pace::Virtual);
    let latest = with_code(&world, "latest", &told.replace("[event]", "['latest']"));
    let third = FunctionSpec {
        version: THIRD,
        log_group: Some("/mine".to_owned()),
        ..with_code(&world, "third", &told.replace("[event]", "['third']"))
    };
    world.executor.functions().define(latest).expect("defined");
    world.executor.functions().define(third).expect("defined");
    let mut call = |version, qualifier| {
        let text = world.call_as(version, qualifier, "0");
        let all: Vec<String> = serde_json::from_str(&text).expect("a list of texts");
        all
    };
    let first = call(Version::Latest, None);
    assert_eq!(first[..3], ["latest", "$LATEST", "/aws/lambda/f"]);
    assert!(
        first[3].contains("/[$LATEST]") && first[5].ends_with(":function:f"),
        "{first:?}"
    );
    let second = call(THIRD, Some("prod"));
    assert_eq!(second[..3], ["third", "3", "/mine"]);
    assert!(
        second[3].contains("/[3]") && second[5].ends_with(":function:f:prod"),
        "{second:?}"
    );
    assert_eq!(
        (first[4].as_str(), second[4].as_str()),
        ("on-demand", "on-demand")
    );
    assert!(call(Version::Latest, Some("$LATEST"))[5].ends_with(":f:$LATEST"));
    assert_eq!(environments(&world), ["env:f/1", "env:f:3/1", "env:f/1"]);
    world.end();
}

#[test]
fn what_an_invocation_can_fail_of_is_defined_and_fails_there() {
    let mut world = world(Pace::Virtual);
    let bare = with_code(&world, "bare", "");
    let spec = |runtime: &str, handler: &str, version| FunctionSpec {
        runtime: Runtime::parse(runtime).expect("known"),
        handler: handler.to_owned(),
        version: Version::Published(version),
        ..bare.clone()
    };
    let python = |handler| spec("python3.12", handler, 1);
    let node = |handler| spec("nodejs20.x", handler, 1);
    std::fs::write(bare.code.join("app.js"), "").expect("written");
    for (spec, kind) in [
        (python("nothing.handler"), "Runtime.ImportModuleError"),
        (python("app.handler"), "Runtime.HandlerNotFound"),
        (python("nodot"), "Runtime.MalformedHandlerName"),
        (node("nothing.handler"), "Runtime.ImportModuleError"),
        (node("app.handler"), "Runtime.HandlerNotFound"),
        (node("nodot"), "Runtime.MalformedHandlerName"),
        (spec("provided.al2023", "any", 1), "Runtime.InvalidEntrypoint"),
    ] {
        let what = format!("{:?} {}", spec.runtime, spec.handler);
        world.executor.functions().define(spec).expect("defined");
        let answer = world.call_as(Version::Published(1), None, "0");
        assert!(answer.contains(&format!("\"{kind}\"")), "{what}: {answer}");
    }
    world.end();
}

#[test]
fn what_no_invocation_could_mend_is_refused() {
    let world = world(Pace::Live);
    let nowhere = FunctionSpec {
        code: world.here.path().join("nowhere"),
        ..world.spec.clone()
    };
    let nobody = FunctionSpec {
        runtime: Runtime::Command(vec!["no-such-program-7".to_owned()]),
        ..world.spec.clone()
    };
    let key = |spec| world.executor.functions().define(spec).map_err(|error| error.key);
    assert_eq!((key(nowhere), key(nobody)), (Err("code"), Err("command")));
    assert_eq!(key(world.spec.clone()), Ok(()));
    world.end();
}

#[test]
fn a_folder_of_code_that_is_gone_is_named() {
    for pace in [Pace::Live, Pace::Virtual] {
        let mut world = world(pace);
        let other = world.here.path().join("renamed");
        std::fs::rename(&world.spec.code, &other).expect("renamed");
        let answer = world.call("0");
        let code = world.spec.code.canonicalize().unwrap_or(world.spec.code.clone());
        let told = format!("the folder of the function's code is gone: {}", code.display());
        assert!(
            answer.contains("Runtime.InvalidEntrypoint") && answer.contains(&told),
            "{answer}"
        );
        std::fs::rename(&other, &world.spec.code).expect("renamed");
        assert_eq!(world.call("0"), r#""old 1""#);
        world.end();
    }
}
