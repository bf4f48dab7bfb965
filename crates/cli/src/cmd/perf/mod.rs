//! `dynosim perf`: step times and KV capacity of GPUs and models.

mod eval;
mod list;
mod question;

use aic_perf::{AicEngine, KvQuery, OpTime};
use anyhow::{Result, anyhow};
use sim_api::Coverage;

use crate::args::perf::{PerfCommand, PerfKvArgs, PerfQueryArgs};
use crate::exit::Failure;
use question::ModelQuestion;

pub(crate) fn execute(command: &PerfCommand) -> Result<(), Failure> {
    match command {
        PerfCommand::List(args) => list::execute(args),
        PerfCommand::Query(args) => query(args),
        PerfCommand::KvBlocks(args) => kv_blocks(args),
        PerfCommand::Eval(args) => eval::execute(args),
    }
}

fn engine(question: &ModelQuestion) -> Result<AicEngine> {
    let engine = AicEngine::new(&question.config(true)?)?;
    for warning in engine.warnings() {
        eprintln!("note: {warning}");
    }
    Ok(engine)
}

fn query(args: &PerfQueryArgs) -> Result<(), Failure> {
    let engine = engine(&ModelQuestion::from(&args.model))?;
    let mut text = String::new();
    if let Some([batch, isl, prefix]) = args.prefill {
        let time = engine
            .prefill(batch, isl, prefix)
            .map_err(anyhow::Error::from)?;
        text += &format!(
            "prefill of {batch} x {isl} tokens, {prefix} of them in KV: {} ms ({})\n",
            time.ms,
            coverage_word(time.coverage)
        );
        if args.per_op {
            let ops = engine.prefill_per_op(batch, isl, prefix);
            text += &breakdown(&ops.map_err(anyhow::Error::from)?);
        }
    }
    if let Some([batch, context]) = args.decode {
        let time = engine.decode(batch, context).map_err(anyhow::Error::from)?;
        text += &format!(
            "decode of {batch} requests at context {context}: {} ms ({})\n",
            time.ms,
            coverage_word(time.coverage)
        );
        if args.per_op {
            let ops = engine.decode_per_op(batch, context);
            text += &breakdown(&ops.map_err(anyhow::Error::from)?);
        }
    }
    if text.is_empty() {
        return Err(Failure::from(anyhow!(
            "nothing asked: give --prefill BATCH,ISL,PREFIX or --decode BATCH,CONTEXT"
        )));
    }
    super::print(&text)
}

fn coverage_word(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Formula => "formula",
        Coverage::Measured => "measured",
        Coverage::Interpolated => "interpolated",
        Coverage::Extrapolated => "extrapolated",
    }
}

/// The operations of a step as a table, the longest first.
fn breakdown(ops: &[OpTime]) -> String {
    let total: f64 = ops.iter().map(|op| op.time.ms).sum();
    let mut sorted: Vec<&OpTime> = ops.iter().collect();
    sorted.sort_by(|one, two| two.time.ms.total_cmp(&one.time.ms));
    let width = sorted.iter().map(|op| op.name.len()).max().unwrap_or(0);
    sorted
        .iter()
        .map(|op| {
            let share = if total > 0.0 {
                100.0 * op.time.ms / total
            } else {
                0.0
            };
            format!(
                "  {:<width$}  {:>12.6} ms  {share:>5.1} %  {}\n",
                op.name,
                op.time.ms,
                coverage_word(op.time.coverage)
            )
        })
        .collect()
}

fn kv_blocks(args: &PerfKvArgs) -> Result<(), Failure> {
    let engine = engine(&ModelQuestion::from(&args.model))?;
    let capacity = engine
        .kv_capacity(KvQuery {
            block_size: args.block_size,
            max_num_batched_tokens: args.max_num_batched_tokens,
            memory_fraction: args.memory_fraction,
        })
        .map_err(anyhow::Error::from)?;
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    super::print(&format!(
        "num_gpu_blocks {} of {} tokens ({} tokens)\n\
         KV cache {:.2} GiB, weights {:.2} GiB, activations {:.2} GiB, runtime {:.2} GiB, communication {:.2} GiB a GPU\n",
        capacity.blocks,
        args.block_size,
        capacity.tokens,
        gib(capacity.cache_bytes),
        gib(capacity.weights_bytes),
        gib(capacity.activations_bytes),
        gib(capacity.runtime_bytes),
        gib(capacity.communication_bytes),
    ))
}
