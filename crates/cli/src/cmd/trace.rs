//! `dynosim trace`: look at, check, cut and make traces.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::anyhow;
use report::{TracePage, TraceRow};
use serde_json::{Value, json};
use trace::{AgenticTwin, LengthStats, Trace, TraceOptions, TraceRequest, TraceStats, Window};

use crate::args::raw::{
    TraceCommand, TraceConvertArgs, TraceCutArgs, TraceFileArgs, TraceStatsArgs, TraceSynthArgs,
};
use crate::exit::Failure;
use crate::plan::workload::trace_format;

pub(crate) fn execute(command: &TraceCommand) -> Result<(), Failure> {
    match command {
        TraceCommand::Stats(args) => stats(args),
        TraceCommand::Validate(args) => validate(args),
        TraceCommand::Convert(args) => convert(args),
        TraceCommand::Cut(args) => cut(args),
        TraceCommand::Synth(args) => synth(args),
    }
}

fn options(args: &TraceFileArgs) -> Result<TraceOptions, Failure> {
    Ok(TraceOptions {
        format: trace_format(&args.trace, args.trace_format.as_deref())?,
        block_size: args.trace_block_size,
        ..TraceOptions::default()
    })
}

fn stats(args: &TraceStatsArgs) -> Result<(), Failure> {
    let options = options(&args.file)?;
    let trace = Trace::open(&args.file.trace, &options).map_err(anyhow::Error::from)?;
    let stats = TraceStats::of(&trace);
    if let Some(path) = &args.html {
        super::write_page(path, &report::trace_html(&page(&trace, &stats)))?;
    }
    if args.json {
        let text = serde_json::to_string_pretty(&stats_value(&stats)).map_err(Failure::failed)?;
        return super::print(&format!("{text}\n"));
    }
    super::print(&stats_text(trace.name(), &stats))
}

/// The trace as its page wants it.
fn page(trace: &Trace, stats: &TraceStats) -> TracePage {
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let row = |request: TraceRequest<'_>| {
        let ids = request.hash_ids;
        let row = TraceRow {
            at_ms: request.timestamp_ms,
            input_tokens: u64::from(request.input_tokens),
            output_tokens: u64::from(request.output_tokens),
            blocks: ids.len() as u64,
            seen_blocks: ids.iter().take_while(|id| seen.contains(*id)).count() as u64,
            first: [0, 1].map(|index| ids.get(index).copied()),
        };
        seen.extend(ids);
        row
    };
    TracePage {
        name: crate::run::title(trace.name()),
        sessions: stats.sessions,
        rows: trace.requests().map(row).collect(),
        text: stats_text(trace.name(), stats),
    }
}

fn lengths_value(lengths: &LengthStats) -> Value {
    json!({
        "mean": lengths.mean, "std": lengths.std, "min": lengths.min, "p25": lengths.p25,
        "p50": lengths.p50, "p75": lengths.p75, "p90": lengths.p90, "p95": lengths.p95,
        "p99": lengths.p99, "max": lengths.max,
    })
}

fn stats_value(stats: &TraceStats) -> Value {
    let arrivals = &stats.arrivals;
    json!({
        "requests": stats.requests,
        "sessions": stats.sessions,
        "input_tokens": stats.input_tokens,
        "output_tokens": stats.output_tokens,
        "isl": lengths_value(&stats.isl),
        "osl": lengths_value(&stats.osl),
        "span_ms": arrivals.span_ms,
        "mean_rps": arrivals.mean_rps,
        "peak_minute_rps": arrivals.peak_minute_rps,
        "gap_p50_ms": arrivals.gap_p50_ms,
        "gap_variation": arrivals.gap_variation,
        "largest_burst": arrivals.largest_burst,
        "blocks": stats.blocks,
        "unique_blocks": stats.unique_blocks,
        "block_reuse_ratio": stats.block_reuse_ratio,
        "hit_ratio_mean": stats.hit_ratio_mean,
        "first_blocks": stats.first_blocks,
        "depth2_prefixes": stats.depth2_prefixes,
    })
}

fn stats_text(name: &str, stats: &TraceStats) -> String {
    let arrivals = &stats.arrivals;
    let lengths = |name: &str, lengths: &LengthStats| {
        format!(
            "{name:<13} mean {:.1}, p25 {}, p50 {}, p75 {}, p90 {}, p99 {}, max {}\n",
            lengths.mean,
            lengths.p25,
            lengths.p50,
            lengths.p75,
            lengths.p90,
            lengths.p99,
            lengths.max
        )
    };
    let mut text = format!("{name}\n");
    text += &format!(
        "requests      {} in {} sessions\n",
        stats.requests, stats.sessions
    );
    text += &format!(
        "span          {:.1} s, {:.2} requests/s, {:.2} in the busiest minute\n",
        arrivals.span_ms / 1000.0,
        arrivals.mean_rps,
        arrivals.peak_minute_rps
    );
    text += &format!(
        "burstiness    gaps vary {:.2} times their mean (1 is Poisson), median gap {:.0} ms, up to {} at once\n",
        arrivals.gap_variation, arrivals.gap_p50_ms, arrivals.largest_burst
    );
    text += &lengths("ISL (tokens)", &stats.isl);
    text += &lengths("OSL (tokens)", &stats.osl);
    text += &format!(
        "block reuse   {:.1} % of {} blocks ({} different), {:.1} % of a request's prefix on average\n",
        100.0 * stats.block_reuse_ratio,
        stats.blocks,
        stats.unique_blocks,
        100.0 * stats.hit_ratio_mean
    );
    text += &format!(
        "prefixes      {} different first blocks, {} of depth two\n",
        stats.first_blocks, stats.depth2_prefixes
    );
    text
}

fn validate(args: &TraceFileArgs) -> Result<(), Failure> {
    let found = trace::validate(&args.trace, &options(args)?).map_err(anyhow::Error::from)?;
    let name = args.trace.display();
    for problem in found.problems.iter().chain(&found.untimed) {
        eprintln!("{name}: {problem}");
    }
    let rest = found.problem_count - found.problems.len() as u64;
    if rest > 0 {
        eprintln!("{name}: and {rest} more");
    }
    if !found.is_valid() {
        return Err(Failure::from(anyhow!(
            "{name}: {} rows are wrong, {} are right",
            found.problem_count,
            found.requests
        )));
    }
    let mut text = format!(
        "{name}: {} requests in {} sessions, no problem\n",
        found.requests, found.sessions
    );
    if !found.untimed.is_empty() {
        text += "some sessions have no start: they need --replay-concurrency\n";
    }
    if found.impossible > 0 {
        text += &format!(
            "{} requests have no input or no output and would be rejected\n",
            found.impossible
        );
    }
    super::print(&text)
}

fn cut(args: &TraceCutArgs) -> Result<(), Failure> {
    let window = Window {
        limit: args.limit,
        from_s: args.from,
        to_s: args.to,
    };
    let options = TraceOptions {
        format: trace_format(&args.trace, None)?,
        ..TraceOptions::default()
    };
    let rows =
        trace::cut(&args.trace, &args.output, &window, &options).map_err(anyhow::Error::from)?;
    super::print(&format!("{}: {rows} rows\n", args.output.display()))
}

fn write(trace: &Trace, path: &Path) -> Result<(), Failure> {
    let written = trace.write_mooncake(path);
    written.map_err(|error| Failure::failed(anyhow::Error::from(error)))
}

fn convert(args: &TraceConvertArgs) -> Result<(), Failure> {
    let options = options(&args.file)?;
    let trace = Trace::open(&args.file.trace, &options).map_err(anyhow::Error::from)?;
    write(&trace, &args.output)?;
    super::print(&format!(
        "{}: {} rows, blocks of {} tokens\n",
        args.output.display(),
        trace.len(),
        options.block_size
    ))
}

fn synth(args: &TraceSynthArgs) -> Result<(), Failure> {
    let trace = AgenticTwin::new(args.seed).trace();
    write(&trace, &args.output)?;
    super::print(&format!(
        "{}: {} rows\n",
        args.output.display(),
        trace.len()
    ))
}
