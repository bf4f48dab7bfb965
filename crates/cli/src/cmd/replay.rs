//! `dynosim replay`, and `dynosim` alone.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use report::FanOut;

use crate::args::raw::{DeploymentArgs, OutputArgs, ReplayArgs};
use crate::exit::Failure;
use crate::output::{AtomicFile, write_file};
use crate::plan::Plan;
use crate::plan::workload::TWIN;
use crate::progress::Progress;
use crate::run::{Extras, Finished};
use crate::tick_log::TickLog;

/// The planner example of `dynosim` alone.
const EXAMPLE_PLANNER: &str = r#"{
    "mode": "agg", "optimization_target": "sla", "ttft_ms": 1500, "itl_ms": 50,
    "enable_throughput_scaling": true, "enable_load_scaling": true,
    "pre_deployment_sweeping_mode": "rapid",
    "throughput_adjustment_interval_seconds": 300, "load_adjustment_interval_seconds": 10,
    "prefill_engine_num_gpu": 1, "decode_engine_num_gpu": 1,
    "report_filename": "dynosim_agg.html"
}"#;
/// Its engines.
const EXAMPLE_ENGINE: &str = r#"{
    "aic_backend": "vllm", "aic_system": "h200_sxm",
    "aic_model_path": "nvidia/Llama-3.1-8B-Instruct-FP8", "aic_tp_size": 1
}"#;

/// `dynosim` without arguments: the planner example on the embedded workload.
pub(crate) fn example() -> Result<(), Failure> {
    let args = ReplayArgs {
        trace: Some(TWIN.into()),
        deployment: DeploymentArgs {
            planner_config: Some(EXAMPLE_PLANNER.to_owned()),
            extra_engine_args: Some(EXAMPLE_ENGINE.to_owned()),
            num_workers: Some(2),
            compat: "default".to_owned(),
            replay_mode: "offline".to_owned(),
            benchmark_granularity: 8,
            ..DeploymentArgs::default()
        },
        ..ReplayArgs::default()
    };
    eprintln!(
        "An SLA planner scales vLLM workers (H200, Llama-3.1-8B FP8) under an embedded, generated \
         hour of agent traffic. For a trace of yours: dynosim replay --help",
    );
    execute(&args)
}

/// Resolves the flags, runs, and writes what was asked for.
pub(crate) fn execute(args: &ReplayArgs) -> Result<(), Failure> {
    let plan = &Plan::resolve(args)?;
    let output = &args.output;
    say(&plan.notes, output);
    if output.check {
        return super::print(&plan.describe());
    }
    let html = html_path(plan, output);
    let mut progress = Progress::new(plan.expected_requests(), output.quiet);
    let mut requests = match &output.report_jsonl {
        Some(path) => Some(AtomicFile::create(path)?),
        None => None,
    };
    let mut ticks = match &output.planner_log {
        Some(path) => Some(TickLog::new(AtomicFile::create(path)?)),
        None => None,
    };
    let mut watchers = FanOut::new();
    if let Some(progress) = &mut progress {
        watchers.add(progress);
    }
    if let Some(ticks) = &mut ticks {
        watchers.add(ticks);
    }
    let finished = plan.run(Extras {
        requests: requests
            .as_mut()
            .map(|file| file as &mut dyn std::io::Write),
        observer: Some(&mut watchers),
        digest: false,
        timeline: html.is_some(),
    })?;
    drop(watchers);
    say(&finished.notes, output);
    if let Some(file) = requests {
        file.finish().map_err(Failure::failed)?;
    }
    if let Some(ticks) = ticks {
        ticks.finish().map_err(Failure::failed)?;
    }
    let report_path = match &output.report_json {
        Some(path) => Some(write_report(path, plan, &finished)?),
        None => None,
    };
    let html_path = match (html, &finished.timeline) {
        (Some(path), Some(timeline)) => {
            let options = plan.html_options(&finished);
            let page = report::html_report(&finished.summary, timeline, &options);
            write_file(&path, &page).map_err(Failure::failed)?;
            Some(path)
        }
        _ => None,
    };
    if output.json {
        super::print(&report::report_json(
            &finished.summary,
            &plan.json_options(&finished),
        ))?;
    } else if !output.quiet {
        super::print(&shown(
            plan,
            &finished,
            report_path.as_deref(),
            html_path.as_deref(),
        ))?;
    }
    judge(plan, &finished)
}

fn say(notes: &[String], output: &OutputArgs) {
    if output.quiet {
        return;
    }
    for note in notes {
        eprintln!("note: {note}");
    }
}

/// Where the page goes: where asked, or where the planner's configuration says.
fn html_path(plan: &Plan, output: &OutputArgs) -> Option<PathBuf> {
    if output.html.is_some() {
        return output.html.clone();
    }
    let config = &plan.planner.as_ref()?.config;
    if !config.reports() {
        return None;
    }
    let name = config
        .report_filename
        .clone()
        .unwrap_or_else(|| "planner_report_001.html".to_owned());
    Some(Path::new(&config.report_output_dir).join(name))
}

/// What the user reads on stdout.
fn shown(
    plan: &Plan,
    finished: &Finished,
    report_path: Option<&Path>,
    html_path: Option<&Path>,
) -> String {
    let summary = &finished.summary;
    let mut text = String::new();
    if let Some(planner) = &summary.planner {
        text += &report::scaling_events(&planner.scaling_events);
    }
    let wall_time = (!plan.no_wall_clock).then_some(finished.wall_time);
    text += &report::table(summary, wall_time);
    if let Some(sla) = &summary.sla {
        text += &format!(
            "SLA attainment: {:.2} % ({} of {} requests)\n",
            100.0 * sla.attainment(),
            sla.met,
            sla.arrived
        );
    }
    if let Some(path) = report_path {
        text += &format!("Saved full report to: {}\n", path.display());
    }
    if let Some(planner) = &summary.planner {
        text += &format!("Planner ticks: {}\n", planner.ticks);
        text += &format!("GPU hours: {:.4}\n", planner.gpu_hours);
    }
    if let Some(path) = html_path {
        let what = if summary.planner.is_some() {
            "Planner diagnostics report"
        } else {
            "HTML report"
        };
        text += &format!("{what}: {}\n", path.display());
    }
    text
}

/// Writes the JSON report and says where.
fn write_report(path: &Path, plan: &Plan, finished: &Finished) -> Result<PathBuf, Failure> {
    let path = if path.is_dir() {
        path.join(default_report_name())
    } else {
        path.to_owned()
    };
    let text = report::report_json(&finished.summary, &plan.json_options(finished));
    write_file(&path, &text).map_err(Failure::failed)?;
    Ok(path)
}

/// The reference's file name: the time of the run, UTC.
fn default_report_name() -> String {
    let now = jiff::Timestamp::now();
    format!(
        "dynamo_replay_report_{}.json",
        now.strftime("%Y%m%d_%H%M%S")
    )
}

/// Names rejections and missed bounds.
fn judge(plan: &Plan, finished: &Finished) -> Result<(), Failure> {
    let summary = &finished.summary;
    if summary.rejected > 0 {
        eprintln!(
            "warning: {} of {} requests can never run on this deployment and were rejected",
            summary.rejected, summary.requests
        );
        for (request, why) in &summary.first_rejections {
            eprintln!("  request {}: {why}", request.0);
        }
    }
    if summary.requests > 0 && summary.rejected == summary.requests {
        return Err(Failure::failed(anyhow!("every request was rejected")));
    }
    let attainment = summary.sla.as_ref().map(report::SlaReport::attainment);
    if let (Some(bound), Some(attainment)) = (plan.goals.min_attainment, attainment)
        && attainment < bound
    {
        return Err(Failure::bound_missed(anyhow!(
            "SLA attainment {attainment:.4} is below the bound {bound}"
        )));
    }
    Ok(())
}
