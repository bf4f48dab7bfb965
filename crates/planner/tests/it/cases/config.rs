//! Configurations that the reference accepts or refuses.

use planner::parse_config;

use super::support::{alike, cases};

#[test]
fn configurations() {
    for case in cases("config") {
        let loaded = parse_config(&case.inputs, case.quirks);
        if case.expected["ok"] == true {
            let loaded = loaded.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let mut fields = serde_json::to_value(&loaded.config).expect("JSON");
            fields["scale_interval_seconds"] =
                fields["scheduling"]["scale_interval_seconds"].clone();
            for (name, expected) in case.expected["fields"].as_object().expect("fields") {
                case.check(name, &fields[name], expected);
            }
            continue;
        }
        let error = loaded.expect_err(&case.name);
        let field = case.expected["error_field"]
            .as_str()
            .filter(|field| !field.is_empty());
        if let Some(field) = field {
            assert_eq!(error.field(), Some(field), "{}: {error}", case.name);
            continue;
        }
        // The reference names the field in its sentence, if at all; ours always does.
        let sentence = case.expected["error_message"].as_str().expect("a message");
        let ours = error.field().expect("a field");
        let given = case.inputs.as_object().expect("fields");
        assert!(
            sentence.contains(ours) || given.contains_key(ours),
            "{}: {error}, expected {sentence}",
            case.name
        );
        assert!(error.to_string().contains(ours), "{}: {error}", case.name);
    }
}

#[test]
fn alike_tells_structures_apart() {
    use serde_json::json;
    assert!(alike(
        &json!({"a": [1.0, null]}),
        &json!({"a": [1, null]}),
        1e-9,
        1e-9
    ));
    assert!(!alike(
        &json!({"a": 1}),
        &json!({"a": 1, "b": 2}),
        1e-9,
        1e-9
    ));
    assert!(!alike(&json!([1.0]), &json!([1.1]), 1e-9, 1e-9));
}
