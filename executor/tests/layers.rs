//! Layers: what a function finds in `/opt`, or in the directory that stands for it where the machine refuses that.

mod harness;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use executor::{FunctionSpec, Pace, Runtime};
use harness::{CLIENT, Made, World};
use router::name::Version;

const FIRST: Version = Version::Published(1);

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("executable");
}

fn world() -> (World, PathBuf) {
    let world = Made {
        pace: Pace::Virtual,
        ..Made::default()
    }
    .start();
    let opt = world.here.path().join("opt");
    std::fs::create_dir(&opt).expect("made");
    (world, opt)
}

/// What is called `/opt` there.
fn place(opt: &Path) -> String {
    match executor::shortcomings().is_empty() {
        true => "/opt".to_owned(),
        false => opt.display().to_string(),
    }
}

fn define(world: &World, opt: &Path, runtime: &str, code: &[(&str, &str)]) {
    let folder = world.here.path().join("code-of-1");
    std::fs::create_dir_all(&folder).expect("made");
    for (name, text) in code {
        write(&folder.join(name), text);
    }
    let spec = FunctionSpec {
        version: FIRST,
        runtime: Runtime::parse(runtime).expect("known"),
        code: folder,
        opt: Some(opt.to_owned()),
        ..world.spec.clone()
    };
    world.executor.functions().define(spec).expect("defined");
}

#[test]
fn python_finds_modules_and_programs_and_changes_nothing() {
    let (mut world, opt) = world();
    write(&opt.join("python/layered.py"), "WORD = 'from a layer'\n");
    write(&opt.join("bin/layered-tool"), "#!/bin/sh\necho a tool\n");
    let handler = "import layered, os, subprocess, sys
def handler(event, context):
    tool = subprocess.run(['layered-tool'], capture_output=True, text=True).stdout.strip()
    before = sys.path.index(os.environ['LAMBDA_TASK_ROOT']) < sys.path.index(os.path.dirname(layered.__file__))
    try:
        open(event + '/new', 'w')
        wrote = True
    except OSError as error:
        wrote = error.strerror
    return [layered.WORD, layered.__file__, tool, before, wrote, event + '/lib' in os.environ['LD_LIBRARY_PATH']]
";
    define(&world, &opt, "python3.12", &[("app.py", handler)]);
    let place = place(&opt);
    let answer = world.call_as(FIRST, None, &format!("\"{place}\""));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or(answer.into());
    let file = format!("{place}/python/layered.py");
    let wrote = if place == "/opt" {
        "Read-only file system".into()
    } else {
        serde_json::json!(true)
    };
    let expected = serde_json::json!(["from a layer", file, "a tool", true, wrote, true]);
    assert_eq!(answer, expected);
    world.end();
}

#[test]
fn node_finds_modules() {
    let (mut world, opt) = world();
    write(
        &opt.join("nodejs/node_modules/layered/index.js"),
        "exports.word = 'from a layer';\n",
    );
    let handler = "exports.handler = async () => require('layered').word;\n";
    define(&world, &opt, "nodejs20.x", &[("app.js", handler)]);
    assert_eq!(world.call_as(FIRST, None, "0"), "\"from a layer\"");
    world.end();
}

#[test]
fn a_bootstrap_of_a_layer_runs_code_that_has_none() {
    let (mut world, opt) = world();
    let bootstrap = "#!/usr/bin/env python3
import os, sys, urllib.request
api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'
while True:
    event = urllib.request.urlopen(api + 'next')
    answer = '\"' + sys.argv[0] + '\"'
    url = api + event.headers['Lambda-Runtime-Aws-Request-Id'] + '/response'
    urllib.request.urlopen(url, answer.encode())
";
    write(&opt.join("bootstrap"), bootstrap);
    define(&world, &opt, "provided.al2023", &[("data", "")]);
    let answer = world.call_as(FIRST, None, "0");
    assert_eq!(answer, format!("\"{}/bootstrap\"", place(&opt)));
    define(
        &world,
        &opt,
        "provided.al2023",
        &[("bootstrap", &bootstrap.replace("sys.argv[0]", "'own'"))],
    );
    assert_eq!(
        world.call_as(FIRST, None, "0"),
        "\"own\"",
        "the code's own goes first"
    );
    world.end();
}

#[test]
fn extensions_of_layers_are_extensions() {
    let (mut world, opt) = world();
    let extension =
        format!("#!/usr/bin/env python3\n{CLIENT}\nme = Extension()\nwhile True:\n    me.next()\n");
    write(&opt.join("extensions/layered.py"), &extension);
    let handler = "def handler(event, context):\n    return event\n";
    define(&world, &opt, "python3.12", &[("app.py", handler)]);
    assert_eq!(world.call_as(FIRST, None, "7"), "7");
    world.expect_line("Name: layered.py\tState: Ready");
    world.end();
}

#[test]
fn layers_that_are_not_there_are_refused() {
    let (world, opt) = world();
    let spec = FunctionSpec {
        opt: Some(opt.join("nowhere")),
        ..world.spec.clone()
    };
    let refused = world.executor.functions().define(spec).map_err(|error| error.key);
    assert_eq!(refused, Err("opt"));
    world.end();
}
