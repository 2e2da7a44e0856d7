//! Texts compared without their case, and by wildcards.
//!
//! Owns the limit of wildcards. Matching one is by two pointers, so that no pattern is slow; the limit is
//! there because AWS refuses what its own automaton cannot afford.

use std::collections::BTreeSet;

/// How many places of wildcards a text may be at. AWS does not say; a pattern that it is on record to refuse
/// reaches 10.
const COMPLEXITY_LIMIT: usize = 9;
/// How many situations are looked at to find the worst one.
const SITUATIONS: usize = 500;

/// Whether two characters are case variants, one to one: É and é, but not ß and SS, the Kelvin sign and k,
/// ı and I, or ς and σ (spec/sources/event-patterns §3).
pub(super) fn same_letter(a: char, b: char) -> bool {
    let pair = |upper: char, lower: char| {
        one(upper.to_lowercase()) == Some(lower) && one(lower.to_uppercase()) == Some(upper)
    };
    a == b || pair(a, b) || pair(b, a)
}

fn one(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next();
    letters.next().map_or(first, |_| None)
}

/// Whether the texts are equal but for their case.
pub(super) fn same_text(a: &str, b: &str) -> bool {
    a.chars().count() == b.chars().count() && starts_with(a, b)
}

/// Whether `text` starts with `prefix` but for its case.
pub(super) fn starts_with(text: &str, prefix: &str) -> bool {
    all_in(text.chars(), prefix.chars())
}

/// Whether `text` ends with `suffix` but for its case.
pub(super) fn ends_with(text: &str, suffix: &str) -> bool {
    all_in(text.chars().rev(), suffix.chars().rev())
}

fn all_in(mut text: impl Iterator<Item = char>, mut wanted: impl Iterator<Item = char>) -> bool {
    wanted.all(|letter| text.next().is_some_and(|found| same_letter(found, letter)))
}

/// A text with `*` for any run of characters.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    /// As it is spelled.
    pub(super) text: String,
    /// Bytes of the text, `None` for `*`.
    parts: Vec<Option<u8>>,
}

impl Wildcard {
    /// Reads the spelling, in which `\*` and `\\` are literal; the error is AWS's reason. Positions are
    /// bytes behind the opening quote, which AWS counts.
    pub(super) fn parse(text: &str) -> Result<Wildcard, String> {
        let mut parts = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().enumerate().peekable();
        while let Some((at, byte)) = bytes.next() {
            let next = bytes.peek().map(|(_, next)| *next);
            match (byte, next) {
                (b'*', Some(b'*')) => {
                    return Err(format!("Consecutive wildcard characters at pos {}", at + 1));
                }
                (b'*', _) => parts.push(None),
                (b'\\', Some(literal @ (b'*' | b'\\'))) => {
                    parts.push(Some(literal));
                    bytes.next();
                }
                (b'\\', _) => return Err(format!("Invalid escape character at pos {}", at + 1)),
                _ => parts.push(Some(byte)),
            }
        }
        Ok(Wildcard {
            text: text.to_owned(),
            parts,
        })
    }

    /// Whether the whole text is of this form.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let (mut part, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.parts.get(part) {
                Some(None) => {
                    star = Some((part, at));
                    part += 1;
                }
                Some(Some(byte)) if *byte == text[at] => {
                    part += 1;
                    at += 1;
                }
                _ => {
                    // Only the last star need take more: what an earlier one could take, it can too.
                    let Some((star_part, star_at)) = star else {
                        return false;
                    };
                    star = Some((star_part, star_at + 1));
                    part = star_part + 1;
                    at = star_at + 1;
                }
            }
        }
        self.parts[part..].iter().all(Option::is_none)
    }

    /// Whether a `*` ends at this place.
    fn after_star(&self, place: usize) -> bool {
        place > 0 && self.parts.get(place - 1) == Some(&None)
    }

    /// How many parts come before the first `*` and with it; all and one more if there is none.
    fn first_star(&self) -> usize {
        let before = self.parts.iter().take_while(|part| part.is_some());
        before.count() + 1
    }
}

/// Whether AWS would call these wildcards of one field too complex: some text is at more than 9 of their
/// places at once. Places before a first `*` do not count.
pub(super) fn too_complex(wildcards: &[&Wildcard]) -> bool {
    let bytes: BTreeSet<Option<u8>> = wildcards
        .iter()
        .flat_map(|wildcard| wildcard.parts.iter().copied())
        .chain([None])
        .collect();
    let start = opened(wildcards, (0..wildcards.len()).map(|which| (which, 0)));
    let mut seen = BTreeSet::from([start.clone()]);
    let mut left = vec![start];
    while let Some(places) = left.pop() {
        for byte in &bytes {
            let next = opened(wildcards, after(wildcards, &places, *byte).into_iter());
            let inside = |(which, place): &&(usize, usize)| *place >= wildcards[*which].first_star();
            if next.iter().filter(inside).count() > COMPLEXITY_LIMIT {
                return true;
            }
            if seen.len() < SITUATIONS && seen.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    false
}

/// Wildcards, and how many parts of each a text has gone through.
type Places = BTreeSet<(usize, usize)>;

/// Where the places lead if this byte comes; `None` stands for all bytes that no wildcard names.
fn after(wildcards: &[&Wildcard], places: &Places, byte: Option<u8>) -> Places {
    let mut next = Places::new();
    for &(which, place) in places {
        if wildcards[which].after_star(place) {
            next.insert((which, place));
        }
        if byte.is_some() && wildcards[which].parts.get(place) == Some(&byte) {
            next.insert((which, place + 1));
        }
    }
    next
}

/// The places and those behind a `*` that comes next, which may stand for nothing.
fn opened(wildcards: &[&Wildcard], places: impl Iterator<Item = (usize, usize)>) -> Places {
    let mut open = Places::new();
    for (which, place) in places {
        open.insert((which, place));
        if wildcards[which].parts.get(place) == Some(&None) {
            open.insert((which, place + 1));
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_variants_are_one_to_one() {
        for (a, b) in [('a', 'A'), ('É', 'é'), ('σ', 'Σ'), ('ж', 'Ж'), ('1', '1')] {
            assert!(same_letter(a, b) && same_letter(b, a), "{a} {b}");
        }
        for (a, b) in [('k', '\u{212a}'), ('I', 'ı'), ('σ', 'ς'), ('ß', 'S'), ('e', 'é')] {
            assert!(!same_letter(a, b) && !same_letter(b, a), "{a} {b}");
        }
        assert!(same_text("ÀBC", "àbc") && !same_text("ß", "SS") && !same_text("ab", "a"));
        assert!(starts_with("Straße", "sTRA") && ends_with("aBC", "bc") && ends_with("x", ""));
        assert!(!starts_with("a", "ab") && !ends_with("bc", "abc"));
    }

    /// The definition, tried at every split.
    fn slowly(parts: &[Option<u8>], text: &[u8]) -> bool {
        match parts.split_first() {
            None => text.is_empty(),
            Some((None, rest)) => (0..=text.len()).any(|taken| slowly(rest, &text[taken..])),
            Some((Some(byte), rest)) => text.first() == Some(byte) && slowly(rest, &text[1..]),
        }
    }

    fn spelled(mut number: usize, letters: &[char], length: usize) -> String {
        let mut text = String::new();
        for _ in 0..length {
            text.push(letters[number % letters.len()]);
            number /= letters.len();
        }
        text
    }

    #[test]
    fn every_short_wildcard_matches_as_defined() {
        let mut tried = 0;
        for pattern in (0..=5).flat_map(|n| (0..3_usize.pow(5)).map(move |i| spelled(i, &['a', 'b', '*'], n)))
        {
            let Ok(wildcard) = Wildcard::parse(&pattern) else {
                assert!(pattern.contains("**"));
                continue;
            };
            for text in (0..=4).flat_map(|n| (0..2_usize.pow(n)).map(move |i| (i, n))) {
                let text = spelled(text.0, &['a', 'b'], text.1 as usize);
                assert_eq!(
                    wildcard.matches(&text),
                    slowly(&wildcard.parts, text.as_bytes()),
                    "{pattern} {text}"
                );
                tried += 1;
            }
        }
        assert!(tried > 10_000);
    }

    #[test]
    fn escapes_are_two_and_nothing_else_is_special() {
        let matches = |pattern: &str, text: &str| Wildcard::parse(pattern).map(|w| w.matches(text));
        assert_eq!(matches(r"a\*b", "a*b"), Ok(true));
        assert_eq!(matches(r"a\*b", "axb"), Ok(false));
        assert_eq!(matches(r"a\\*", r"a\x"), Ok(true));
        assert_eq!(matches("a?c", "abc"), Ok(false));
        assert_eq!(matches("*.png", "a/b/é.png"), Ok(true));
        assert_eq!(matches(r"\**", "*x"), Ok(true));
        assert_eq!(matches("", ""), Ok(true));
        assert_eq!(matches("", "x"), Ok(false));
        assert_eq!(
            matches(r"a\b", ""),
            Err("Invalid escape character at pos 2".to_owned())
        );
        assert_eq!(
            matches(r"a\", ""),
            Err("Invalid escape character at pos 2".to_owned())
        );
        assert_eq!(
            matches("a**", ""),
            Err("Consecutive wildcard characters at pos 2".to_owned())
        );
    }

    #[test]
    fn complexity_is_what_a_text_can_be_in_the_middle_of() {
        let complex = |texts: &[&str]| {
            let wildcards: Vec<Wildcard> = texts.iter().flat_map(|text| Wildcard::parse(text)).collect();
            too_complex(&wildcards.iter().collect::<Vec<_>>())
        };
        assert!(complex(&["*:*:*:*:*:event-bus/*"]), "refused by AWS on record");
        assert!(!complex(&["arn:aws:events:us-east-1:*:event-bus/*"]));
        assert!(!complex(&["*a*b*c*d*e*f*"]), "8 at most");
        assert!(complex(&["*aaaaaaaaaa"]) && !complex(&["*aaaaaaaa"]));
        assert!(complex(&["*a"; 5]) && !complex(&["*a"; 4]));
        let many: Vec<String> = (0..100).map(|n| format!("logs/{n:03}/*.gz")).collect();
        assert!(!complex(&many.iter().map(String::as_str).collect::<Vec<_>>()));
        assert!(!complex(&[]) && !complex(&["plain"]));
    }
}
