//! Tumbling windows: stretches of time whose batches share a state.
//!
//! Owns the bounds, the state, and the members that a window adds to an event (spec/event-source-mapping §3). Windows are
//! aligned to the epoch and take records by the time of their arrival. Deliberately absent: when a window's last invocation
//! is due, which depends on what a lane holds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::sequence::Sequence;
use super::sequence::ShardId;
use crate::event::Payload;
use crate::time::Timestamp;

/// The largest state that a window may carry on: 1 MB. A larger one ends the window early.
pub const STATE_BYTES: usize = 1024 * 1024;

/// A window that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant behind it.
    pub end: Timestamp,
    /// What the last invocation returned; `{}` before the first.
    #[serde(serialize_with = "write_state", deserialize_with = "read_state")]
    pub state: Payload,
    /// The last record that went into it; `None` before the first.
    pub last: Option<Sequence>,
    /// Invocations of its end that failed.
    pub failures: u32,
}

impl Window {
    /// The window of this length, in seconds, that an instant lies in.
    pub fn aligned(at: Timestamp, seconds: u64) -> Self {
        let length = Duration::from_secs(seconds.max(1));
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        let start = Timestamp::from_nanos(at.as_nanos() - at.as_nanos() % nanos);
        Window {
            start,
            end: start + length,
            state: Payload::from_static(b"{}"),
            last: None,
            failures: 0,
        }
    }

    /// Whether a record that arrived then goes into it. One that says it arrived before does too: the order of the shard
    /// goes before its clock.
    pub fn takes(&self, at: Timestamp) -> bool {
        at < self.end
    }

    /// Whether its state has grown too large, which ends it early.
    pub fn is_too_large(&self) -> bool {
        self.state.len() > STATE_BYTES
    }

    /// The members that an event of it has beside its records: `,"window":…` to the end.
    pub fn members(&self, shard: &ShardId, stream_arn: &str, is_final: bool) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            r#","window":{{"start":"{}","end":"{}"}},"state":{},"shardId":{},"eventSourceARN":{},"isFinalInvokeForWindow":{},"isWindowTerminatedEarly":{}"#,
            self.start.iso_seconds(),
            self.end.iso_seconds(),
            String::from_utf8_lossy(&self.state),
            text(shard.as_str()),
            text(stream_arn),
            is_final,
            is_final && self.is_too_large(),
        )
    }
}

fn write_state<S: Serializer>(state: &Payload, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&String::from_utf8_lossy(state))
}

fn read_state<'de, D: Deserializer<'de>>(from: D) -> Result<Payload, D::Error> {
    let text = String::deserialize(from)?;
    let state: Box<RawValue> = serde_json::from_str(&text).map_err(serde::de::Error::custom)?;
    Ok(Payload::from(state.get().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn windows_are_aligned_to_the_epoch() {
        for (instant, length, start) in [
            (0, 60, 0),
            (59, 60, 0),
            (60, 60, 60),
            (1_767_225_661, 120, 1_767_225_600),
        ] {
            let window = Window::aligned(at(instant), length);
            assert_eq!((window.start, window.end), (at(start), at(start + length)));
            assert!(window.takes(at(instant)) && !window.takes(window.end));
        }
        assert_eq!(Window::aligned(at(5), 0).start, at(5), "no length is a second");
    }

    #[test]
    fn an_event_has_the_documented_members() {
        let mut window = Window::aligned(at(1_607_497_475), 120);
        window.state = Payload::from_static(br#"{"1": 282}"#);
        let shard = ShardId::new("shardId-000000000006");
        let event = format!("{{\"Records\":[]{}}}", window.members(&shard, "arn:s", true));
        let expected = serde_json::json!({
            "Records": [],
            "window": {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"},
            "state": {"1": 282},
            "shardId": "shardId-000000000006",
            "eventSourceARN": "arn:s",
            "isFinalInvokeForWindow": true,
            "isWindowTerminatedEarly": false,
        });
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&event).expect("JSON"),
            expected
        );
    }

    #[test]
    fn a_state_of_a_megabyte_is_the_largest() {
        let mut window = Window::aligned(at(0), 60);
        window.state = vec![b'1'; STATE_BYTES].into();
        assert!(!window.is_too_large());
        window.state = vec![b'1'; STATE_BYTES + 1].into();
        assert!(window.is_too_large());
    }

    #[test]
    fn a_state_that_is_no_json_is_not_read() {
        let json = serde_json::to_string(&Window::aligned(at(0), 60)).expect("JSON");
        assert!(serde_json::from_str::<Window>(&json).is_ok());
        assert!(serde_json::from_str::<Window>(&json.replace("{}", "{")).is_err());
    }
}
