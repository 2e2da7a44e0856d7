//! Names in SQL: quoting, and the names that belong to the feed.

/// The table of feeds, and the beginning of every name of ours.
pub const FEEDS: &str = "_triggerfish_feed";
/// The table of eras: from which row on which layout holds.
pub const ERAS: &str = "_triggerfish_feed_era";

/// The table that feed `id` writes to.
pub fn feed_table(id: i64) -> String {
    format!("{FEEDS}_{id}")
}

/// Whether a name belongs to the feed. SQLite compares names without case.
pub fn is_ours(name: &str) -> bool {
    name.get(..FEEDS.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(FEEDS))
}

/// A name as an identifier.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_ours_are_known() {
        assert_eq!(identifier("a\"b c"), "\"a\"\"b c\"");
        assert!(is_ours("_TriggerFish_feed") && is_ours(&feed_table(3)) && is_ours(ERAS));
        assert!(!is_ours("_triggerfish") && !is_ours("orders") && !is_ours("_triggerfish_fée"));
    }
}
