//! Names in expectations: functions, sinks, buckets and ids that must exist, and replies that must come.
//!
//! A misspelled name would fail late, or worse, hold without proof: nothing is in a bucket that is not there.

use super::refs::Names;
use crate::diagnostic::Diagnostic;
use crate::expect::model::{self, REPLY};
use crate::file::Scenario;
use crate::file::step::{InvokeType, LogType, Step, Verb};
use crate::node::{Located, Node, Value};

/// Checks every `expect` of a scenario; mistakes inside them are found as well.
pub fn check(names: &mut Names<'_>, scenario: &mut Scenario, ids: &[String]) {
    steps(names, &mut scenario.steps, ids);
    if let Some(node) = &mut scenario.expect {
        one(names, node, false, ids);
    }
}

fn steps(names: &mut Names<'_>, steps: &mut [Step], ids: &[String]) {
    for step in steps {
        if let Some(node) = &mut step.expect {
            one(names, node, true, ids);
            reply(&step.verb, node, names.out);
        }
        if let Verb::Parallel(children) | Verb::Repeat { steps: children, .. } = &mut step.verb {
            self::steps(names, children, ids);
        }
    }
}

fn one(names: &mut Names<'_>, node: &mut Node, at_step: bool, ids: &[String]) {
    let expect = match model::parse(node, at_step) {
        Ok(expect) => expect,
        Err(problems) => return names.out.extend(problems),
    };
    let declared = names.declared;
    let functions = expect.invocations.iter().map(|invocation| &invocation.function);
    for function in functions.chain(expect.logs.iter().map(|(function, _)| function)) {
        names.known("function", function, declared.functions.iter());
    }
    for (sink, _) in &expect.sinks {
        names.known("sink", sink, declared.sinks.iter());
    }
    for id in expect.order.iter().flatten() {
        // Names of events and invocations, and of repeated steps, come to be in a run.
        if id
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            names.known("step or function", id, ids.iter().chain(&declared.functions));
        }
    }
    if let Value::Map(entries) = &mut node.value
        && let Some((_, objects)) = entries.iter_mut().find(|(key, _)| key.value == "objects")
        && let Value::Map(objects) = &mut objects.value
    {
        objects.iter_mut().for_each(|(path, _)| bucket(names, path));
    }
}

/// `bucket/key` becomes `source/key`, as the objects of steps do.
fn bucket(names: &mut Names<'_>, path: &mut Located<String>) {
    match crate::file::route::ObjectPath::parse(path) {
        Ok(mut object) => {
            names.object(&mut object);
            path.value = format!("{}/{}", object.value.source, object.value.key);
        }
        Err(problem) => names.out.push(problem),
    }
}

/// A reply is there only after a call, and a log tail only after one that asked for it.
fn reply(verb: &Verb, expect: &Node, out: &mut Vec<Diagnostic>) {
    for key in REPLY {
        let Some((key, _)) = model::entry(expect, key) else {
            continue;
        };
        let word = key.value.as_str();
        let (what, help) = match verb {
            Verb::Invoke(call) if word == "log_tail" && call.log != Some(LogType::Tail) => (
                "this call does not ask for its log tail".to_owned(),
                "add `log: tail` to the `invoke`",
            ),
            Verb::Invoke(call) if word != "status" && call.kind != InvokeType::Sync => (
                format!("a call that does not wait has no `{word}`"),
                "expect its `status` here, and its outcome in `invocations`",
            ),
            Verb::Invoke(_) => continue,
            _ => (
                format!("this step has no reply, so no `{word}`"),
                "only `invoke` has a reply",
            ),
        };
        out.push(Diagnostic::new("E105", what).at(key.span, "").help(help));
    }
}
