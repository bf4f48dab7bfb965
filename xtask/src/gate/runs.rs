//! The runs that are counted: one for each path that must stay fast.

use crate::guide;

/// Requests of the generated workload; enough for the scheduler to outweigh start-up.
const REQUESTS: &str = "6000";

/// Names and flags of `dynosim replay TRACE`.
pub(super) fn all() -> serde_json::Result<Vec<(&'static str, Vec<String>)>> {
    let engine = guide::engine(None);
    let fleet = |flags: &[&str]| {
        let words = ["--num-workers", "4"]
            .into_iter()
            .chain(flags.iter().copied());
        words.map(str::to_owned).collect::<Vec<String>>()
    };
    let aic = engine.to_string();
    let mut runs = vec![
        ("static, polynomial", fleet(&[])),
        ("static, AIC", fleet(&["--extra-engine-args", &aic])),
        (
            "KV router, AIC",
            fleet(&["--extra-engine-args", &aic, "--router-mode", "kv_router"]),
        ),
        ("planner, aggregated", guide::aggregated(&engine)?),
        ("planner, disaggregated", guide::disaggregated(&engine)?),
    ];
    for (_, flags) in &mut runs {
        let common = ["--limit", REQUESTS, "--quiet", "--no-wall-clock"];
        flags.extend(common.map(str::to_owned));
    }
    Ok(runs)
}
