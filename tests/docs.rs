//! What the documents show is what the binary takes: every YAML example is checked, the scenario one is run.

use std::path::Path;
use std::process::Command;

fn examples(document: &str) -> Vec<String> {
    blocks(document, "yaml")
}

fn blocks(document: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(path).expect("the document");
    let start = format!("```{language}\n");
    let blocks = text.split(&start).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

fn triggerfish(arguments: &[&str], here: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_triggerfish"))
        .args(arguments)
        .current_dir(here)
        .output()
        .expect("the binary runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn project_examples_are_accepted() {
    for document in ["docs/project.md", "docs/s3.md", "docs/lambda.md"] {
        let found = examples(document);
        assert!(!found.is_empty(), "{document} has no example");
        for example in found {
            let here = tempfile::tempdir().expect("a directory");
            std::fs::create_dir(here.path().join("thumbnail")).expect("code");
            std::fs::write(here.path().join("thumbnail/app.py"), "").expect("written");
            std::fs::write(here.path().join("triggerfish.yaml"), &example).expect("written");
            let (good, text) = triggerfish(&["lint", "triggerfish.yaml"], here.path());
            assert!(good, "{document}:\n{text}");
        }
    }
}

#[test]
fn the_scenario_example_passes() {
    let handler = r#"
import os, urllib.parse
def handler(event, context):
    keys = [urllib.parse.unquote_plus(r["s3"]["object"]["key"]) for r in event["Records"]]
    for key in keys:
        with open(os.path.join(os.environ["DONE"], key), "w") as done:
            done.write(context.aws_request_id)
    return {"counted": keys}
"#;
    for example in examples("docs/scenario.md") {
        let here = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(here.path().join("count")).expect("code");
        std::fs::write(here.path().join("count/app.py"), handler).expect("written");
        std::fs::write(here.path().join("orders.yaml"), &example).expect("written");
        let (good, text) = triggerfish(&["test", "orders.yaml"], here.path());
        assert!(good, "{text}");
    }
}

/// The extension of the document runs beside the function of the document.
#[test]
fn the_extension_example_passes() {
    use std::os::unix::fs::PermissionsExt;
    let here = tempfile::tempdir().expect("a directory");
    let folder = here.path().join("count/extensions");
    std::fs::create_dir_all(&folder).expect("code");
    let handler = "def handler(event, context):\n    return len(event)\n";
    std::fs::write(here.path().join("count/app.py"), handler).expect("written");
    let script = blocks("docs/extensions.md", "python").concat();
    std::fs::write(folder.join("watch.py"), script).expect("written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.join("watch.py"), mode).expect("executable");
    let scenario = examples("docs/extensions.md").concat();
    std::fs::write(here.path().join("watched.yaml"), scenario).expect("written");
    let (good, text) = triggerfish(&["test", "watched.yaml", "--times", "2"], here.path());
    assert!(good, "{text}");
}

#[test]
fn what_init_makes_passes() {
    let here = tempfile::tempdir().expect("a directory");
    let (made, text) = triggerfish(&["init", "demo"], here.path());
    assert!(made, "{text}");
    let demo = here.path().join("demo");
    let (good, text) = triggerfish(&["test", "scenarios"], &demo);
    assert!(good, "{text}");
    let (good, text) = triggerfish(
        &[
            "invoke",
            "describe",
            "--payload",
            r#"{"Records": [{"eventName": "ObjectRemoved:Delete", "s3": {"object": {"key": "a"}}}]}"#,
        ],
        &demo,
    );
    assert!(good && text.contains(r#"{"key": "a"}"#), "{text}");
}
