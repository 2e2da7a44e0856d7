//! Values of the model's shapes, for tests: enough of each kind that one of them makes a difference to who reads it.

use serde_json::{Map, Value, json};

use super::{Kind, Model, Shape, constraint};

/// A member that has no members itself, and values of the outermost one in which nothing but it differs.
#[derive(Debug)]
pub struct Leaf {
    /// Its place, `VpcConfig.SubnetIds`.
    pub path: String,
    /// The values.
    pub values: Vec<Value>,
}

impl Model {
    /// The leaves of a member of an operation; `texts` are what strings are chosen from.
    ///
    /// # Panics
    /// None of the texts has the pattern of a string.
    pub fn samples(&self, operation: &str, member: &str, texts: &[&str]) -> Vec<Leaf> {
        let input = self.operations[operation].input.as_ref().expect("an input");
        let shape = &self.shapes[input].members[member].shape;
        self.leaves(&self.shapes[shape], member, texts)
    }

    fn leaves(&self, shape: &Shape, path: &str, texts: &[&str]) -> Vec<Leaf> {
        let inner = |name: &Option<String>| &self.shapes[name.as_ref().expect("an inner shape")];
        let wrap = |leaf: Leaf, with: &dyn Fn(Value) -> Value| Leaf {
            values: leaf.values.into_iter().map(with).collect(),
            ..leaf
        };
        match shape.kind {
            Kind::Structure => self.members_of(shape, path, texts),
            Kind::List => {
                let leaves = self.leaves(inner(&shape.member), path, texts).into_iter();
                let empty = inner(&shape.member).kind != Kind::Structure;
                let mut leaves: Vec<Leaf> = leaves.map(|leaf| wrap(leaf, &|value| json!([value]))).collect();
                leaves
                    .iter_mut()
                    .filter(|_| empty)
                    .for_each(|leaf| leaf.values.push(json!([])));
                leaves
            }
            Kind::Map => {
                let key = scalars(inner(&shape.key), path, texts).remove(0);
                let key = key.as_str().expect("keys are texts").to_owned();
                let leaves = self.leaves(inner(&shape.value), path, texts).into_iter();
                let entry = |value: Value| Value::Object(Map::from_iter([(key.clone(), value)]));
                leaves
                    .map(|leaf| wrap(leaf, &entry))
                    .map(|mut leaf| {
                        leaf.values.push(json!({}));
                        leaf
                    })
                    .collect()
            }
            _ => vec![Leaf {
                path: path.to_owned(),
                values: scalars(shape, path, texts),
            }],
        }
    }

    fn members_of(&self, shape: &Shape, path: &str, texts: &[&str]) -> Vec<Leaf> {
        let of = |name: &str| {
            let member = &self.shapes[&shape.members[name].shape];
            self.leaves(member, &format!("{path}.{name}"), texts)
        };
        let mut all = Vec::new();
        for name in shape.members.keys() {
            let others = shape.required.iter().filter(|other| *other != name);
            let others = others.map(|other| (other.clone(), of(other).remove(0).values.remove(0)));
            let others: Map<String, Value> = others.collect();
            for leaf in of(name) {
                let with = |value: Value| {
                    let mut members = others.clone();
                    members.insert(name.clone(), value);
                    Value::Object(members)
                };
                let mut values: Vec<Value> = leaf.values.into_iter().map(with).collect();
                if !shape.required.contains(name) {
                    values.push(Value::Object(others.clone()));
                }
                all.push(Leaf { values, ..leaf });
            }
        }
        all
    }
}

fn scalars(shape: &Shape, path: &str, texts: &[&str]) -> Vec<Value> {
    let all: Vec<Value> = match shape.kind {
        Kind::String if !shape.choices.is_empty() => shape.choices.iter().map(|c| json!(c)).collect(),
        Kind::String => texts.iter().map(|text| json!(text)).collect(),
        Kind::Integer | Kind::Long => [1, 2, 3, 60, 100, 200, 600, 1000].map(|n| json!(n)).to_vec(),
        Kind::Double => [0.5, 2.5, 3.5].map(|n| json!(n)).to_vec(),
        Kind::Boolean => vec![json!(true), json!(false)],
        Kind::Timestamp => vec![json!(1.0), json!(2.0)],
        Kind::Blob => vec![json!("eno="), json!("b25l")],
        Kind::Structure | Kind::List | Kind::Map => Vec::new(),
    };
    let good = |value: &Value| constraint::single(shape, value, path).is_ok_and(|broken| broken.is_empty());
    let all: Vec<Value> = all.into_iter().filter(good).collect();
    assert!(!all.is_empty(), "no text for {path}: {:?}", shape.pattern);
    all
}
