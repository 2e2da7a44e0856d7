//! The retry story: a handler that fails twice and succeeds at +3 min, in virtual time and with a warm process.
//!
//! Many stories one after the other in one scenario; a scenario with one story is taken off, and with it the start
//! of the process and everything else that is paid once. The handler's own time is what its attempts took from
//! dispatch to answer, as the journal's `real` entries have it. Run it with `cargo bench --bench story`.

mod common;

use std::time::Duration;

use common::percentile;
use router::journal::Entry;
use scenarios::diagnostic::Files;
use scenarios::load;
use scenarios::run::{self, Options, Run};

const STORIES: u32 = 1000;
const ROUNDS: usize = 5;

const PYTHON: &str = "
calls = {}
def handler(event, context):
    key = event['Records'][0]['s3']['object']['key']
    calls[key] = calls.get(key, 0) + 1
    if calls[key] < 3:
        raise RuntimeError('not yet')
    return calls[key]
";
const NODE: &str = "
const calls = {};
exports.handler = async (event) => {
  const key = event.Records[0].s3.object.key;
  calls[key] = (calls[key] || 0) + 1;
  if (calls[key] < 3) throw new Error('not yet');
  return calls[key];
};
";

fn main() {
    println!("retry story of 180 virtual seconds, {STORIES} in a row, median of {ROUNDS} rounds");
    println!(
        "{:<8} {:>14} {:>18} {:>10}",
        "handler", "real per story", "handler's own", "above"
    );
    for (name, runtime, file, code) in [
        ("python", "python3.12", "app.py", PYTHON),
        ("node", "nodejs20.x", "app.js", NODE),
    ] {
        let here = tempfile::tempdir().expect("a directory");
        std::fs::write(here.path().join(file), code).expect("written");
        let (mut real, mut own_time) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (one, many) = (play(here.path(), runtime, 1), play(here.path(), runtime, STORIES));
            real.push(many.real.saturating_sub(one.real) / (STORIES - 1));
            own_time.push(own(&many).saturating_sub(own(&one)) / (STORIES - 1));
        }
        let (real, own) = (percentile(&mut real, 50), percentile(&mut own_time, 50));
        println!(
            "{name:<8} {:>11} µs {:>15} µs {:>7} µs",
            real.as_micros(),
            own.as_micros(),
            real.saturating_sub(own).as_micros()
        );
    }
}

fn play(here: &std::path::Path, runtime: &str, stories: u32) -> Run {
    let steps: String = (0..stories)
        .map(|n| format!("  - put: {{ uploads/{n}: x }}\n  - settle: {{}}\n"))
        .collect();
    let text = format!(
        "schema: 1\nname: story\nfunctions:\n  flaky: {{ runtime: {runtime}, handler: app.handler, code: . }}\n\
         sources:\n  uploads: {{ kind: s3, bucket: uploads }}\nroutes:\n  - {{ from: uploads, to: flaky }}\n\
         limits: {{ virtual: 100h }}\nsteps:\n{steps}expect:\n  invocations:\n    - {{ function: flaky, times: {stories}, outcome: ok }}\n  closed: false\n"
    );
    let path = here.join("story.yaml");
    std::fs::write(&path, text).expect("written");
    let mut files = Files::default();
    let scenario = load::load(&path, &mut files).unwrap_or_else(|problems| panic!("{problems:?}"));
    let run = run::run(&scenario, &Options::quiet());
    assert!(
        run.broken.is_empty() && run.failed.is_empty(),
        "{:?} {:?}",
        run.broken,
        run.failed
    );
    run
}

/// What the attempts took from dispatch to answer.
fn own(run: &Run) -> Duration {
    let walls = run.lines.iter().filter_map(|line| match &line.entry {
        Entry::Real { figures, .. } => figures.get("wall_ms")?.parse::<f64>().ok(),
        _ => None,
    });
    Duration::from_secs_f64(walls.sum::<f64>() / 1000.0)
}
