//! The runs that are measured.

use crate::guide;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Flags that `dynosim replay` and the reference share.
    pub(super) flags: Vec<String>,
    /// Under the reference's rules; only then is there something to compare with.
    pub(super) compat: bool,
    /// Workers, tokens a block and blocks, where the native engine can do the run.
    pub(super) native: Option<[u32; 3]>,
}

/// All rows; `version` is that of the step-time tables.
pub(super) fn all(version: &str) -> serde_json::Result<Vec<Row>> {
    let engine = guide::engine(Some(version));
    let aggregated = guide::aggregated(&engine)?;
    let disaggregated = guide::disaggregated(&engine)?;
    let engine = engine.to_string();
    let blocks = r#"{"block_size":512,"num_gpu_blocks":2048}"#;
    let fixed = |flags: &[&str]| flags.iter().map(|&flag| flag.to_owned()).collect();
    let row = |name, flags, compat, native| Row {
        name,
        flags,
        compat,
        native,
    };
    Ok(vec![
        row(
            "static, 4 workers, round robin, polynomial",
            fixed(&["--num-workers", "4"]),
            true,
            Some([4, 64, 16_384]),
        ),
        row(
            "static, 8 workers, blocks of 512, polynomial",
            fixed(&["--num-workers", "8", "--extra-engine-args", blocks]),
            true,
            Some([8, 512, 2_048]),
        ),
        row(
            "static, 4 workers, round robin, AIC",
            fixed(&["--num-workers", "4", "--extra-engine-args", &engine]),
            true,
            None,
        ),
        row(
            "static, 4 workers, KV router, AIC",
            fixed(&[
                "--num-workers",
                "4",
                "--extra-engine-args",
                &engine,
                "--router-mode",
                "kv_router",
            ]),
            true,
            None,
        ),
        row(
            "planner, aggregated (the guide's example)",
            aggregated.clone(),
            true,
            None,
        ),
        row("planner, aggregated, default mode", aggregated, false, None),
        row(
            "planner, disaggregated (the guide's example)",
            disaggregated.clone(),
            true,
            None,
        ),
        row(
            "planner, disaggregated, default mode",
            disaggregated,
            false,
            None,
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_run_that_dynosim_accepts() {
        for row in all("0.24.0").unwrap() {
            let compat = if row.compat { "1.2.1" } else { "default" };
            let mut flags = vec!["twin:toolagent", "--compat", compat];
            flags.extend(row.flags.iter().map(String::as_str));
            dynosim::Plan::from_flags(flags)
                .unwrap_or_else(|error| panic!("{}: {error:?}", row.name));
        }
    }
}
