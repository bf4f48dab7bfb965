//! Predictors against recorded forecasts of the reference.

use planner::{ArimaOrder, KalmanSettings, PredictorKind, PredictorSettings, build_predictor};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    throughput_adjustment_interval_seconds: f64,
    load_predictor_log1p: bool,
    kalman_q_level: Option<f64>,
    kalman_q_trend: Option<f64>,
    kalman_r: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Value(f64),
    Word(String),
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    config: Config,
    values: Vec<Input>,
    predictions: Vec<Option<f64>>,
    order: Option<[usize; 3]>,
    space: Option<String>,
    rel: f64,
    abs: f64,
}

fn settings(case: &Case) -> PredictorSettings {
    let default = KalmanSettings::default();
    PredictorSettings {
        kind: PredictorKind::from_name(&case.kind).expect("a kind"),
        log1p: case.config.load_predictor_log1p,
        kalman: KalmanSettings {
            q_level: case.config.kalman_q_level.unwrap_or(default.q_level),
            q_trend: case.config.kalman_q_trend.unwrap_or(default.q_trend),
            r: case.config.kalman_r.unwrap_or(default.r),
        },
        interval_s: case.config.throughput_adjustment_interval_seconds,
        ..PredictorSettings::default()
    }
}

#[test]
fn reference_cases() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/predictor_cases.json")).expect("fixture");
    let mut failures = Vec::new();
    for case in &cases {
        let mut predictor = build_predictor(&settings(case));
        for (k, (input, expected)) in case.values.iter().zip(&case.predictions).enumerate() {
            match input {
                Input::Value(v) => predictor.observe(*v),
                Input::Word(w) if w == "nan" => predictor.observe(f64::NAN),
                Input::Word(w) if w == "reset_idle_skip" => predictor.reset_idle_skip(),
                Input::Word(w) => panic!("unknown input {w}"),
            }
            let Some(expected) = *expected else { continue };
            let got = predictor.predict_next().expect("a forecast");
            if (got - expected).abs() > case.abs + case.rel * expected.abs() {
                failures.push(format!(
                    "{} after {k}: {got}, expected {expected}",
                    case.name
                ));
            }
        }
        let fit = predictor.fit();
        if let Some([p, d, q]) = case.order {
            let order = fit.as_ref().and_then(|fit| fit.order);
            if order != Some(ArimaOrder { p, d, q }) {
                failures.push(format!(
                    "{}: order {order:?}, expected {p},{d},{q}",
                    case.name
                ));
            }
        }
        if let Some(space) = &case.space {
            let got = fit.as_ref().map(|fit| fit.space.name());
            if got != Some(space.as_str()) {
                failures.push(format!("{}: space {got:?}, expected {space}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
