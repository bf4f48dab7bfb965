//! `dynosim sweep` and `dynosim run-point`.

use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::raw::ReplayArgs;
use crate::args::sweep::{RunPointArgs, StoreArgs, SweepArgs};
use crate::exit::Failure;
use crate::run::shell_line;
use crate::sweep::{
    Case, Combine, Common, Outcomes, Results, RunSpec, Store, SweepSpec, below_bound,
    different_runs, parse_assignment, read_spec, run_all, run_one,
};

/// Most points that an error names.
const MOST_NAMED: usize = 8;

/// `dynosim sweep`; `words` is how it was typed, for the page.
pub(crate) fn execute(args: &SweepArgs, words: &[OsString]) -> Result<(), Failure> {
    let spec = resolve(args, words)?;
    let cases = spec.cases()?;
    if args.points {
        let lines = cases
            .iter()
            .flat_map(|case| case.runs.iter().map(|run| run.line(&case.set) + "\n"));
        return super::print(&lines.collect::<String>());
    }
    let store = Store::open(&args.output.out).map_err(Failure::failed)?;
    let outcomes = run_cases(&cases, &store, args)?;
    let results = Results::new(spec.axis_names(), &cases, &outcomes, args.output.html);
    let page = results.page(title(&spec), command(words));
    for (name, text) in [
        ("results.jsonl", results.jsonl()),
        ("results.csv", results.csv()),
        ("sweep.html", report::sweep_html(&page)),
    ] {
        store.write(name, &text).map_err(Failure::failed)?;
    }
    for (index, row, error) in results.failed() {
        let set = serde_json::Value::Object(row.set.clone());
        eprintln!("warning: point {index} {set} failed: {error}");
    }
    let kept = outcomes.kept();
    if !args.output.quiet {
        if kept > 0 {
            eprintln!(
                "note: {kept} runs were in {} already",
                args.output.out.display()
            );
        }
        super::print(&format!(
            "{}Saved results to: {}\nPage of the sweep: {}\n",
            results.table(),
            store.path("results.csv").display(),
            store.path("sweep.html").display()
        ))?;
    }
    if let Some(lost) = store.lost() {
        return Err(Failure::failed(anyhow!("not everything is kept: {lost}")));
    }
    if results.failed().count() == results.rows.len() {
        return Err(Failure::failed(anyhow!("every point failed")));
    }
    judge(&cases, &results)
}

/// Names the points that stay below `--fail-below-sla`.
fn judge(cases: &[Case], results: &Results) -> Result<(), Failure> {
    let rows = cases.iter().zip(&results.rows).enumerate();
    let missed = rows.filter_map(|(index, (case, row))| {
        let run = case.runs.first()?;
        let by = match &row.error {
            // What did not run did not reach its bound.
            Some(_) if run.arguments.contains_key("fail-below-sla") => "failed".to_owned(),
            _ => below_bound(run, row.mean("sla_attainment"))?,
        };
        let set = serde_json::Value::Object(row.set.clone());
        Some(format!("point {index} {set}: {by}"))
    });
    bound_missed(&missed.collect::<Vec<_>>(), cases.len())
}

/// Exit code 3 if any of `count` points is among those that `missed`.
fn bound_missed(missed: &[String], count: usize) -> Result<(), Failure> {
    if missed.is_empty() {
        return Ok(());
    }
    let mut named = missed[..missed.len().min(MOST_NAMED)].join("; ");
    if missed.len() > MOST_NAMED {
        named += &format!("; and {} more", missed.len() - MOST_NAMED);
    }
    Err(Failure::bound_missed(anyhow!(
        "SLA attainment is below its bound at {} of {count} points: {named}",
        missed.len()
    )))
}

fn command(words: &[OsString]) -> String {
    let words = words.iter().skip(1);
    shell_line(words.map(|word| word.to_string_lossy().into_owned()))
}

/// What the sweep is called: its trace.
fn title(spec: &SweepSpec) -> String {
    let trace = spec.base.get("trace").and_then(serde_json::Value::as_str);
    trace.unwrap_or("synthetic load").to_owned()
}

/// The sweep of a file, of flags, or of both.
fn resolve(args: &SweepArgs, words: &[OsString]) -> Result<SweepSpec> {
    let (file, trace) = inputs(&args.inputs)?;
    let mut spec = match file {
        Some(path) => read_spec(path)?,
        None => SweepSpec::default(),
    };
    let typed = ReplayArgs {
        trace: trace.cloned(),
        ..args.replay()
    };
    spec.overlay(&typed, |name| {
        let flag = format!("--{name}");
        let is_flag = |word: &OsString| {
            let word = word.to_string_lossy();
            word.split('=').next() == Some(flag.as_str())
        };
        (name == "trace" && trace.is_some()) || words.iter().any(is_flag)
    })?;
    for text in &args.set {
        let (path, values) = parse_assignment(text)?;
        ensure!(
            spec.combine != Combine::List,
            "--set {path}: the file lists its points; leave out --set or the list"
        );
        spec.axes.retain(|(known, _)| *known != path);
        spec.axes.push((path, values));
    }
    if args.zip {
        spec.combine = Combine::Zip;
    }
    spec.seeds = args.seeds.or(spec.seeds);
    Ok(spec)
}

/// The specification and the trace, by their endings.
fn inputs(given: &[PathBuf]) -> Result<(Option<&PathBuf>, Option<&PathBuf>)> {
    let is_spec = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("json" | "yaml" | "yml" | "toml"))
    };
    match given {
        [] => Ok((None, None)),
        [one] if is_spec(one) => Ok((Some(one), None)),
        [one] => Ok((None, Some(one))),
        [spec, trace] => {
            ensure!(
                is_spec(spec),
                "{}: expected a specification (.json, .yaml, .yml or .toml) before the trace",
                spec.display()
            );
            Ok((Some(spec), Some(trace)))
        }
        more => Err(anyhow!(
            "expected a specification and a trace, got {} files",
            more.len()
        )),
    }
}

fn run_cases(cases: &[Case], store: &Store, args: &SweepArgs) -> Result<Outcomes, Failure> {
    let runs = different_runs(cases);
    let bar = bar(runs.len() as u64, &args.output);
    let common = Common::default();
    let outcomes = run_all(&runs, args.threads, |spec| {
        let outcome = run_one(spec, store, &common, args.output.html);
        bar.inc(1);
        outcome
    })?;
    bar.finish_and_clear();
    Ok(outcomes)
}

/// Finished runs and the time left, if somebody looks.
fn bar(runs: u64, output: &StoreArgs) -> ProgressBar {
    if output.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(runs).with_style(style)
}

/// `dynosim run-point`: points of a sweep, one after the other.
pub(crate) fn run_point(args: &RunPointArgs) -> Result<(), Failure> {
    let specs = read_points(&args.spec, args.index)?;
    let store = Store::open(&args.output.out).map_err(Failure::failed)?;
    let common = Common::default();
    let mut missed = Vec::new();
    for spec in &specs {
        let ran = run_one(spec, &store, &common, args.output.html)?;
        let attainment = ran.report.get("sla_attainment");
        let attainment = attainment.and_then(serde_json::Value::as_f64);
        if let Some(by) = below_bound(spec, attainment) {
            missed.push(format!("{}: {by}", spec.id));
        }
        if !args.output.quiet {
            let path = store.path(&Store::report_name(&spec.id));
            let how = if ran.kept { "Found" } else { "Saved full" };
            super::print(&format!("{how} report: {}\n", path.display()))?;
        }
    }
    bound_missed(&missed, specs.len())
}

fn read_points(path: &Path, index: Option<usize>) -> Result<Vec<RunSpec>> {
    let name = path.display();
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input")?;
        text
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?
    };
    let lines: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    ensure!(!lines.is_empty(), "{name}: no points");
    let wanted = match index {
        Some(index) => {
            let count = lines.len();
            let line = lines.get(index).with_context(|| {
                format!("--index {index}: {name} has {count} points, counted from 0")
            })?;
            std::slice::from_ref(line)
        }
        None => &lines,
    };
    wanted
        .iter()
        .map(|(number, line)| {
            RunSpec::parse(line).with_context(|| format!("{name}, line {}", number + 1))
        })
        .collect()
}
