//! Whether the fields of an event meet a product: a choice of one field for each path, consistent in arrays.
//!
//! Paths are taken in order, as the reference does, with the set of memberships that the choices so far
//! can have. `exists: false` is judged there: no leaf may be in the elements chosen so far (§3 and the hint
//! of spec/sources/event-patterns). Arrays that no later path goes through are forgotten, so the set stays
//! as small as one array is long (but for an event that spells one path in several ways, with dots and without).

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Product;
use super::condition::Condition;
use super::fields::{Field, Fields, Membership};

/// How far a product was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// All of it.
    All,
    /// Not the condition of this index among its paths.
    Until(usize),
}

/// Goes through a product's paths until none of the choices so far can go on.
pub(super) fn met(product: &Product, fields: &Fields<'_>) -> Met {
    let last_use = last_use(product, fields);
    let mut chosen = BTreeSet::from([Membership::new()]);
    for (step, (path, conditions)) in product.iter().enumerate() {
        let here = fields.at(path);
        let hits = Elements::of(here.iter().filter(|field| takes(conditions, field)));
        let all = conditions
            .iter()
            .any(|condition| matches!(condition, Condition::Absent))
            .then(|| Elements::of(here.iter()));
        let mut next = BTreeSet::new();
        let mut choose = |membership: Membership| {
            let kept = membership.into_iter();
            next.insert(
                kept.filter(|(array, _)| last_use.get(array) > Some(&step))
                    .collect(),
            );
        };
        for membership in chosen {
            hits.consistent_with(&membership, &mut choose);
            if all.as_ref().is_some_and(|all| !all.any_with(&membership)) {
                choose(membership);
            }
        }
        if next.is_empty() {
            return Met::Until(step);
        }
        chosen = next;
    }
    Met::All
}

/// Whether a field meets one of its path's alternatives.
pub(super) fn takes(conditions: &[Condition], field: &Field<'_>) -> bool {
    conditions.iter().any(|condition| condition.takes(&field.leaf))
}

/// For each array the last step that looks into it.
fn last_use(product: &Product, fields: &Fields<'_>) -> BTreeMap<usize, usize> {
    let mut last = BTreeMap::new();
    for (step, path) in product.keys().enumerate() {
        for (array, _) in fields.at(path).iter().flat_map(|field| &field.membership) {
            last.insert(*array, step);
        }
    }
    last
}

/// The memberships of some fields as a tree, so that those in a chosen element are found without the rest.
struct Elements {
    /// The first is the root: in no element.
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    /// Whether a field is in exactly these elements.
    has_field: bool,
    /// By array and index: the node in that element.
    inside: BTreeMap<usize, BTreeMap<usize, usize>>,
}

impl Elements {
    fn of<'f>(fields: impl Iterator<Item = &'f Field<'f>>) -> Elements {
        let mut nodes = vec![Node::default()];
        for field in fields {
            let mut at = 0;
            for (array, index) in &field.membership {
                let fresh = nodes.len();
                let by_index = nodes[at].inside.entry(*array).or_default();
                at = *by_index.entry(*index).or_insert(fresh);
                if at == fresh {
                    nodes.push(Node::default());
                }
            }
            nodes[at].has_field = true;
        }
        Elements { nodes }
    }

    /// Calls `found` with each membership joined with `chosen`, where no array has two elements.
    fn consistent_with(&self, chosen: &Membership, found: &mut impl FnMut(Membership)) {
        self.visit(chosen, |added| {
            let mut joined = chosen.clone();
            joined.extend_from_slice(added);
            joined.sort_unstable();
            found(joined);
            false
        });
    }

    fn any_with(&self, chosen: &Membership) -> bool {
        self.visit(chosen, |_| true)
    }

    /// Goes through the fields that are consistent with `chosen`, until `enough` of what each adds to it.
    fn visit(&self, chosen: &Membership, mut enough: impl FnMut(&Membership) -> bool) -> bool {
        let mut left = vec![(0, Membership::new())];
        while let Some((node, added)) = left.pop() {
            let node = &self.nodes[node];
            if node.has_field && enough(&added) {
                return true;
            }
            for (array, by_index) in &node.inside {
                let taken = chosen.binary_search_by_key(array, |(array, _)| *array);
                if let Ok(place) = taken {
                    let inside = by_index.get(&chosen[place].1);
                    left.extend(inside.map(|node| (*node, added.clone())));
                    continue;
                }
                for (index, node) in by_index {
                    let mut added = added.clone();
                    added.push((*array, *index));
                    left.push((*node, added));
                }
            }
        }
        false
    }
}
