//! What an actor says when a limit has passed.
//!
//! Owns the words. Deliberately absent: what follows; the [environment](crate::environment) decides.

use super::Actor;
use crate::environment::Alarm;
use crate::function::Runtime;
use crate::report;

impl Actor {
    /// The first start took too long: AWS's line (spec/lambda §3.1), and what one does about it. Extensions that
    /// are waited for are named.
    pub(super) fn note_lateness(&mut self, limit: Alarm) {
        let missing = self.machine.missing().join(", ");
        let what = match limit {
            Alarm::Init => "the init did not end",
            Alarm::Task if !missing.is_empty() => "the invocation did not end for the environment",
            _ => return,
        };
        self.drain();
        self.log.flush();
        let seconds = match limit {
            Alarm::Init => {
                let limit = self.init_limit();
                let (logging, initialization) = (self.site.spec.logging, self.initialization());
                let line = report::init_timed_out(logging, initialization, limit, self.dispatched + limit);
                self.log.push(line.as_bytes());
                limit.as_secs_f64()
            }
            _ => self.site.spec.timeout.as_secs_f64(),
        };
        let note = match missing.is_empty() {
            true if self.machine.is_provisioned() && limit == Alarm::Init => {
                format!("[triggerfish] {what} within {seconds} s: it is not provisioned")
            }
            true => slow_start(&self.site.spec.runtime, seconds),
            false => format!("[triggerfish] {what} within {seconds} s: extension {missing}"),
        };
        self.log.insert(note);
        self.share_lines();
    }
}

/// Under our own bootstrap only the function's code can be slow; another program may not speak to us at all.
fn slow_start(runtime: &Runtime, seconds: f64) -> String {
    match runtime {
        Runtime::Python(_) | Runtime::Node(_) => format!(
            "[triggerfish] the code outside the handler took longer than `limits: {{ init }}`, {seconds} s: it is started once more"
        ),
        Runtime::Provided(_) | Runtime::Command(_) => format!(
            "[triggerfish] the runtime did not ask for an event within {seconds} s, so it is started once more: does the program speak the Runtime API of AWS_LAMBDA_RUNTIME_API?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_start_is_slow_is_told() {
        let python = slow_start(&Runtime::Python("python3.12".to_owned()), 10.0);
        assert!(python.contains("the code outside the handler took longer than `limits: { init }`, 10 s"));
        let other = slow_start(&Runtime::Provided("provided.al2023".to_owned()), 0.5);
        assert!(other.contains("within 0.5 s") && other.contains("speak the Runtime API"));
    }
}
