//! How a function's log is written: AWS's `LoggingConfig` (spec/lambda §6).
//!
//! Owns the formats and the levels. Deliberately absent: log groups, and what the lines say
//! ([`platform_log`](crate::platform_log) for the platform's, the runtime's client for the handler's).

/// The format of a function's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Logging {
    /// Plain lines: START, END, REPORT, and what the handler writes.
    #[default]
    Text,
    /// A JSON object a line, from a level on.
    Json {
        /// For what the handler logs; AWS's own default is `INFO`.
        application: ApplicationLevel,
        /// For what the platform tells.
        system: SystemLevel,
    },
}

/// `ApplicationLogLevel`: what a runtime's logger keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum ApplicationLevel {
    /// `TRACE`.
    Trace,
    /// `DEBUG`.
    Debug,
    /// `INFO`.
    #[default]
    Info,
    /// `WARN`.
    Warn,
    /// `ERROR`.
    Error,
    /// `FATAL`.
    Fatal,
}

/// `SystemLogLevel`: which of the platform's records are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum SystemLevel {
    /// `DEBUG`: every one.
    Debug,
    /// `INFO`: starts, reports and failures.
    #[default]
    Info,
    /// `WARN`: failures.
    Warn,
}

impl ApplicationLevel {
    /// All of them, as AWS spells them, lowest first.
    pub const ALL: [(&'static str, ApplicationLevel); 6] = [
        ("TRACE", ApplicationLevel::Trace),
        ("DEBUG", ApplicationLevel::Debug),
        ("INFO", ApplicationLevel::Info),
        ("WARN", ApplicationLevel::Warn),
        ("ERROR", ApplicationLevel::Error),
        ("FATAL", ApplicationLevel::Fatal),
    ];

    /// As AWS spells it.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, level)| *level == self);
        found.map_or("INFO", |(name, _)| name)
    }
}

impl SystemLevel {
    /// All of them, as AWS spells them, lowest first.
    pub const ALL: [(&'static str, SystemLevel); 3] = [
        ("DEBUG", SystemLevel::Debug),
        ("INFO", SystemLevel::Info),
        ("WARN", SystemLevel::Warn),
    ];

    /// As AWS spells it.
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, level)| *level == self);
        found.map_or("INFO", |(name, _)| name)
    }
}

impl Logging {
    /// The variables that tell a runtime's client, which AWS sets with JSON only (spec/lambda §4).
    pub fn variables(self) -> Vec<(&'static str, String)> {
        match self {
            Logging::Text => Vec::new(),
            Logging::Json { application, .. } => vec![
                ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
                ("AWS_LAMBDA_LOG_LEVEL", application.name().to_owned()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_has_variables() {
        assert_eq!(Logging::default().variables(), []);
        let json = Logging::Json {
            application: ApplicationLevel::Fatal,
            system: SystemLevel::default(),
        };
        let variables = [
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("AWS_LAMBDA_LOG_LEVEL", "FATAL".to_owned()),
        ];
        assert_eq!(json.variables(), variables);
    }
}
