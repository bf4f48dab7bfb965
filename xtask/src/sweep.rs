//! `cargo xtask sweep`: the planner guide's sweep of engine start-up times.
//!
//! It is `dynosim sweep` with the guide's arguments; whatever it writes is what
//! that command writes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::guide;

/// Arguments of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Trace to sweep on; `twin:toolagent` is the embedded workload
    #[arg(long, value_name = "FILE", default_value = "twin:toolagent")]
    trace: PathBuf,
    /// Reference to equal, such as 1.2.1
    #[arg(long, value_name = "VERSION", default_value = "default")]
    compat: String,
    /// Version of the step-time tables
    #[arg(long, value_name = "VERSION")]
    aic_backend_version: Option<String>,
    /// Start-up times in seconds: first, last, step
    #[arg(long, value_name = "FIRST:LAST:STEP", default_value = "0:300:10")]
    startup: String,
    /// Folder of results
    #[arg(
        long,
        value_name = "DIR",
        default_value = "planner_reports/sweep_startup"
    )]
    out: PathBuf,
    /// Threads, 0 for one a core
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

/// Runs the sweep, a page for each run.
pub(crate) fn run(args: &Args) -> ExitCode {
    let engine = guide::engine(args.aic_backend_version.as_deref());
    let flags: [(&str, OsString); 8] = [
        ("--planner-config", guide::PLANNER.into()),
        ("--extra-engine-args", engine.to_string().into()),
        ("--num-workers", "2".into()),
        ("--arrival-speedup-ratio", "1".into()),
        ("--compat", args.compat.clone().into()),
        (
            "--set",
            format!("extra-engine-args.startup_time={}", args.startup).into(),
        ),
        ("--out", args.out.clone().into()),
        ("--threads", args.threads.to_string().into()),
    ];
    let mut line: Vec<OsString> = vec!["dynosim".into(), "sweep".into(), "--html".into()];
    for (flag, value) in flags {
        line.extend([flag.into(), value]);
    }
    line.extend(["--".into(), args.trace.clone().into()]);
    dynosim::main(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_short_sweep_writes_reports_pages_and_figures() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        let typed = [
            "sweep",
            "--startup",
            "0:120:120",
            "--compat",
            "1.2.1",
            "--out",
            out,
        ];
        run(&Typed::try_parse_from(typed).unwrap().args);
        let count = |name: &str| std::fs::read_dir(folder.path().join(name)).unwrap().count();
        assert_eq!((count("points"), count("pages")), (2, 2));
        let csv = std::fs::read_to_string(folder.path().join("results.csv")).unwrap();
        assert_eq!(csv.lines().count(), 3);
        let page = std::fs::read_to_string(folder.path().join("sweep.html")).unwrap();
        assert!(page.contains("extra-engine-args.startup_time"));
    }
}
