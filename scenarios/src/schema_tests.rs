use super::*;

#[test]
fn the_schema_covers_the_top_keys_and_the_kinds() {
    let config = json_schema!({ "type": "object", "properties": { "bucket": { "type": "string" } } });
    let filter = json_schema!({ "type": "object", "properties": { "suffix": { "type": "string" } } });
    let schema = schema(&[("s3", config, filter)]);
    for key in [
        "schema",
        "functions",
        "sources",
        "routes",
        "sinks",
        "faults",
        "steps",
        "expect",
    ] {
        assert!(
            schema["properties"][key].is_object() || schema["properties"][key] == json!(true),
            "{key}: {schema:#}"
        );
    }
    assert_eq!(
        schema["$defs"]["Source"]["oneOf"][0]["properties"]["kind"]["const"],
        "s3"
    );
    assert_eq!(schema["$defs"]["Route"]["properties"]["suffix"]["type"], "string");
    assert_eq!(schema["required"], json!(["schema"]));
    let expect = &schema["$defs"]["Expect"];
    assert_eq!(expect["additionalProperties"], json!(false), "{expect:#}");
    for part in ["Invocation", "Attempt"] {
        assert_eq!(
            schema["$defs"][part]["additionalProperties"],
            json!(false),
            "{part}"
        );
    }
}
