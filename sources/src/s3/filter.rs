//! Which events a route takes: event types, prefix, suffix; and S3's refusal of routes that overlap.

use std::collections::BTreeSet;
use std::fmt;

use router::event::Refusal;
use router::name::{FunctionName, RouteName};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};

use super::key::encode;
use super::record::Kind;
use crate::source::{SourceError, Subscription};

/// AWS's own words for two configurations that would both take one event (spec/sources/s3 §5).
const OVERLAP: &str = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if \
                       the prefixes are overlapping for the same event type.";

/// The keys of a route from a bucket.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Event types, such as `ObjectCreated:*`; that is also the default.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "Option<OneOrMany>")]
    pub events: Option<Vec<String>>,
    /// What the key begins with; no wildcards.
    pub prefix: Option<String>,
    /// What the key ends with; no wildcards.
    pub suffix: Option<String>,
}

/// How `events` may be written, for the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: de::Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an event type such as `ObjectCreated:*`, or a list of them")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(vec![text.to_owned()]))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = seq.next_element()? {
                all.push(text);
            }
            Ok(Some(all))
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    from.deserialize_any(Texts)
}

/// The event types of S3 that a configuration may name (spec/sources/s3 §2).
const TYPES: [&str; 24] = [
    "ObjectCreated:Put",
    "ObjectCreated:Post",
    "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    "ObjectRestore:Post",
    "ObjectRestore:Completed",
    "ObjectRestore:Delete",
    "ReducedRedundancyLostObject",
    "Replication:OperationFailedReplication",
    "Replication:OperationMissedThreshold",
    "Replication:OperationReplicatedAfterThreshold",
    "Replication:OperationNotTracked",
    "LifecycleExpiration:Delete",
    "LifecycleExpiration:DeleteMarkerCreated",
    "LifecycleTransition",
    "IntelligentTiering",
    "ObjectTagging:Put",
    "ObjectTagging:Delete",
    "ObjectAcl:Put",
    "ObjectAnnotation:Put",
    "ObjectAnnotation:Delete",
    "ObjectRetention:Put",
];

/// A checked route: strict event types, and both spellings of prefix and suffix.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The route's name; records show it as `configurationId`.
    pub route: RouteName,
    /// The function at its end.
    pub to: FunctionName,
    events: BTreeSet<&'static str>,
    prefix: Affix,
    suffix: Affix,
}

/// A prefix or suffix as written, and in the encoded form that S3 compares; a plain value that encoding
/// would change is accepted too (spec/sources/s3 §5).
#[derive(Clone, Debug)]
struct Affix {
    written: String,
    encoded: String,
}

impl Affix {
    fn new(text: Option<&str>) -> Self {
        let written = text.unwrap_or_default().to_owned();
        Affix {
            encoded: encode(&written),
            written,
        }
    }

    fn any(&self, test: impl Fn(&str) -> bool) -> bool {
        test(&self.written) || test(&self.encoded)
    }
}

/// Checks every route and, unless `allow_overlap`, that no two take the same event.
pub fn rules(subscriptions: &[Subscription<Filter>], allow_overlap: bool) -> Result<Vec<Rule>, SourceError> {
    let rules: Vec<Rule> = subscriptions
        .iter()
        .enumerate()
        .map(|(n, s)| rule(s).map_err(|e| e.of(n)))
        .collect::<Result<_, _>>()?;
    if !allow_overlap {
        for (n, later) in rules.iter().enumerate() {
            if let Some(earlier) = rules[..n].iter().find(|earlier| overlap(earlier, later)) {
                return Err(SourceError::new(OVERLAP).of(n).help(format!(
                    "routes `{}` and `{}` would both take the same event; give them different `events`, \
                     `prefix` or `suffix`, or set `allow_overlap: true` on the source",
                    earlier.route, later.route
                )));
            }
        }
    }
    Ok(rules)
}

fn rule(subscription: &Subscription<Filter>) -> Result<Rule, SourceError> {
    let filter = &subscription.filter;
    let mut events = BTreeSet::new();
    match &filter.events {
        None => events.extend(expand("ObjectCreated:*")?),
        Some(texts) if texts.is_empty() => {
            return Err(SourceError::new("`events` is empty, so the route takes nothing").at("events"));
        }
        Some(texts) => {
            for text in texts {
                events.extend(expand(text)?);
            }
        }
    }
    for (key, value) in [("prefix", &filter.prefix), ("suffix", &filter.suffix)] {
        if value.as_ref().is_some_and(|v| v.chars().count() > 1024) {
            return Err(SourceError::new(format!("`{key}` is longer than 1024 characters")).at(key));
        }
    }
    Ok(Rule {
        route: subscription.route.clone(),
        to: subscription.to.clone(),
        events,
        prefix: Affix::new(filter.prefix.as_deref()),
        suffix: Affix::new(filter.suffix.as_deref()),
    })
}

/// The event types that a text stands for; a wildcard stands for the last segment only.
fn expand(text: &str) -> Result<Vec<&'static str>, SourceError> {
    let bare = text.strip_prefix("s3:").unwrap_or(text);
    let found: Vec<&'static str> = match bare.strip_suffix(":*") {
        Some(family) => TYPES
            .into_iter()
            .filter(|t| t.split_once(':').is_some_and(|(f, _)| f == family))
            .collect(),
        None => TYPES.into_iter().filter(|t| *t == bare).collect(),
    };
    let Some(first) = found.first() else {
        let shown: String = text.chars().take(80).collect();
        let error = SourceError::new(format!("`{shown}` is not an S3 event type")).at("events");
        return Err(error.help(if bare == "TestEvent" {
            "S3 sends s3:TestEvent by itself; nobody can subscribe to it".to_owned()
        } else if bare.contains('*') && !bare.ends_with(":*") {
            "a wildcard stands for the last segment only, as in `ObjectCreated:*`".to_owned()
        } else {
            format!("did you mean `{}`?", nearest(bare))
        }));
    };
    if !first.starts_with("ObjectCreated:") && !first.starts_with("ObjectRemoved:") {
        return Err(
            SourceError::new(format!("a watched directory never emits `{bare}`"))
                .at("events")
                .help("only ObjectCreated and ObjectRemoved events are emitted"),
        );
    }
    Ok(found)
}

fn nearest(text: &str) -> &'static str {
    let text: String = text.chars().take(80).collect::<String>().to_lowercase();
    let families = ["ObjectCreated:*", "ObjectRemoved:*"];
    let all = families.into_iter().chain(TYPES);
    all.min_by_key(|t| distance(&text, &t.to_lowercase()))
        .unwrap_or("ObjectCreated:*")
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Same event type, one prefix begins the other, one suffix ends the other.
fn overlap(a: &Rule, b: &Rule) -> bool {
    let prefixes = a
        .prefix
        .any(|x| b.prefix.any(|y| x.starts_with(y) || y.starts_with(x)));
    let suffixes = a
        .suffix
        .any(|x| b.suffix.any(|y| x.ends_with(y) || y.ends_with(x)));
    !a.events.is_disjoint(&b.events) && prefixes && suffixes
}

impl Rule {
    /// Why this route does not take `kind` of an object whose encoded key is `key`; `None` if it does.
    pub fn refusal(&self, kind: Kind, key: &str) -> Option<Refusal> {
        let why = if !self.events.contains(kind.name()) {
            format!("{} is not among its events", kind.name())
        } else if !self.prefix.any(|p| key.starts_with(p)) {
            format!("key does not begin with {}", self.prefix.written)
        } else if !self.suffix.any(|s| key.ends_with(s)) {
            format!("key does not end in {}", self.suffix.written)
        } else {
            return None;
        };
        Some(Refusal {
            route: self.route.clone(),
            why,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    fn subscription(route: &str, filter: serde_json::Value) -> Subscription<Filter> {
        Subscription {
            route: RouteName::new(route),
            to: FunctionName::new("f"),
            filter: serde_json::from_value(filter).unwrap(),
        }
    }

    fn one(filter: serde_json::Value) -> Result<Rule, SourceError> {
        rules(&[subscription("r", filter)], false).map(|mut r| r.remove(0))
    }

    #[test]
    fn two_routes_overlap_by_type_prefix_and_suffix_together() {
        use serde_json::json;
        for (a, b, refused) in [
            (json!({}), json!({}), true),
            (
                json!({"events": "ObjectCreated:*"}),
                json!({"events": "s3:ObjectCreated:Put"}),
                true,
            ),
            (
                json!({"events": "ObjectCreated:Put"}),
                json!({"events": "ObjectCreated:Copy"}),
                false,
            ),
            (
                json!({"events": "ObjectCreated:*"}),
                json!({"events": ["ObjectRemoved:Delete"]}),
                false,
            ),
            (json!({"prefix": "a/"}), json!({"prefix": "b/"}), false),
            (json!({"prefix": "a/"}), json!({"prefix": "a/b/"}), true),
            (json!({"prefix": "a/"}), json!({}), true),
            (json!({"suffix": ".jpg"}), json!({"suffix": ".png"}), false),
            (json!({"suffix": ".jpg"}), json!({"suffix": "g"}), true),
            (json!({"suffix": ".jpg"}), json!({"prefix": "a/"}), true),
            (
                json!({"prefix": "a/", "suffix": ".jpg"}),
                json!({"prefix": "a/b", "suffix": ".png"}),
                false,
            ),
            (
                json!({"prefix": "a/", "suffix": ".jpg"}),
                json!({"prefix": "b/", "suffix": ".jpg"}),
                false,
            ),
            (json!({"prefix": "a b"}), json!({"prefix": "a+b"}), true),
            (json!({"prefix": ""}), json!({"suffix": ""}), true),
        ] {
            let both = [subscription("one", a.clone()), subscription("two", b.clone())];
            let result = rules(&both, false);
            assert_eq!(result.is_err(), refused, "{a} {b}");
            assert!(rules(&both, true).is_ok());
            if let Err(error) = result {
                assert_eq!(error.what, OVERLAP);
                assert_eq!(error.subscription, Some(1));
                let help = error.help.unwrap();
                assert!(help.contains("`one`") && help.contains("`two`"));
            }
        }
    }

    #[test]
    fn wrong_event_types_are_explained() {
        use serde_json::json;
        let error = one(json!({"events": "ObjectCreate:*"})).unwrap_err();
        assert_eq!(error.help.unwrap(), "did you mean `ObjectCreated:*`?");
        let error = one(json!({"events": ["ObjectRemoved:delete"]})).unwrap_err();
        assert_eq!(error.help.unwrap(), "did you mean `ObjectRemoved:Delete`?");
        let error = one(json!({"events": "ObjectTagging:*"})).unwrap_err();
        assert_eq!(error.what, "a watched directory never emits `ObjectTagging:*`");
        assert!(
            one(json!({"events": "Object*"}))
                .unwrap_err()
                .help
                .unwrap()
                .contains("last segment")
        );
        assert!(
            one(json!({"events": "s3:TestEvent"}))
                .unwrap_err()
                .help
                .unwrap()
                .contains("nobody")
        );
        assert!(one(json!({"events": []})).is_err());
        assert!(one(json!({"events": "LifecycleTransition"})).is_err());
        assert!(one(json!({"prefix": "x".repeat(1025)})).is_err());
    }

    #[test]
    fn refusals_say_why() {
        use serde_json::json;
        let rule = one(json!({"prefix": "red flowers/", "suffix": ".jpg"})).unwrap();
        assert_eq!(rule.refusal(Kind::Put, "red+flowers/a.jpg"), None);
        assert_eq!(rule.refusal(Kind::Copy, "red+flowers/a.jpg"), None);
        let why = |kind, key| rule.refusal(kind, key).unwrap().why;
        assert_eq!(why(Kind::Put, "red+flowers/a.png"), "key does not end in .jpg");
        assert_eq!(why(Kind::Put, "a.jpg"), "key does not begin with red flowers/");
        assert_eq!(
            why(Kind::Delete, "red+flowers/a.jpg"),
            "ObjectRemoved:Delete is not among its events"
        );
    }
}
