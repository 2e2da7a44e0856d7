//! Checked settings: what the router knows of functions, limits and ends.

use std::collections::BTreeMap;

use crate::name::{FunctionName, SinkName};
use crate::retry::RetryPolicy;

/// Lambda's default account limit of concurrent executions (spec/lambda §3.4).
pub const ACCOUNT_CONCURRENCY: u32 = 1000;
/// Concurrent executions that reserved concurrency must leave to everybody else.
pub const MIN_UNRESERVED: u32 = 100;

/// A function as the router sees it.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Retries and age of asynchronous events.
    pub retry: RetryPolicy,
    /// Reserved concurrency: guaranteed and capped; 0 lets nothing run.
    pub reserved: Option<u32>,
    /// `OnSuccess` destination.
    pub on_success: Option<Destination>,
    /// `OnFailure` destination.
    pub on_failure: Option<Destination>,
    /// `DeadLetterConfig`: gets the event itself.
    pub dead_letter: Option<SinkName>,
}

/// Where a destination record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Another function, invoked asynchronously with the record.
    Function(FunctionName),
    /// A named sink, which keeps it.
    Sink(SinkName),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Function(name) => name.fmt(f),
            Destination::Sink(name) => name.fmt(f),
        }
    }
}

/// Everything that the router is told before it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The functions.
    pub functions: BTreeMap<FunctionName, Function>,
    /// Concurrent executions of the account.
    pub concurrency: u32,
    /// Attempts handed out at once on this machine; the rest stay due, which is no throttle. `None` in
    /// virtual time, where the executor runs one after the other anyway.
    pub slots: Option<u32>,
    /// AWS region in ARNs.
    pub region: String,
    /// AWS account in ARNs.
    pub account: String,
}

impl Settings {
    /// The ARN of a function without a qualifier.
    pub fn arn(&self, function: &FunctionName) -> String {
        function_arn(&self.region, &self.account, function)
    }

    /// Checks that reserved concurrency leaves [`MIN_UNRESERVED`] to the rest, as
    /// PutFunctionConcurrency does. The error is AWS's text (spec/errors §6).
    pub fn check(&self) -> Result<(), String> {
        let reserved: u64 = self
            .functions
            .values()
            .filter_map(|f| f.reserved)
            .map(u64::from)
            .sum();
        if reserved == 0 || reserved + u64::from(MIN_UNRESERVED) <= u64::from(self.concurrency) {
            return Ok(());
        }
        Err(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{MIN_UNRESERVED}]."
        ))
    }
}

/// The ARN of a function without a qualifier (spec/lambda §2).
pub fn function_arn(region: &str, account: &str, function: &FunctionName) -> String {
    format!("arn:aws:lambda:{region}:{account}:function:{function}")
}
