//! `dynosim perf`, against figures of the reference.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::binary::{dynosim, stderr, stdout};

/// Answers of `perf eval -` to these questions.
fn eval(questions: &[Value]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dynosim"))
        .args(["perf", "eval", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for question in questions {
        writeln!(stdin, "{question}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn close(got: &Value, want: f64) -> bool {
    got.as_f64()
        .is_some_and(|got| (got / want - 1.0).abs() < 1e-4)
}

#[test]
fn eval_answers_beside_every_point_and_one_bad_point_stops_nothing() {
    let answers = eval(&[
        json!({
            "model": "nvidia/Llama-3.1-8B-Instruct-FP8", "system": "h200_sxm", "backend": "vllm",
            "nextn": 2, "tag": "kept",
            "prefill": [[1, 1024, 0], [1, 10, 10]], "decode": [[8, 1024, 2], [1, "x", 2]],
            "kv_blocks": {"block_size": 16, "max_num_batched_tokens": 8192},
        }),
        json!({"model": "no/such-model", "system": "h200_sxm", "backend": "vllm", "decode": [[1, 2, 2]]}),
        json!({"model": "Qwen/Qwen3-8B", "system": "a100", "backend": "vllm", "tp_size": 2, "decode": [[1, 100, 2]]}),
    ]);
    let first = &answers[0];
    assert_eq!(first["tag"], "kept");
    assert!(
        close(&first["prefill"][0][3], 14.322_595_267_882_04),
        "{first}"
    );
    assert!(first["prefill"][1][3]["err"].is_string(), "{first}");
    assert!(
        close(&first["decode"][0][3], 5.113_744_429_924_806),
        "{first}"
    );
    assert!(first["decode"][1][3]["err"].is_string(), "{first}");
    assert_eq!(first["kv_blocks"]["num_gpu_blocks"], 116_997);
    assert!(
        answers[1]["decode"][0][3]["err"]
            .as_str()
            .unwrap()
            .contains("no/such-model")
    );
    assert!(answers[2]["decode"][0][3].as_f64().unwrap() > 0.0);
}

#[test]
fn query_breaks_a_step_down() {
    let output = dynosim(&[
        "perf",
        "query",
        "--system",
        "h200",
        "--backend",
        "vllm",
        "--model",
        "Qwen/Qwen3-32B",
        "--tp-size",
        "2",
        "--prefill",
        "1,4096,0",
        "--decode",
        "8,2048",
        "--per-op",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "prefill of 1 x 4096 tokens",
        "decode of 8 requests",
        "qkv_gemm",
        "generation_attention",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn kv_blocks_and_list_answer() {
    let output = dynosim(&[
        "perf",
        "kv-blocks",
        "--system",
        "h200_sxm",
        "--backend",
        "vllm",
        "--model",
        "nvidia/Llama-3.1-8B-Instruct-FP8",
        "--block-size",
        "16",
    ]);
    assert!(
        stdout(&output).starts_with("num_gpu_blocks 116997 of 16 tokens"),
        "{}",
        stdout(&output)
    );
    let list: Value = serde_json::from_slice(&dynosim(&["perf", "list", "--json"]).stdout).unwrap();
    assert_eq!(list["tables"].as_array().unwrap().len(), 21);
    let coverage = stdout(&dynosim(&["perf", "list", "--coverage"]));
    assert!(coverage.contains("Qwen/Qwen3-8B\n"), "{coverage}");
    assert!(coverage.contains("prefill and decode"), "{coverage}");
    let slip = dynosim(&[
        "perf",
        "kv-blocks",
        "--system",
        "h20_sxm",
        "--backend",
        "vllm",
        "--model",
        "Qwen/Qwen3-8B",
    ]);
    assert_eq!(slip.status.code(), Some(2));
    assert!(stderr(&slip).contains("h200_sxm"), "{}", stderr(&slip));
}
