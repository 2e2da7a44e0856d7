//! Lists in any order: each expectation needs a value of its own.
//!
//! Taking the first value that fits is not enough: `[{}, { a: 1 }]` fits `[{ a: 1 }, { a: 2 }]` only if the
//! first expectation leaves `{ a: 1 }` to the second. So this looks for a matching, by augmenting paths.

use serde_json::Value as Json;

use super::matches;
use crate::node::{Node, Value};

/// Whether the expectations and the values pair up, one to one.
pub(super) fn fits(expected: &Node, actual: &Json) -> bool {
    let (Value::List(expected), Json::Array(actual)) = (&expected.value, actual) else {
        return false;
    };
    if expected.len() != actual.len() {
        return false;
    }
    let fitting: Vec<Vec<usize>> = expected
        .iter()
        .map(|node| {
            (0..actual.len())
                .filter(|&j| matches(node, &actual[j]).is_ok())
                .collect()
        })
        .collect();
    let mut matching = Matching::new(expected.len(), actual.len());
    matching.fill(&fitting, &vec![1; expected.len()]);
    (0..expected.len()).all(|i| matching.count(i) == 1)
}

/// Which expectation has which value. One expectation may have several.
pub struct Matching {
    owner: Vec<Option<usize>>,
    counts: Vec<usize>,
}

impl Matching {
    /// Nobody has anything.
    pub fn new(expectations: usize, values: usize) -> Self {
        Matching {
            owner: vec![None; values],
            counts: vec![0; expectations],
        }
    }

    /// Who has a value.
    pub fn owner(&self, value: usize) -> Option<usize> {
        self.owner[value]
    }

    /// How many values an expectation has.
    pub fn count(&self, expectation: usize) -> usize {
        self.counts[expectation]
    }

    /// Gives as many values away as possible, up to a capacity for each expectation, earlier ones first. `fitting` lists for
    /// each the values that fit, the preferred one first. Values that have an owner may change it, but no expectation ever
    /// has fewer of them than before.
    pub fn fill(&mut self, fitting: &[Vec<usize>], capacity: &[usize]) {
        let mut search = Search {
            fitting,
            next: vec![0; fitting.len()],
            from: vec![None; fitting.len()],
            seen: vec![false; fitting.len()],
        };
        for (i, capacity) in capacity.iter().enumerate() {
            while self.counts[i] < *capacity && search.give(i, &mut self.owner) {
                self.counts[i] += 1;
            }
        }
    }
}

/// A search for a free value, breadth first, from an expectation over the owners of what fits it.
struct Search<'a> {
    fitting: &'a [Vec<usize>],
    /// Where each expectation's free values begin: a value that has an owner always has one.
    next: Vec<usize>,
    /// Who wants which value of an expectation.
    from: Vec<Option<(usize, usize)>>,
    /// Where the search has been. What a search in vain saw leads nowhere later either, and stays.
    seen: Vec<bool>,
}

impl Search<'_> {
    /// One more value for expectation `first`, if others can move.
    fn give(&mut self, first: usize, owner: &mut [Option<usize>]) -> bool {
        if self.seen[first] {
            return false;
        }
        self.seen[first] = true;
        self.from[first] = None;
        let mut queue = vec![first];
        let mut at = 0;
        while let Some(&i) = queue.get(at) {
            at += 1;
            if let Some(free) = self.free(i, owner) {
                self.shift(i, free, owner);
                queue.iter().for_each(|i| self.seen[*i] = false);
                return true;
            }
            for &j in &self.fitting[i] {
                if let Some(other) = owner[j].filter(|other| !self.seen[*other]) {
                    self.seen[other] = true;
                    self.from[other] = Some((i, j));
                    queue.push(other);
                }
            }
        }
        false
    }

    fn free(&mut self, i: usize, owner: &[Option<usize>]) -> Option<usize> {
        let rest = &self.fitting[i][self.next[i]..];
        let skipped = rest.iter().take_while(|j| owner[**j].is_some()).count();
        self.next[i] += skipped;
        rest.get(skipped).copied()
    }

    /// Takes the free value, and everyone on the way here what the next gave up for it.
    fn shift(&self, mut i: usize, free: usize, owner: &mut [Option<usize>]) {
        owner[free] = Some(i);
        while let Some((wants, value)) = self.from[i] {
            owner[value] = Some(wants);
            i = wants;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_chain_of_moves_needs_no_stack() {
        const N: usize = 100_000;
        // Each took the first of two; the last wants what the first has, and everyone moves on by one.
        let mut fitting: Vec<Vec<usize>> = (0..N).map(|i| vec![i, i + 1]).collect();
        fitting.push(vec![0]);
        let mut matching = Matching::new(N + 1, N + 1);
        matching.fill(&fitting, &vec![1; N + 1]);
        assert!((0..N).all(|i| matching.owner(i + 1) == Some(i)));
        assert_eq!(matching.owner(0), Some(N));
    }

    #[test]
    fn one_takes_many_and_gives_up_what_another_needs() {
        let fitting = [vec![0, 1, 2], vec![0]];
        let mut matching = Matching::new(2, 3);
        matching.fill(&fitting, &[2, 1]);
        assert_eq!([0, 1, 2].map(|j| matching.owner(j)), [Some(1), Some(0), Some(0)]);
        assert_eq!(matching.count(0), 2);
        let mut matching = Matching::new(2, 3);
        matching.fill(&fitting, &[3, 1]);
        assert_eq!(matching.count(1), 0, "earlier ones first");
    }
}
