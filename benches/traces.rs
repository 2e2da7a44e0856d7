//! One scenario, many runs, one trace: 1,000 runs with one worker and 1,000 with four, each with a real handler of its
//! own. Says how long a run takes and fails if two traces differ. Run it with `cargo bench --bench traces`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use scenarios::diagnostic::Files;
use scenarios::file::Scenario;
use scenarios::load;
use scenarios::run::{self, Options};

const RUNS: usize = 1000;

fn main() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/library/retry.yaml");
    let scenario = load::load(&path, &mut Files::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut all = BTreeSet::new();
    for workers in [1, 4] {
        let began = Instant::now();
        let traces = run_all(&scenario, workers);
        let each = began.elapsed() / u32::try_from(RUNS).unwrap_or(u32::MAX);
        println!(
            "{RUNS} runs, {workers} workers: {} trace, {} ms a run",
            traces.len(),
            each.as_millis()
        );
        all.extend(traces);
    }
    assert_eq!(all.len(), 1, "one scenario and seed, one trace: {all:?}");
    println!("trace {}", all.first().map_or("", String::as_str));
}

fn run_all(scenario: &Scenario, workers: usize) -> BTreeSet<String> {
    let next = AtomicUsize::new(0);
    let one = || {
        let mut traces = BTreeSet::new();
        while next.fetch_add(1, Ordering::Relaxed) < RUNS {
            let run = run::run(scenario, &Options::quiet());
            assert!(
                run.broken.is_empty() && run.failed.is_empty(),
                "{:?} {:?}",
                run.broken,
                run.failed
            );
            traces.insert(run.trace);
        }
        traces
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(one)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker"))
            .collect()
    })
}
