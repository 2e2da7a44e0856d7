//! What happened, told from the rows of a feed. Pure.
//!
//! A candidate (PI, PU) says: this row is about to be replaced by that new one, if the statement succeeds.
//!
//! ```text
//!               I or U with the announced row, in conflict by a constraint it takes part in
//! candidate ──────────────────────────────────────────────────────────────► replaced
//!     │  D of it (recursive_triggers, or a DELETE)          I or U of it ──► swallows the D
//!     ├──────────────────────────────────────────► held ──┤
//!     │  U of it, or too old                                M, another D, the end ──► the D stands: Remove
//!     └──► forgotten
//! ```
//!
//! An ignored INSERT leaves a candidate behind. That does no harm: as long as the row and the announced row stay what they
//! are, they conflict, so an I of just that row has really replaced it; and when the row changes, it is forgotten. The one
//! thing that would look alike, `DELETE` and `INSERT` of the row that an ignored INSERT had announced, is told apart by the
//! M that a statement writes when it finds a D before it.
//!
//! At the end of a snapshot no statement is under way, so nothing is pending: what remains then is settled.

use std::collections::VecDeque;
use std::sync::Arc;

use router::time::Timestamp;

use super::change::{Change, Seq, What};
use super::layout::Layout;
use crate::dynamodb::cell::Cell;

/// Candidates kept; nested triggers that write to their own table need a few, ignored INSERTs leave any number.
const MAX_PENDING: usize = 256;
/// What a row of a feed says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `I`.
    Insert,
    /// `U`.
    Update,
    /// `D`.
    Delete,
    /// `T`: deleted by the sweeper.
    Expire,
    /// `PI`.
    BeforeInsert,
    /// `PU`.
    BeforeUpdate,
    /// `M`.
    Marker,
}

impl Op {
    /// The op with this word.
    pub fn named(word: &str) -> Option<Op> {
        Some(match word {
            "I" => Op::Insert,
            "U" => Op::Update,
            "D" => Op::Delete,
            "T" => Op::Expire,
            "PI" => Op::BeforeInsert,
            "PU" => Op::BeforeUpdate,
            "M" => Op::Marker,
            _ => return None,
        })
    }
}

/// A row of a feed.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub op: Op,
    /// Constraints, one bit each: the rowid first, then the unique indexes by name.
    pub hit: i64,
    /// The row before, or the row about to be replaced.
    pub old: Vec<Cell>,
    /// The row after.
    pub new: Vec<Cell>,
}

/// Reads rows, tells changes.
pub struct Replay {
    table: Arc<str>,
    layout: Arc<Layout>,
    pending: VecDeque<Row>,
    held: Vec<Row>,
}

impl Replay {
    /// One that begins with nothing pending.
    pub fn new(table: Arc<str>, layout: Arc<Layout>) -> Self {
        Replay {
            table,
            layout,
            pending: VecDeque::new(),
            held: Vec::new(),
        }
    }

    /// The oldest row that the future still needs; reading must begin there to understand what follows.
    pub fn oldest(&self) -> Option<i64> {
        let rows = self.pending.iter().chain(&self.held);
        rows.map(|row| row.seq).min()
    }

    /// The oldest row of which it is not decided what it tells.
    pub fn undecided(&self) -> Option<i64> {
        self.held.first().map(|row| row.seq)
    }

    /// Takes the next row.
    pub fn take(&mut self, row: Row, out: &mut Vec<Change>) {
        match row.op {
            Op::Marker => self.release(out),
            Op::BeforeInsert | Op::BeforeUpdate => self.announce(row, out),
            Op::Delete if self.is_candidate(&row.old) => self.held.push(row),
            Op::Delete | Op::Expire => {
                self.release(out);
                self.forget(&row.old);
                let part = Parts::new(&row, row.op == Op::Expire);
                self.tell(part.next(What::Remove { old: row.old }), out);
            }
            Op::Insert | Op::Update => self.write(row, out),
        }
    }

    /// The snapshot ends here: nothing is under way.
    pub fn end(&mut self, out: &mut Vec<Change>) {
        self.release(out);
        self.pending.clear();
    }

    /// From here on the columns mean something else.
    pub fn turn(&mut self, layout: Arc<Layout>, out: &mut Vec<Change>) {
        self.end(out);
        self.layout = layout;
    }

    fn is_candidate(&self, row: &[Cell]) -> bool {
        self.pending.iter().any(|candidate| candidate.old == row)
    }

    fn forget(&mut self, row: &[Cell]) {
        self.pending.retain(|candidate| candidate.old != row);
    }

    fn announce(&mut self, row: Row, out: &mut Vec<Change>) {
        if self.pending.len() >= MAX_PENDING {
            self.release(out);
            self.pending.pop_front();
        }
        self.pending.push_back(row);
    }

    /// What was held stands for itself.
    fn release(&mut self, out: &mut Vec<Change>) {
        for row in std::mem::take(&mut self.held) {
            self.forget(&row.old);
            let part = Parts::new(&row, false);
            self.tell(part.next(What::Remove { old: row.old }), out);
        }
    }

    /// A row was written: what it replaced goes first.
    fn write(&mut self, row: Row, out: &mut Vec<Change>) {
        let mut replaced = self.replaced_by(&row);
        self.held.retain(|held| !replaced.contains(&held.old));
        self.release(out);
        for old in &replaced {
            self.forget(old);
        }
        let part = Parts::new(&row, false);
        let Row { op, old, new, .. } = row;
        let under_key = replaced.iter().position(|old| self.layout.same_key(old, &new));
        let mut before = under_key.map(|at| replaced.remove(at));
        for other in replaced {
            self.tell(part.next(What::Remove { old: other }), out);
        }
        if op == Op::Update {
            self.forget(&old);
            if self.layout.same_key(&old, &new) {
                before = Some(old);
            } else {
                self.tell(part.next(What::Remove { old }), out);
            }
        }
        match before {
            Some(old) if self.layout.same_item(&old, &new) => {}
            Some(old) => self.tell(part.next(What::Modify { old, new }), out),
            None => self.tell(part.next(What::Insert { new }), out),
        }
    }

    /// The rows that `row` has replaced, each once; its other announcements are over.
    fn replaced_by(&mut self, row: &Row) -> Vec<Vec<Cell>> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let announcing = match row.op {
            Op::Insert => Op::BeforeInsert,
            _ => Op::BeforeUpdate,
        };
        let layout = &self.layout;
        // An ignored update of another row may have announced the same new row, with the updated row in its way.
        let announced =
            |p: &Row| p.op == announcing && p.old != row.old && layout.announced(&p.new, &row.new);
        let mut replaced: Vec<Vec<Cell>> = Vec::new();
        for candidate in self
            .pending
            .iter()
            .filter(|p| announced(p) && conflicts(layout, p, row))
        {
            if !replaced.contains(&candidate.old) {
                replaced.push(candidate.old.clone());
            }
        }
        replaced
    }

    fn tell(&self, told: Told, out: &mut Vec<Change>) {
        out.push(Change {
            seq: told.seq,
            table: Arc::clone(&self.table),
            at: told.at,
            layout: Arc::clone(&self.layout),
            what: told.what,
            ttl: told.ttl,
        });
    }
}

/// Whether the candidate is in the way of the row that was written.
fn conflicts(layout: &Layout, candidate: &Row, row: &Row) -> bool {
    let by_rowid = layout
        .rowid
        .is_some_and(|at| candidate.old.get(at) == row.new.get(at));
    let misjudged = layout.misjudged(&candidate.new, &candidate.old, &row.new);
    candidate.hit & row.hit & !misjudged & !1 != 0 || (candidate.hit & 1 != 0 && by_rowid)
}

struct Told {
    seq: Seq,
    at: Timestamp,
    what: What,
    ttl: bool,
}

/// Numbers what one row tells.
struct Parts {
    row: i64,
    at: Timestamp,
    ttl: bool,
    next: std::cell::Cell<usize>,
}

impl Parts {
    fn new(row: &Row, ttl: bool) -> Self {
        Parts {
            row: row.seq,
            at: row.at,
            ttl,
            next: std::cell::Cell::new(0),
        }
    }

    fn next(&self, what: What) -> Told {
        let part = self.next.get();
        self.next.set(part + 1);
        Told {
            seq: Seq::new(self.row, part),
            at: self.at,
            what,
            ttl: self.ttl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamodb::feed::layout::{Column, VERSION};

    const PARTS: u64 = 128;

    /// A table of k (the rowid) and v.
    fn replay() -> Replay {
        let layout = Layout {
            version: VERSION,
            columns: vec![Column::named("k", "INTEGER"), Column::named("v", "")],
            key: vec![0],
            rowid: Some(0),
        };
        Replay::new("t".into(), Arc::new(layout))
    }

    fn pair(k: i64, v: i64) -> Vec<Cell> {
        vec![Cell::Integer(k), Cell::Integer(v)]
    }

    fn row(seq: i64, op: Op, old: Vec<Cell>, new: Vec<Cell>) -> Row {
        Row {
            seq,
            at: Timestamp::default(),
            op,
            hit: -1,
            old,
            new,
        }
    }

    #[test]
    fn a_cut_before_the_row_goes_on_where_it_was_announced() {
        let mut replay = replay();
        let mut out = Vec::new();
        replay.take(row(7, Op::BeforeInsert, pair(1, 1), pair(1, 2)), &mut out);
        replay.take(row(8, Op::Delete, pair(1, 1), Vec::new()), &mut out);
        assert_eq!((out.len(), replay.oldest()), (0, Some(7)));
        replay.take(row(9, Op::Insert, Vec::new(), pair(1, 2)), &mut out);
        assert_eq!(replay.oldest(), None);
        let what = What::Modify {
            old: pair(1, 1),
            new: pair(1, 2),
        };
        assert_eq!((out.len(), &out[0].what, out[0].seq), (1, &what, Seq(9 * PARTS)));
    }

    #[test]
    fn a_deletion_of_something_else_lets_the_held_one_stand() {
        let mut replay = replay();
        let mut out = Vec::new();
        replay.take(row(1, Op::BeforeInsert, pair(1, 1), pair(1, 2)), &mut out);
        replay.take(row(2, Op::Delete, pair(1, 1), Vec::new()), &mut out);
        replay.take(row(3, Op::Expire, pair(5, 5), Vec::new()), &mut out);
        assert_eq!(
            out.iter().map(|c| (c.seq.0 / PARTS, c.ttl)).collect::<Vec<_>>(),
            [(2, false), (3, true)]
        );
    }

    #[test]
    fn any_number_of_ignored_inserts_is_remembered_in_bounded_room() {
        let mut replay = replay();
        let mut out = Vec::new();
        for seq in 1..2_000 {
            replay.take(row(seq, Op::BeforeInsert, pair(seq, 0), pair(seq, 1)), &mut out);
            replay.take(row(seq, Op::Delete, pair(seq, 0), Vec::new()), &mut out);
        }
        assert!(replay.pending.len() <= MAX_PENDING && replay.held.len() <= MAX_PENDING);
        replay.end(&mut out);
        assert_eq!((out.len(), replay.oldest()), (1_999, None));
        assert!(out.is_sorted_by_key(|change| change.seq));
    }
}
