//! `dynosim perf list`: what is known.

use aic_perf::table::PerfTables;
use aic_perf::{AicConfig, AicEngine, GpuSpec, ModelSpec};
use serde_json::json;

use crate::args::perf::PerfListArgs;
use crate::exit::Failure;

pub(crate) fn execute(args: &PerfListArgs) -> Result<(), Failure> {
    let mut tables = Vec::new();
    for (system, backend) in PerfTables::embedded_pairs() {
        let packed = PerfTables::embedded(system, backend).map_err(anyhow::Error::from)?;
        tables.push((system, backend, packed.version().to_owned()));
    }
    let models: Vec<&str> = ModelSpec::bundled_ids().collect();
    if args.coverage {
        return coverage(&models, args.json);
    }
    if args.json {
        let tables: Vec<_> = tables
            .iter()
            .map(|(system, backend, version)| {
                json!({"system": system, "backend": backend, "version": version})
            })
            .collect();
        let systems: Vec<_> = GpuSpec::ALL.iter().map(|gpu| gpu.name).collect();
        let value = json!({"tables": tables, "systems": systems, "models": models});
        let text = serde_json::to_string_pretty(&value).map_err(Failure::failed)?;
        return super::super::print(&format!("{text}\n"));
    }
    let mut text = "GPUs with measured tables, by backend and its version:\n".to_owned();
    let mut last = "";
    for (system, backend, version) in &tables {
        if *system != last {
            text += &format!("  {system}\n");
            last = system;
        }
        text += &format!("    {backend:<8} {version}\n");
    }
    text += "Models by name (others from a folder with config.json):\n";
    for model in models {
        text += &format!("  {model}\n");
    }
    super::super::print(&text)
}

/// Which steps of which model were measured where, on one GPU.
fn coverage(models: &[&str], as_json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (system, backend) in PerfTables::embedded_pairs() {
        let tables = PerfTables::embedded(system, backend).map_err(anyhow::Error::from)?;
        for model in models {
            let config = AicConfig::new(system, backend, model);
            let Ok(engine) = AicEngine::with_tables(&config, &tables) else {
                continue;
            };
            let phases = [
                ("prefill", engine.prefill_unavailable().is_none()),
                ("decode", engine.decode_unavailable().is_none()),
            ];
            let answered: Vec<&str> = phases
                .iter()
                .filter(|(_, answered)| *answered)
                .map(|(phase, _)| *phase)
                .collect();
            rows.push((*model, system, backend, answered.join(" and ")));
        }
    }
    rows.retain(|(.., answered)| !answered.is_empty());
    rows.sort_unstable();
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(model, system, backend, steps)| {
                json!({"model": model, "system": system, "backend": backend, "steps": steps})
            })
            .collect();
        let text = serde_json::to_string_pretty(&rows).map_err(Failure::failed)?;
        return super::super::print(&format!("{text}\n"));
    }
    let mut text = String::new();
    let mut last = "";
    for (model, system, backend, steps) in &rows {
        if *model != last {
            text += &format!("{model}\n");
            last = model;
        }
        text += &format!("  {system:<20} {backend:<7} {steps}\n");
    }
    super::super::print(&text)
}
