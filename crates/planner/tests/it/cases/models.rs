//! Regressions and their queries.

use planner::{
    AggModel, AggQuestion, BalanceTest, DecodeModel, DecodeQuestion, FitState, LinearSettings,
    PrefillModel, SampleStore,
};
use serde_json::{Value, json};

use super::support::{Case, cases, number, passes, whole};

fn settings(inputs: &Value) -> LinearSettings {
    let default = LinearSettings::default();
    LinearSettings {
        max_samples: whole(&inputs["max_num_fpm_samples"])
            .map_or(default.max_samples, |n| n as usize),
        min_observations: whole(&inputs["min_observations"])
            .map_or(default.min_observations, |n| n as usize),
        bucket_count: whole(&inputs["bucket_count"]).unwrap_or(default.bucket_count),
    }
}

fn check_fit(case: &Case, features: usize, fit: FitState, store: &SampleStore) {
    let expected = &case.expected["fit"];
    let line = fit.line.map(|line| json!(line.coef[..features]));
    case.check("fitted", &json!(fit.fitted), &expected["fitted"]);
    case.check("coef", &json!(line), &expected["coef"]);
    case.check(
        "intercept",
        &json!(fit.line.map(|line| line.intercept)),
        &expected["intercept"],
    );
    case.check(
        "samples",
        &json!(store.len()),
        &expected["num_observations"],
    );
    if !case.expected["buckets"].is_null() {
        let buckets: Vec<Value> = store
            .buckets()
            .iter()
            .map(|bucket| {
                let samples: Vec<Value> = bucket
                    .samples
                    .iter()
                    .map(|s| json!([s.x[..features], s.y]))
                    .collect();
                json!({"key": bucket.key[..features], "obs": samples})
            })
            .collect();
        case.check("buckets", &json!(buckets), &case.expected["buckets"]);
    }
}

fn check_queries(case: &Case, mut answer: impl FnMut(&str, &Value) -> Value) {
    let queries = case.inputs["queries"].as_array().expect("queries");
    let expected = case.expected["queries"].as_array().expect("answers");
    for (query, expected) in queries.iter().zip(expected) {
        let got = answer(query["fn"].as_str().expect("a function"), &query["args"]);
        case.check(&query.to_string(), &got, expected);
    }
}

fn real(args: &Value, name: &str) -> f64 {
    number(&args[name]).unwrap_or(0.0)
}

fn limit(args: &Value, name: &str) -> Option<u32> {
    whole(&args[name]).map(|limit| limit as u32)
}

#[test]
fn prefill() {
    for case in cases("regression.prefill") {
        let mut model = PrefillModel::new(&settings(&case.inputs));
        passes(&case.inputs["fpms"])
            .iter()
            .for_each(|pass| model.observe(pass));
        case.check(
            "enough",
            &json!(model.has_sufficient_data()),
            &case.expected["has_sufficient_data"],
        );
        case.check(
            "avg_isl",
            &json!(model.avg_isl()),
            &case.expected["avg_isl"],
        );
        let fit = model.refresh();
        check_fit(&case, 1, fit, model.samples());
        check_queries(&case, |function, args| match function {
            "estimate_next_ttft" => json!(model.ttft_s(
                real(args, "queued_prefill_tokens"),
                limit(args, "max_num_batched_tokens").unwrap_or(0),
                number(&args["kv_hit_rate"]),
            )),
            "find_best_engine_prefill_rps" => {
                let capacity =
                    model.capacity(real(args, "isl"), limit(args, "max_num_batched_tokens"));
                json!([capacity.rps, capacity.ttft_ms])
            }
            other => panic!("unknown query {other}"),
        });
    }
}

fn decode_question(args: &Value) -> DecodeQuestion {
    DecodeQuestion {
        itl_ms: real(args, "itl"),
        context: real(args, "context_length"),
        osl: real(args, "osl"),
        max_kv_tokens: whole(&args["max_kv_tokens"]),
        max_sequences: limit(args, "max_num_seqs"),
        accept_length: number(&args["accept_length"]).unwrap_or(1.0),
    }
}

#[test]
fn decode() {
    for case in cases("regression.decode") {
        let mut model = DecodeModel::new(&settings(&case.inputs));
        passes(&case.inputs["fpms"])
            .iter()
            .for_each(|pass| model.observe(pass));
        case.check(
            "enough",
            &json!(model.has_sufficient_data()),
            &case.expected["has_sufficient_data"],
        );
        case.check(
            "length",
            &json!(model.avg_decode_length()),
            &case.expected["avg_decode_length"],
        );
        case.check(
            "batch",
            &json!(model.avg_num_decode()),
            &case.expected["avg_num_decode"],
        );
        case.check(
            "kv",
            &json!(model.max_observed_kv()),
            &case.expected["max_observed_kv"],
        );
        let fit = model.refresh();
        check_fit(&case, 2, fit, model.samples());
        check_queries(&case, |function, args| match function {
            "estimate_next_itl" => {
                json!(model.itl_s(
                    real(args, "scheduled_decode_kv"),
                    real(args, "queued_decode_kv")
                ))
            }
            "find_best_engine_decode_rps" => {
                let capacity = model.capacity(&decode_question(args));
                json!([capacity.rps, capacity.itl_ms])
            }
            other => panic!("unknown query {other}"),
        });
    }
}

fn agg_question(args: &Value, balance: BalanceTest) -> AggQuestion {
    AggQuestion {
        isl: real(args, "isl"),
        osl: real(args, "osl"),
        max_batched: limit(args, "max_num_batched_tokens").unwrap_or(0),
        ttft_ms: real(args, "ttft_sla"),
        itl_ms: real(args, "itl_sla"),
        max_kv_tokens: whole(&args["max_kv_tokens"]),
        max_sequences: limit(args, "max_num_seqs"),
        hit_rate: number(&args["kv_hit_rate"]),
        accept_length: number(&args["accept_length"]).unwrap_or(1.0),
        balance,
    }
}

#[test]
fn agg() {
    for case in cases("regression.agg") {
        let mut model = AggModel::new(&settings(&case.inputs));
        passes(&case.inputs["fpms"])
            .iter()
            .for_each(|pass| model.observe(pass));
        case.check(
            "enough",
            &json!(model.has_sufficient_data()),
            &case.expected["has_sufficient_data"],
        );
        case.check("isl", &json!(model.avg_isl()), &case.expected["avg_isl"]);
        case.check(
            "length",
            &json!(model.avg_decode_length()),
            &case.expected["avg_decode_length"],
        );
        case.check(
            "tokens",
            &json!(model.avg_prefill_tokens()),
            &case.expected["avg_prefill_tokens"],
        );
        let fit = model.refresh();
        check_fit(&case, 2, fit, model.samples());
        check_queries(&case, |function, args| match function {
            "estimate_next_ttft" => json!(model.ttft_s(
                real(args, "queued_prefill_tokens"),
                limit(args, "max_num_batched_tokens").unwrap_or(0),
                real(args, "current_decode_kv"),
                number(&args["kv_hit_rate"]),
            )),
            "estimate_next_itl" => {
                json!(model.itl_s(
                    real(args, "scheduled_decode_kv"),
                    real(args, "queued_decode_kv")
                ))
            }
            "find_best_engine_agg_rps" => {
                let capacity = model.capacity(&agg_question(args, BalanceTest::Weak));
                json!([capacity.rps, capacity.ttft_ms, capacity.itl_ms])
            }
            other => panic!("unknown query {other}"),
        });
    }
}

#[test]
fn speculative_decode_capacity() {
    for case in cases("mtp.decode_capacity") {
        let mut model = DecodeModel::new(&settings(&case.inputs));
        passes(&case.inputs["fpms"])
            .iter()
            .for_each(|pass| model.observe(pass));
        let rows: Vec<(f64, f64)> = match case.inputs["rows_itl_accept"].as_array() {
            Some(rows) => rows
                .iter()
                .map(|row| (number(&row[0]).unwrap(), number(&row[1]).unwrap()))
                .collect(),
            None => {
                let accepts = case.inputs["accept_lengths"]
                    .as_array()
                    .expect("accept lengths");
                accepts
                    .iter()
                    .map(|accept| (real(&case.inputs, "itl"), number(accept).unwrap()))
                    .collect()
            }
        };
        let answers: Vec<Value> = rows
            .iter()
            .map(|&(itl_ms, accept_length)| {
                let question = DecodeQuestion {
                    itl_ms,
                    accept_length,
                    ..decode_question(&case.inputs)
                };
                let capacity = model.capacity(&question);
                json!([capacity.rps, capacity.itl_ms])
            })
            .collect();
        case.check("capacity", &json!(answers), &case.expected);
    }
}

#[test]
fn speculative_agg_capacity() {
    for case in cases("mtp.agg_capacity") {
        let mut model = AggModel::new(&settings(&case.inputs));
        passes(&case.inputs["fpms"])
            .iter()
            .for_each(|pass| model.observe(pass));
        let mut answer = |question: &AggQuestion| {
            let capacity = model.capacity(question);
            json!([capacity.rps, capacity.ttft_ms, capacity.itl_ms])
        };
        let base = agg_question(&case.inputs, BalanceTest::Steady);
        let Some(rows) = case.inputs["rows_isl_osl_mbt_itl_hit_accept"].as_array() else {
            case.check("capacity", &answer(&base), &case.expected);
            continue;
        };
        let expected = case.expected.as_array().expect("answers");
        for (row, expected) in rows.iter().zip(expected) {
            let at = |index: usize| number(&row[index]);
            let question = AggQuestion {
                isl: at(0).unwrap(),
                osl: at(1).unwrap(),
                max_batched: at(2).unwrap() as u32,
                itl_ms: at(3).unwrap(),
                hit_rate: at(4),
                accept_length: at(5).unwrap(),
                ..base
            };
            case.check(&row.to_string(), &answer(&question), expected);
        }
    }
}
