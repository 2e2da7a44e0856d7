//! The engine against another that is slow and written from the rules: it makes a world of each choice of
//! array elements, in which an event is a plain list of leaves, and tries them all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::pattern;

const PAIRS: usize = 100_000;
/// Events with more worlds are left out: they tell nothing new and take the time.
const WORLDS: usize = 12;

#[test]
fn engine_and_oracle_agree() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (mut matched, mut not, mut absences, mut ors) = (0, 0, 0, 0);
    while matched + not < PAIRS {
        let asked = chance.pattern(3);
        let text = asked.to_string();
        let engine = pattern(&text);
        for _ in 0..4 {
            let event = Value::Object(chance.object(3));
            if how_many(&event) > WORLDS {
                continue;
            }
            let worlds = worlds(&event);
            let expected = ways(&asked, "").iter().any(|way| meets(way, &worlds));
            assert_eq!(engine.matches(&event), expected, "{text} {event}");
            assert_eq!(engine.mismatch(&event).is_none(), expected, "{text} {event}");
            *(if expected { &mut matched } else { &mut not }) += 1;
            absences += usize::from(expected && text.contains("false"));
            ors += usize::from(expected && text.contains("$or"));
        }
    }
    println!("{matched} match, {not} do not; {absences} with exists:false and {ors} with $or match");
    assert!(matched > PAIRS / 10 && absences > PAIRS / 100 && ors > PAIRS / 100);
}

/// A leaf, and the choices that lead to it: array (by its pointer) and index.
#[derive(Clone)]
struct Seen<'e> {
    path: String,
    value: &'e Value,
    through: BTreeSet<(String, usize)>,
}

/// What is seen of an event if one element of each array is chosen.
#[derive(Clone, Default)]
struct World<'e> {
    chosen: BTreeSet<(String, usize)>,
    seen: Vec<Seen<'e>>,
}

fn how_many(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(how_many).product(),
        Value::Array(elements) => {
            let containers = elements
                .iter()
                .filter(|value| value.is_array() || value.is_object());
            containers.map(how_many).sum::<usize>().max(1)
        }
        _ => 1,
    }
}

fn worlds(event: &Value) -> Vec<World<'_>> {
    look(event, "", "", &BTreeSet::new())
}

fn look<'e>(
    value: &'e Value,
    path: &str,
    pointer: &str,
    through: &BTreeSet<(String, usize)>,
) -> Vec<World<'e>> {
    match value {
        Value::Object(members) => {
            let parts = members.iter().map(|(key, value)| {
                let dot = if pointer.is_empty() { "" } else { "." };
                look(
                    value,
                    &format!("{path}{dot}{key}"),
                    &format!("{pointer}/{key}"),
                    through,
                )
            });
            parts.fold(vec![World::default()], both)
        }
        Value::Array(elements) => {
            let container = |value: &Value| value.is_array() || value.is_object();
            let scalars = elements.iter().filter(|value| !container(value));
            let scalars = scalars.map(|value| look(value, path, pointer, through));
            let beside = scalars.fold(vec![World::default()], both);
            let mut inside = Vec::new();
            for (index, element) in elements.iter().enumerate().filter(|(_, value)| container(value)) {
                let mut deeper = through.clone();
                deeper.insert((pointer.to_owned(), index));
                for mut world in look(element, path, &format!("{pointer}/{index}"), &deeper) {
                    world.chosen.insert((pointer.to_owned(), index));
                    inside.push(world);
                }
            }
            if inside.is_empty() {
                beside
            } else {
                both(beside, inside)
            }
        }
        _ => {
            let seen = Seen {
                path: path.to_owned(),
                value,
                through: through.clone(),
            };
            vec![World {
                chosen: BTreeSet::new(),
                seen: vec![seen],
            }]
        }
    }
}

fn both<'e>(left: Vec<World<'e>>, right: Vec<World<'e>>) -> Vec<World<'e>> {
    let join = |a: &World<'e>, b: &World<'e>| World {
        chosen: a.chosen.union(&b.chosen).cloned().collect(),
        seen: a.seen.iter().chain(&b.seen).cloned().collect(),
    };
    left.iter()
        .flat_map(|a| right.iter().map(move |b| join(a, b)))
        .collect()
}

type Way<'p> = BTreeMap<String, &'p Vec<Value>>;

/// The conditions that must hold together, for each way through the `$or`s.
fn ways<'p>(pattern: &'p Value, above: &str) -> Vec<Way<'p>> {
    let mut ways = vec![Way::new()];
    for (key, value) in pattern.as_object().into_iter().flatten() {
        let path = if above.is_empty() {
            key.clone()
        } else {
            format!("{above}.{key}")
        };
        let more: Vec<Way<'p>> = match value {
            Value::Array(branches) if key == "$or" => branches
                .iter()
                .flat_map(|branch| self::ways(branch, above))
                .collect(),
            Value::Array(alternatives) => vec![Way::from([(path, alternatives)])],
            inner => self::ways(inner, &path),
        };
        ways = ways
            .iter()
            .flat_map(|before| {
                more.iter().map(move |after| {
                    let mut way = before.clone();
                    way.extend(after.iter().map(|(path, list)| (path.clone(), *list)));
                    way
                })
            })
            .collect();
    }
    ways
}

fn meets(way: &Way<'_>, worlds: &[World<'_>]) -> bool {
    let asked: Vec<(&String, &Vec<Value>)> = way.iter().map(|(path, list)| (path, *list)).collect();
    worlds
        .iter()
        .any(|world| goes_on(&asked, world, worlds, &BTreeSet::new()))
}

/// Whether the rest can be met in `world`, after leaves that were reached through `through`.
fn goes_on(
    asked: &[(&String, &Vec<Value>)],
    world: &World<'_>,
    worlds: &[World<'_>],
    through: &BTreeSet<(String, usize)>,
) -> bool {
    let Some(((path, alternatives), rest)) = asked.split_first() else {
        return true;
    };
    let by_a_leaf = world.seen.iter().any(|leaf| {
        leaf.path == **path
            && alternatives
                .iter()
                .any(|alternative| holds(alternative, leaf.value))
            && goes_on(
                rest,
                world,
                worlds,
                &through.union(&leaf.through).cloned().collect(),
            )
    });
    let by_absence = || {
        let mut possible = worlds.iter().filter(|world| through.is_subset(&world.chosen));
        alternatives.contains(&json!({"exists": false}))
            && possible.all(|world| world.seen.iter().all(|leaf| leaf.path != **path))
            && goes_on(rest, world, worlds, through)
    };
    by_a_leaf || by_absence()
}

fn holds(alternative: &Value, value: &Value) -> bool {
    let Some((operator, operand)) = alternative.as_object().and_then(|object| object.iter().next()) else {
        return match (alternative.as_f64(), value.as_f64()) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => alternative == value,
        };
    };
    match (operator.as_str(), value.as_str()) {
        ("exists", _) => operand == &json!(true),
        ("prefix", Some(text)) => operand.as_str().is_some_and(|prefix| text.starts_with(prefix)),
        ("anything-but", _) => operand != value,
        ("numeric", _) => value.as_f64().is_some_and(|number| number > 0.5),
        _ => false,
    }
}

/// A deterministic source of choices: xorshift64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        let index = self.below(of.len() as u64);
        of[index as usize].clone()
    }

    fn key(&mut self) -> String {
        self.one_of(&["a", "b", "c", "a", "b", "a.b", "b.a"]).to_owned()
    }

    fn scalar(&mut self) -> Value {
        self.one_of(&[
            json!("x"),
            json!("xy"),
            json!(1),
            json!(0),
            json!(null),
            json!(true),
        ])
    }

    fn value(&mut self, depth: u64) -> Value {
        match if depth == 0 { 0 } else { self.below(7) } {
            0 | 1 => self.scalar(),
            2 | 3 => Value::Object(self.object(depth - 1)),
            _ => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
        }
    }

    fn object(&mut self, depth: u64) -> Map<String, Value> {
        let count = 1 + self.below(3);
        (0..count).map(|_| (self.key(), self.value(depth))).collect()
    }

    fn alternatives(&mut self) -> Value {
        let count = 1 + self.below(2);
        let one = |chance: &mut Chance| match chance.below(12) {
            0..4 => chance.scalar(),
            4 => json!({"prefix": "x"}),
            5 => json!({"anything-but": "x"}),
            6 => json!({"anything-but": 1}),
            7 => json!({"numeric": [">", 0.5]}),
            8 | 9 => json!({"exists": true}),
            _ => json!({"exists": false}),
        };
        (0..count).map(|_| one(self)).collect()
    }

    fn pattern(&mut self, depth: u64) -> Value {
        let mut members = Map::new();
        for _ in 0..=self.below(2) {
            let inner = depth > 1 && self.below(2) == 0;
            let value = if inner {
                self.pattern(depth - 1)
            } else {
                self.alternatives()
            };
            members.insert(self.key(), value);
        }
        if depth > 1 && self.below(6) == 0 {
            let branches = (0..2).map(|_| self.pattern(depth - 1)).collect();
            members.insert("$or".to_owned(), branches);
        }
        Value::Object(members)
    }
}
