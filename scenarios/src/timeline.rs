//! The virtual timeline: a journal as people read it.
//!
//! ```text
//!    +0s     put-1                put uploads/report.csv
//!    +0s     ├ flaky #1  error    BackendDown
//!    +1m00s  ├ flaky #2  error    BackendDown
//!  > +3m00s  └ failed             RetriesExhausted
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use router::journal::{Entry, Line};
use router::time::Timestamp;

use crate::matcher::shorten;
use crate::words::{after_stop, escaped};

/// Lines shown at most.
const LONGEST: usize = 200;

/// A length of virtual time as the reports write it: `0s`, `3m00s`, `1h00m05s`, with milliseconds only
/// where there are no whole seconds to show.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes, rest) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m{rest:02}s"),
        (0, _, _) => format!("{hours}h{minutes:02}m{rest:02}s"),
        _ => format!("{days}d{hours:02}h{minutes:02}m{rest:02}s"),
    }
}

/// A time since the start: `+1m00s`.
pub fn clock(time: Duration) -> String {
    format!("+{}", span(time))
}

/// The timeline of a journal; `mark` puts `>` before the first line that has it in its name.
pub fn timeline(lines: &[Line], start: Timestamp, mark: Option<&str>) -> String {
    let rows = folded(rows(lines));
    let mut out = String::new();
    let mut marked = false;
    let shown = rows.len().min(LONGEST);
    for (i, row) in rows.iter().take(shown).enumerate() {
        let sign = if !marked && mark.is_some_and(|mark| row.name.contains(mark)) {
            marked = true;
            '>'
        } else {
            ' '
        };
        let last = rows.get(i + 1).is_none_or(|next| !next.below);
        let branch = match (row.below, last) {
            (false, _) => "",
            (true, true) => "└ ",
            (true, false) => "├ ",
        };
        let left = format!("{branch}{}", escaped(&row.left));
        let text = format!(
            " {sign} {:<8}{left:<28} {}",
            clock(row.at.since(start)),
            escaped(&row.right)
        );
        let _ = writeln!(out, "{}", text.trim_end());
    }
    if rows.len() > shown {
        let _ = writeln!(out, "   … {} more", rows.len() - shown);
    }
    out
}

struct Row<'a> {
    at: Timestamp,
    name: &'a str,
    below: bool,
    left: String,
    right: String,
}

/// Rows that say the same at the same time become one that counts them.
fn folded(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let mut folded: Vec<(Row<'_>, usize)> = Vec::new();
    for row in rows {
        let same = |last: &Row<'_>| {
            row.below && last.at == row.at && last.left == row.left && last.right == row.right
        };
        match folded.last_mut() {
            Some((last, times)) if same(last) => *times += 1,
            _ => folded.push((row, 1)),
        }
    }
    let told = folded.into_iter().map(|(mut row, times)| {
        if times > 1 {
            let _ = write!(row.right, "  ×{times}");
        }
        row
    });
    told.collect()
}

fn rows(lines: &[Line]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for Line { t, entry, .. } in lines {
        let mut push = |name, below, left: String, right: String| {
            rows.push(Row {
                at: *t,
                name,
                below,
                left,
                right,
            })
        };
        match entry {
            Entry::Step { name, what } => push(name.as_str(), false, name.path().to_owned(), what.clone()),
            Entry::Src {
                source,
                kind,
                subject,
                events,
                refused,
            } => {
                let right = match (events.is_empty(), refused.first()) {
                    (true, Some((route, why))) => format!("{kind} {subject}  not taken by {route}: {why}"),
                    (true, None) => format!("{kind} {subject}  no route"),
                    _ => format!("{kind} {subject}"),
                };
                push(source.as_str(), true, source.to_string(), right);
            }
            Entry::Inv {
                name,
                function,
                attempt,
                ..
            } => {
                open.insert(name.as_str(), rows.len());
                rows.push(Row {
                    at: *t,
                    name: name.as_str(),
                    below: true,
                    left: format!("{function} #{attempt}"),
                    right: "running".to_owned(),
                });
            }
            Entry::Res {
                name,
                function,
                outcome,
                body,
                ..
            } => {
                let right = result(outcome, body);
                match open.get(name.as_str()) {
                    Some(&i) => {
                        rows[i].right =
                            format!("{right}{}", rows[i].right.strip_prefix("running").unwrap_or(""))
                    }
                    None => push(name.as_str(), true, function.to_string(), right),
                }
            }
            Entry::Real { name, figures } => {
                if let (Some(left), Some(&i)) = (figures.get("unfinished"), open.get(name.as_str())) {
                    let _ = write!(rows[i].right, "  {left}");
                }
            }
            Entry::Fault { name, on, .. } => match open.get(on.as_str()) {
                Some(&i) => {
                    let _ = write!(rows[i].right, "  fault {name}");
                }
                None => push(on.as_str(), true, "copy".to_owned(), format!("fault {name}")),
            },
            Entry::Config { function, what } => {
                push(function.as_str(), false, function.to_string(), what.clone());
            }
            Entry::Sink { sink, body, .. } => {
                let json = body.json();
                let condition = json.pointer("/requestContext/condition").and_then(|c| c.as_str());
                let right = condition.map_or_else(|| shorten(&json.to_string()), str::to_owned);
                push(sink.as_str(), true, sink.to_string(), right);
            }
            Entry::Done { event, how, .. } if how == "stopped" => {
                let then = after_stop(event).unwrap_or_default().to_owned();
                push(event.as_str(), true, "stopped".to_owned(), then);
            }
            Entry::Done {
                event,
                why: Some(why),
                ..
            } => push(event.as_str(), true, "never ran".to_owned(), why.clone()),
            Entry::Done { event, how, to, .. } if to == "nowhere" && how != "success" => {
                push(
                    event.as_str(),
                    true,
                    "dropped".to_owned(),
                    format!("{how}, no destination"),
                );
            }
            Entry::Late { .. } => push("late", true, "late answer".to_owned(), "ignored".to_owned()),
            _ => {}
        }
    }
    rows
}

fn result(outcome: &str, body: &router::journal::Body) -> String {
    let json = body.json();
    let detail = match outcome {
        "ok" => shorten(&json.to_string()).chars().take(48).collect(),
        "throttled" => String::new(),
        _ => json
            .get("errorType")
            .and_then(|t| t.as_str())
            .unwrap_or_default()
            .to_owned(),
    };
    format!("{outcome:<9} {detail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (300, "5m00s"),
            (3605, "1h00m05s"),
            (90_000, "1d01h00m00s"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        assert_eq!(clock(Duration::from_millis(180_020)), "+3m00s");
    }

    #[test]
    fn what_was_stopped_is_not_dropped() {
        let stopped = |n: u64, event: &str| Line {
            n,
            t: Timestamp::VIRTUAL_START,
            entry: Entry::Done {
                event: router::name::Name::new(event),
                how: "stopped".to_owned(),
                executions: 0,
                to: "nowhere".to_owned(),
                why: None,
            },
        };
        let lines = [
            stopped(1, "evt:live/uploads/1"),
            stopped(2, "evt:live/uploads/2"),
            stopped(3, "evt:api/1"),
        ];
        let told = timeline(&lines, Timestamp::VIRTUAL_START, None);
        let rows: Vec<String> = told
            .lines()
            .map(|row| row.split_whitespace().skip(2).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            rows,
            [
                "stopped its source sends it again in the next run, unless on_start: ignore ×2",
                "stopped"
            ]
        );
    }

    #[test]
    fn equal_rows_are_counted() {
        let row = |right: &str| Row {
            at: Timestamp::VIRTUAL_START,
            name: "x",
            below: true,
            left: "dropped".to_owned(),
            right: right.to_owned(),
        };
        let rows = folded(vec![row("a"), row("a"), row("a"), row("b")]);
        let told: Vec<&str> = rows.iter().map(|row| row.right.as_str()).collect();
        assert_eq!(told, ["a  ×3", "b"]);
    }
}
