//! Instants of the fabric's clock, as nanoseconds since the Unix epoch.
//!
//! Owns the number and how AWS spells it. Deliberately absent: any way to ask what time it is; a
//! [`Clock`](crate::fabric::Clock) hands time in.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// An instant, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 2026-01-01T00:00:00Z, where virtual time starts unless a scenario's `clock.start` says otherwise.
    pub const VIRTUAL_START: Timestamp = Timestamp(1_767_225_600_000_000_000);

    /// An instant from nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Timestamp(nanos)
    }

    /// An instant from milliseconds since the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Timestamp(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to this instant, or zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// ISO 8601 in UTC with exactly three fraction digits and `Z`, as S3, SNS and SES write it
    /// (spec/sources/00-common §3): `2025-01-21T23:21:10.482Z`.
    pub fn iso_millis(self) -> String {
        DateTime::from_timestamp_nanos(i64::try_from(self.0).unwrap_or(i64::MAX))
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// ISO 8601 in UTC with whole seconds and `Z`, rounded down, as windows of streams have it
    /// (spec/event-source-mapping §3): `2025-01-21T23:21:10Z`.
    pub fn iso_seconds(self) -> String {
        DateTime::from_timestamp_nanos(i64::try_from(self.0).unwrap_or(i64::MAX))
            .to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The instant an RFC 3339 text names, or `None` if it is not one or lies before 1970.
    pub fn parse_iso(text: &str) -> Option<Self> {
        let nanos = DateTime::parse_from_rfc3339(text).ok()?.timestamp_nanos_opt()?;
        u64::try_from(nanos).ok().map(Timestamp)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// Saturates at the end of time (the year 2554).
    fn add(self, by: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_has_three_fraction_digits_and_survives_a_round_trip() {
        let t = Timestamp::from_millis(1_737_501_670_482);
        assert_eq!(t.iso_millis(), "2025-01-21T23:21:10.482Z");
        assert_eq!(t.iso_seconds(), "2025-01-21T23:21:10Z");
        assert_eq!(Timestamp::parse_iso("2025-01-21T23:21:10.482Z"), Some(t));
        assert_eq!(Timestamp::VIRTUAL_START.iso_millis(), "2026-01-01T00:00:00.000Z");
    }

    #[test]
    fn addition_saturates() {
        assert_eq!(
            Timestamp::from_nanos(u64::MAX) + Duration::from_secs(1),
            Timestamp::from_nanos(u64::MAX)
        );
    }
}
