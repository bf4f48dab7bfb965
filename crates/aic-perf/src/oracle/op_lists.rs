//! Operation lists of twelve models, each with every framework and up to eleven ways to spread it.

use serde_json::Value;

use super::fixture;
use super::json_op::op_list;
use crate::error::AicError;
use crate::model_spec::ModelSpec;
use crate::oplist::{NamedOp, OpKind, OpLists, Parallelism, Setting};
use crate::quant::FormatOverrides;

#[test]
fn operation_lists_are_the_references() {
    let records = fixture("op_lists.jsonl.gz");
    assert!(records.len() > 200);
    for record in &records {
        check(record);
    }
}

fn check(record: &Value) {
    let label = format!(
        "{} {} {}",
        record["model"], record["backend"], record["config"]
    );
    let config = &record["config"];
    let size = |field: &str| {
        config[field]
            .as_u64()
            .map(|size| u32::try_from(size).unwrap())
    };
    let model = ModelSpec::find(record["model"].as_str().unwrap()).unwrap();
    let backend = record["backend"].as_str().unwrap().parse().unwrap();
    let parallel = Parallelism::new(
        size("tp_size").unwrap_or(1),
        size("pp_size").unwrap_or(1),
        size("attention_dp_size").unwrap_or(1),
        size("moe_tp_size"),
        size("moe_ep_size"),
    )
    .unwrap();
    let formats = model.quant.formats(backend, FormatOverrides::default());
    let setting = Setting {
        model: &model,
        parallel,
        formats,
        backend,
        nextn: size("nextn").unwrap_or(0),
    };
    let ours = OpLists::new(&setting);
    if let Some(error) = record["err"].as_str() {
        assert!(error.contains("weight_block_size"), "{label}: {error}");
        assert!(
            matches!(ours, Err(AicError::Parallelism(_))),
            "{label}: {ours:?}"
        );
        return;
    }
    let ours = ours.unwrap();
    let quant = &record["quant"];
    assert_eq!(formats.gemm.name(), quant["gemm"], "{label}");
    assert_eq!(formats.moe.name(), quant["moe"], "{label}");
    assert_eq!(formats.attention.name(), quant["fmha"], "{label}");
    assert_eq!(formats.kv_cache.name(), quant["kv"], "{label}");
    for (ours, theirs) in [
        (&ours.prefill, op_list(&record["context"])),
        (&ours.decode, op_list(&record["generation"])),
    ] {
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(rounded(ours), rounded(theirs), "{label}");
        }
        assert_eq!(ours.len(), theirs.len(), "{label}");
    }
}

/// An operation with its number of runs rounded, since the reference's differs in the last bit.
fn rounded(named: &NamedOp) -> NamedOp {
    let all = |ops: &[NamedOp]| ops.iter().map(rounded).collect::<Vec<_>>();
    let kind = match &named.op.kind {
        OpKind::Overlap { a, b } => OpKind::Overlap {
            a: all(a),
            b: all(b),
        },
        OpKind::Fallback { primary, parts } => OpKind::Fallback {
            primary: Box::new(rounded(primary)),
            parts: all(parts),
        },
        other => other.clone(),
    };
    NamedOp::new(named.name, (named.op.times * 1e9).round() / 1e9, kind)
}
