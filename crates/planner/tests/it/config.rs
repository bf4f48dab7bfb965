//! Reading configurations, and saying what is wrong with them.

use std::fs;

use planner::{
    ConfigError, LoadedConfig, Mode, PlannerPolicy, PlannerSetup, parse_config, read_config,
};
use serde_json::{Value, json};
use sim_api::{Quirk, Quirks, Role, WorkerProfile};
use tempfile::TempDir;

struct TempFile {
    folder: TempDir,
    name: &'static str,
}

impl TempFile {
    fn new(name: &'static str, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(name), text).expect("a file");
        Self { folder, name }
    }

    fn path(&self) -> String {
        self.folder.path().join(self.name).display().to_string()
    }

    fn read(&self) -> Result<LoadedConfig, ConfigError> {
        read_config(&self.path(), Quirks::NONE)
    }
}

fn refused(fields: &Value, quirks: Quirks) -> ConfigError {
    parse_config(fields, quirks).expect_err(&fields.to_string())
}

#[test]
fn a_configuration_is_inline_json_or_a_file_of_json_or_yaml() {
    let inline = read_config(r#"{"mode": "agg"}"#, Quirks::NONE).expect("inline");
    assert_eq!(inline.config.mode, Mode::Agg);
    let files = [
        ("one.json", r#"{"mode": "agg"}"#),
        ("two.yaml", "mode: agg\nttft_ms: 300\n"),
        ("three.yml", "mode: agg\n"),
        ("four.conf", "mode: agg\n"),
        ("five.conf", r#"{"mode": "agg"}"#),
    ];
    for (name, text) in files {
        let file = TempFile::new(name, text);
        assert_eq!(file.read().expect(name).config.mode, Mode::Agg, "{name}");
    }
    let file = TempFile::new("six.json", r#"{"mode": "agg"}"#);
    let at = format!("@{}", file.path());
    assert_eq!(
        read_config(&at, Quirks::NONE).expect("@path").config.mode,
        Mode::Agg
    );
}

#[test]
fn what_is_no_configuration_is_said_with_its_place() {
    let neither = read_config("no/such/file.json", Quirks::NONE)
        .unwrap_err()
        .to_string();
    assert!(
        neither.contains("neither a valid file path nor valid JSON"),
        "{neither}"
    );
    let broken = TempFile::new("broken.json", "{\n\"mode\": }")
        .read()
        .unwrap_err()
        .to_string();
    assert!(
        broken.contains("line 2") && broken.contains("broken.json"),
        "{broken}"
    );
    let yaml = TempFile::new("broken.yaml", "mode: [agg\n")
        .read()
        .unwrap_err()
        .to_string();
    assert!(yaml.contains("broken.yaml"), "{yaml}");
    assert!(matches!(
        refused(&json!([1]), Quirks::NONE),
        ConfigError::NotAnObject { .. }
    ));
}

#[test]
fn unknown_fields_name_the_nearest_and_are_ignored_under_the_quirk() {
    let cases = [
        (json!({"itl_mss": 3}), "itl_ms"),
        (json!({"max_gpu_budgt": 3}), "max_gpu_budget"),
        (
            json!({"scheduling": {"scale_interval_second": 3}}),
            "scale_interval_seconds",
        ),
    ];
    for (fields, nearest) in cases {
        let error = refused(&fields, Quirks::NONE).to_string();
        assert!(
            error.contains(&format!("did you mean {nearest:?}")),
            "{error}"
        );
        assert!(
            parse_config(&fields, Quirks::NONE.with(Quirk::LaxConfig)).is_ok(),
            "{fields}"
        );
    }
    let far = refused(&json!({"zzzzzzzzzz": 1}), Quirks::NONE).to_string();
    assert!(
        far.contains("zzzzzzzzzz") && !far.contains("did you mean"),
        "{far}"
    );
}

#[test]
fn a_field_of_the_wrong_type_is_named_as_the_user_wrote_it() {
    let error = refused(&json!({"ttft": "soon"}), Quirks::NONE);
    assert_eq!(error.field(), Some("ttft"));
    assert!(
        error
            .to_string()
            .contains("expected a number, found the string \"soon\""),
        "{error}"
    );
    let huge = json!({"max_gpu_budget": 1e300});
    assert_eq!(refused(&huge, Quirks::NONE).field(), Some("max_gpu_budget"));
}

#[test]
fn later_fields_and_targets_are_unknown_to_the_old_version() {
    let fields = json!({"speculative_nextn": -3, "mode": "agg"});
    assert_eq!(
        parse_config(&fields, Quirks::ALL)
            .expect("ignored")
            .config
            .speculative_nextn,
        0
    );
    let target =
        json!({"mode": "agg", "optimization_target": "load", "decode_scale_up_kv_rate": 80});
    assert_eq!(
        refused(&target, Quirks::ALL).field(),
        Some("optimization_target")
    );
    assert_eq!(
        refused(&target, Quirks::NONE).field(),
        Some("decode_scale_up_kv_rate")
    );
}

#[test]
fn nonsense_values_are_refused_and_odd_ones_warned_about() {
    let sla = |more: Value| {
        let mut fields = json!({"mode": "agg", "optimization_target": "sla"});
        fields
            .as_object_mut()
            .expect("fields")
            .extend(more.as_object().expect("fields").clone());
        fields
    };
    let nonsense = [
        (json!({"ttft_ms": "nan"}), "ttft_ms"),
        (
            json!({"report_interval_hours": "inf"}),
            "report_interval_hours",
        ),
        (
            json!({"fpm_sample_bucket_size": -4}),
            "fpm_sample_bucket_size",
        ),
        (
            json!({"load_adjustment_interval_seconds": -1}),
            "load_adjustment_interval_seconds",
        ),
        (
            json!({"decode_scale_up_kv_rate": 101}),
            "decode_scale_up_kv_rate",
        ),
        (
            json!({"scheduling": {"scale_interval_seconds": 7}}),
            "scheduling.scale_interval_seconds",
        ),
        (
            json!({"scheduling": {"scale_interval_seconds": 1e-9}}),
            "scheduling.scale_interval_seconds",
        ),
        (
            json!({"aic_interpolation": {"hf_id": "m", "system": "s", "backend": "tgi"}}),
            "aic_interpolation.backend",
        ),
    ];
    for (more, field) in nonsense {
        let fields = sla(more);
        assert_eq!(
            refused(&fields, Quirks::NONE).field(),
            Some(field),
            "{fields}"
        );
    }
    let silent = sla(json!({"pre_deployment_sweeping_mode": "thorough"}));
    assert!(
        parse_config(&silent, Quirks::NONE)
            .expect("a config")
            .warnings
            .is_empty()
    );
    let easy = json!({"mode": "agg", "ttft_ms": 300});
    let warnings = parse_config(&easy, Quirks::NONE)
        .expect("a config")
        .warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("ignores ttft_ms")),
        "{warnings:?}"
    );
}

fn profile() -> WorkerProfile {
    WorkerProfile {
        block_tokens: 64,
        blocks: 16384,
        max_batched_tokens: Some(8192),
        max_sequences: Some(256),
        role: Role::Aggregated,
        gpus: 2,
        draft_tokens: 0,
    }
}

#[test]
fn what_no_planner_can_run_on_is_refused_when_it_is_built() {
    let setup = PlannerSetup {
        prefill: None,
        decode: profile(),
        bootstrap: None,
        warm_up: Vec::new(),
    };
    let base = json!({"mode": "agg", "optimization_target": "sla", "decode_engine_num_gpu": 1});
    let cases = [
        (json!({"load_predictor": "oracle"}), "load_predictor"),
        (
            json!({"load_adjustment_interval_seconds": 0}),
            "load_adjustment_interval_seconds",
        ),
        (json!({"max_num_fpm_samples": 0}), "max_num_fpm_samples"),
        (json!({"mode": "prefill"}), "mode"),
        (json!({"mode": "disagg"}), "prefill and a decode pool"),
    ];
    for (more, expected) in cases {
        let mut fields = base.clone();
        fields
            .as_object_mut()
            .expect("fields")
            .extend(more.as_object().expect("fields").clone());
        let config = parse_config(&fields, Quirks::ALL).expect("a config").config;
        let error = PlannerPolicy::new(&config, &setup, Quirks::ALL)
            .expect_err(expected)
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let config = parse_config(&base, Quirks::NONE).expect("a config").config;
    assert!(
        PlannerPolicy::new(&config, &setup, Quirks::NONE)
            .expect("a policy")
            .warnings()
            .is_empty()
    );
}
