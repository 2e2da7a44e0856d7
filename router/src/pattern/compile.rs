//! From a pattern's JSON to its products: what must hold together, once for each way through its `$or`s.
//!
//! Keys are written to every product in the order of the text, and a path written again is replaced. So
//! the last of two equal keys counts, and a branch of an `$or` replaces what stands before it under the
//! same path (spec/sources/event-patterns §1, §4).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::condition::Condition;
use super::error::Refusal;
use super::json::{Node, Value};
use super::text::{self, Wildcard};
use super::{operators, path};

/// Paths in order, each with its alternatives; all must hold.
pub(super) type Product = BTreeMap<Arc<str>, Arc<[Condition]>>;

const OR: &str = "$or";
const TOO_COMPLEX: &str = "Rule is too complex - try using fewer wildcard characters or fewer repeating \
                           character sequences after a wildcard character";

/// Keys that a branch of an `$or` must not have: operators of today and those that AWS keeps for later.
const RESERVED: &[&str] = &[
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// The products of a pattern, at most `most`.
pub(super) fn products(root: Node, most: usize) -> Result<Vec<Product>, Refusal> {
    if !matches!(root.value, Value::Object(_)) {
        return Err(Refusal::new(root.at, "Filter is not an object"));
    }
    let mut products = vec![Product::new()];
    let compiler = Compiler { most };
    compiler.object(&mut products, None, root, false)?;
    Ok(products)
}

struct Compiler {
    most: usize,
}

impl Compiler {
    fn object(
        &self,
        products: &mut Vec<Product>,
        above: Option<&str>,
        node: Node,
        in_or: bool,
    ) -> Result<(), Refusal> {
        let Value::Object(members) = node.value else {
            return Ok(());
        };
        if members.is_empty() {
            return Err(Refusal::new(node.at, "Empty objects are not allowed"));
        }
        for (key, value) in members {
            if key.text == OR {
                self.or(products, above, value)?;
                continue;
            }
            if in_or && RESERVED.contains(&key.text.as_str()) {
                let reason = format!(
                    "{} is Ruler reserved fieldName which cannot be used inside {OR}.",
                    key.text
                );
                return Err(Refusal::new(key.at, reason));
            }
            let path = path::join(above, &key.text);
            let at = value.at;
            match value.value {
                Value::Object(_) => self.object(products, Some(&path), value, in_or)?,
                Value::Array(alternatives) => {
                    let conditions = leaf(at, alternatives)?;
                    let path: Arc<str> = path.into();
                    for product in &mut *products {
                        product.insert(Arc::clone(&path), Arc::clone(&conditions));
                    }
                }
                _ => {
                    let reason = format!("\"{}\" must be an object or an array", key.text);
                    return Err(Refusal::new(at, reason));
                }
            }
        }
        Ok(())
    }

    fn or(&self, products: &mut Vec<Product>, above: Option<&str>, node: Node) -> Result<(), Refusal> {
        let Value::Array(branches) = node.value else {
            let reason = format!("It must be an Array followed with {OR}.");
            return Err(Refusal::new(node.at, reason));
        };
        let count = branches.len();
        let before = std::mem::take(products);
        for branch in branches {
            if !matches!(branch.value, Value::Object(_)) {
                let reason = format!("Only JSON object is allowed in array of {OR} relationship.");
                return Err(Refusal::new(branch.at, reason));
            }
            let at = branch.at;
            let mut with_branch = before.clone();
            self.object(&mut with_branch, above, branch, true)?;
            products.append(&mut with_branch);
            if products.len() > self.most {
                let reason = format!(
                    "Rule is too complex - its {OR}s make more than {} combinations",
                    self.most
                );
                return Err(Refusal::new(at, reason));
            }
        }
        if count < 2 {
            let reason = format!("There must have at least 2 Objects in {OR} relationship.");
            return Err(Refusal::new(node.at, reason));
        }
        Ok(())
    }
}

fn leaf(at: usize, alternatives: Vec<Node>) -> Result<Arc<[Condition]>, Refusal> {
    if alternatives.is_empty() {
        return Err(Refusal::new(at, "Empty arrays are not allowed"));
    }
    let conditions: Vec<Condition> = alternatives
        .into_iter()
        .map(operators::condition)
        .collect::<Result<_, _>>()?;
    let wildcards: Vec<&Wildcard> = conditions.iter().flat_map(Condition::wildcards).collect();
    if text::too_complex(&wildcards) {
        return Err(Refusal::new(at, TOO_COMPLEX));
    }
    Ok(conditions.into())
}
