//! Paths of fields: keys joined by dots, the same for `{"a.b":…}` and `{"a":{"b":…}}`.

/// The path of a key of the object at `above`, `None` for the root.
pub(super) fn join(above: Option<&str>, key: &str) -> String {
    match above {
        Some(above) => format!("{above}.{key}"),
        None => key.to_owned(),
    }
}

/// Whether one of the sorted `wanted` is this path, or is below it.
pub(super) fn leads_to_one(wanted: &[String], path: &str) -> bool {
    let first = wanted.partition_point(|one| one.as_str() < path);
    if wanted.get(first).is_some_and(|one| one == path) {
        return true;
    }
    let below = format!("{path}.");
    let first = wanted.partition_point(|one| *one < below);
    wanted.get(first).is_some_and(|one| one.starts_with(&below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_itself_and_below() {
        let wanted: Vec<String> = ["a-b", "a.b.c", "ab", "d"].map(str::to_owned).into();
        for path in ["a-b", "a", "a.b", "a.b.c", "ab", "d"] {
            assert!(leads_to_one(&wanted, path), "{path}");
        }
        for path in ["", "a.b.c.d", "a.c", "b", "a-", "e"] {
            assert!(!leads_to_one(&wanted, path), "{path}");
        }
        assert_eq!(join(join(None, "").as_str().into(), "x"), ".x");
    }
}
