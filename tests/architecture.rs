//! The repository holds itself to its own picture: arrows between crates, and the catalog's promises.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// From each crate to the crates of ours it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("router", &[]),
    ("sources", &["router"]),
    ("executor", &["router"]),
    ("scenarios", &["executor", "router", "sources"]),
    (".", &["executor", "router", "scenarios", "sources"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let ours: BTreeSet<&str> = ARROWS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != ".")
        .collect();
    for (name, allowed) in ARROWS {
        let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
        let section = manifest.split("\n[dependencies]").nth(1).expect("dependencies");
        let section = section.split("\n[").next().unwrap_or_default();
        let used: BTreeSet<&str> = section
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|word| ours.contains(word))
            .collect();
        assert_eq!(used, allowed.iter().copied().collect(), "{name}");
    }
}

#[test]
fn every_dependency_says_why() {
    for (name, _) in ARROWS {
        let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
        let external = manifest
            .lines()
            .filter(|line| line.contains(".workspace = true") && !line.starts_with("version"));
        for line in external {
            let word = line.split('.').next().unwrap_or_default();
            let ours = ARROWS.iter().any(|(name, _)| *name == word);
            let package = ["edition", "rust-version", "license", "publish"].contains(&word);
            assert!(ours || package || line.contains('#'), "{name}: {line}");
        }
    }
}

#[test]
fn nothing_that_deny_toml_bans_is_linked() {
    let read = |name: &str| std::fs::read_to_string(root().join(name)).expect("a file");
    let (rules, lock) = (read("deny.toml"), read("Cargo.lock"));
    let banned = rules
        .lines()
        .find_map(|line| line.strip_prefix("deny = ["))
        .expect("bans");
    let banned: Vec<&str> = banned
        .trim_end_matches(']')
        .split(", ")
        .map(|word| word.trim_matches('"'))
        .collect();
    assert!(banned.len() > 1, "{banned:?}");
    for name in banned {
        assert!(!lock.contains(&format!("name = \"{name}\"")), "{name} is banned");
    }
}

#[test]
fn every_source_has_a_sample_and_a_scenario() {
    let binary = env!("CARGO_BIN_EXE_triggerfish");
    let listed = Command::new(binary)
        .arg("event")
        .output()
        .expect("the binary runs");
    let listed = String::from_utf8(listed.stdout).expect("text");
    let library: String = std::fs::read_dir(root().join("scenarios/library"))
        .expect("the library")
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .collect();
    assert!(!listed.is_empty());
    for row in listed.lines() {
        let (kind, rest) = row.split_once(':').expect("kind: summary");
        assert!(
            library.contains(&format!("kind: {kind}")),
            "no scenario of the library has a source of kind {kind}"
        );
        let samples = rest.split("events ").nth(1).expect("samples");
        for sample in samples.split(", ") {
            let printed = Command::new(binary)
                .args(["event", kind, sample])
                .output()
                .expect("the binary runs");
            assert!(
                printed.status.success() && printed.stdout.starts_with(b"{"),
                "event {kind} {sample}"
            );
        }
    }
}

#[test]
fn the_router_has_no_way_to_the_world() {
    let mut open = vec![root().join("router/src")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            for banned in [
                "std::fs",
                "std::net",
                "std::process",
                "std::thread",
                "SystemTime",
                "Instant::now",
                "HashMap",
            ] {
                assert!(!text.contains(banned), "{} names {banned}", path.display());
            }
        }
    }
}
