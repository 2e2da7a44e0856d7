//! JUnit XML (design/scenarios §8): a suite for each file, a case for each scenario.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::report::{Outcome, Verdict, block};

/// The report of all verdicts.
///
/// # Errors
/// The XML cannot be written, which only memory can cause.
pub fn junit(verdicts: &[Verdict]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("triggerfish");
    for verdict in verdicts {
        let mut case = TestCase::new(verdict.name.as_str(), status(verdict));
        case.set_classname(verdict.file.as_str());
        if let Some(run) = &verdict.run {
            case.set_time(run.real);
            case.add_property(("seed", run.seed.to_string().as_str()));
            case.add_property(("virtual", crate::timeline::span(run.virtual_time).as_str()));
            case.add_property(("trace", run.trace.as_str()));
        }
        if let Some(journal) = &verdict.journal {
            case.add_property(("journal", journal.display().to_string().as_str()));
        }
        let mut suite = TestSuite::new(verdict.file.as_str());
        suite.add_test_case(case);
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn status(verdict: &Verdict) -> TestCaseStatus {
    let kind = match verdict.outcome() {
        Outcome::Pass => return TestCaseStatus::success(),
        Outcome::Fail => NonSuccessKind::Failure,
        Outcome::BadFile | Outcome::NotStarted | Outcome::Interrupted => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    if let Some(first) = verdict.problems().first() {
        status.set_type(first.code).set_message(first.what.as_str());
    }
    // The writer of the XML leaves tabs out.
    status.set_description(block(verdict, false).replace('\t', "    "));
    status
}
