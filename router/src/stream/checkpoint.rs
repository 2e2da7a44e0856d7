//! What of a mapping survives a restart.
//!
//! Owns the form of a checkpoint. A lane handles its records in order, so one [`Edge`] for each lane says which are done:
//! memory and file are small however many records are open. A lane is `key % factor`; after a change of the factor the
//! edges of the old lanes are kept until everything has passed them. Deliberately absent: when one is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sequence::{Edge, Sequence, ShardId};
use super::window::Window;
use crate::name::RequestId;
use crate::time::Timestamp;

/// How far each shard is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checkpoint {
    /// The shards that were read.
    pub shards: BTreeMap<ShardId, ShardCheckpoint>,
}

/// How far a shard is (spec/event-source-mapping §6).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardCheckpoint {
    /// What is done of each lane; as many as the factor.
    pub done: Vec<Edge>,
    /// What was done under other factors, where that is more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub older: BTreeMap<u32, Vec<Edge>>,
    /// Batches that failed and are to be tried again, by their first record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failing: BTreeMap<Sequence, Failing>,
    /// Open tumbling windows by lane.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<u32, Window>,
    /// The shards to be read before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<ShardId>,
}

/// A batch that failed, or a half of one: it is tried again as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failing {
    /// Its last record.
    pub last: Sequence,
    /// Attempts of the function so far.
    pub attempts: u32,
    /// Throttles and system errors in a row.
    pub refusals: u32,
    /// Invocations so far, refusals too.
    pub tries: u32,
    /// When it first failed.
    pub since: Timestamp,
    /// The last request.
    pub request: RequestId,
}

/// Whether one of these tables says that a record is done.
pub(super) fn is_done(tables: &BTreeMap<u32, Vec<Edge>>, key: u64, sequence: &Sequence) -> bool {
    tables.values().any(|edges| {
        let edge = lane_of(key, edges.len()).and_then(|lane| edges.get(lane));
        edge.is_some_and(|edge| edge.covers(sequence))
    })
}

/// The lane of a key among so many; `None` if there are none.
pub(super) fn lane_of(key: u64, lanes: usize) -> Option<usize> {
    let lane = key.checked_rem(u64::try_from(lanes).ok()?)?;
    usize::try_from(lane).ok()
}

/// Adds what was done in lanes that are no more, and forgets what everything has passed.
pub(super) fn remember(tables: &mut BTreeMap<u32, Vec<Edge>>, edges: Vec<Edge>) {
    let Ok(factor) = u32::try_from(edges.len()) else {
        return;
    };
    let Some(low) = edges.iter().min().cloned() else {
        return;
    };
    match tables.get_mut(&factor) {
        Some(known) => {
            for (known, edge) in known.iter_mut().zip(edges) {
                *known = known.clone().max(edge);
            }
        }
        None => {
            tables.insert(factor, edges);
        }
    }
    forget(tables, &low);
}

/// Forgets tables that say no more than that everything before `low` is done.
pub(super) fn forget(tables: &mut BTreeMap<u32, Vec<Edge>>, low: &Edge) {
    tables.retain(|_, edges| edges.iter().any(|edge| edge > low));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(n: u64) -> Edge {
        Edge::before(n.into())
    }

    #[test]
    fn what_was_done_under_another_factor_stays_done() {
        let mut tables = BTreeMap::new();
        remember(&mut tables, vec![edge(5), edge(9)]);
        assert!(!is_done(&tables, 0, &6.into()) && is_done(&tables, 1, &6.into()));
        remember(&mut tables, vec![edge(5)]);
        assert_eq!(
            tables.keys().collect::<Vec<_>>(),
            [&2],
            "one lane up to 5 is no news"
        );
        remember(&mut tables, vec![edge(7), edge(6)]);
        assert!(is_done(&tables, 0, &6.into()) && is_done(&tables, 1, &8.into()));
        forget(&mut tables, &edge(9));
        assert!(tables.is_empty());
    }

    #[test]
    fn a_table_without_lanes_says_nothing() {
        let mut tables = BTreeMap::from([(0, Vec::new())]);
        assert!(!is_done(&tables, 1, &1.into()));
        remember(&mut tables, Vec::new());
        assert_eq!(lane_of(7, 0), None);
    }

    #[test]
    fn a_checkpoint_survives_its_spelling() {
        let failing = Failing {
            last: 3.into(),
            attempts: 1,
            refusals: 0,
            tries: 1,
            since: Timestamp::VIRTUAL_START,
            request: RequestId::new("r"),
        };
        let shard = ShardCheckpoint {
            done: vec![Edge::through(1.into()), edge(2)],
            older: [(1, vec![edge(4)])].into(),
            failing: [(2.into(), failing)].into(),
            windows: [(0, Window::aligned(Timestamp::VIRTUAL_START, 60))].into(),
            parents: vec![ShardId::new("p")],
        };
        let checkpoint = Checkpoint {
            shards: [(ShardId::new("s"), shard)].into(),
        };
        let json = serde_json::to_string(&checkpoint).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Checkpoint>(&json).expect("the same"),
            checkpoint
        );
    }
}
