//! The task: counts every run, then compares or commits.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use super::callgrind;
use super::counts::{Counts, Verdict};
use super::runs;

/// Arguments of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Take the new counts as right
    #[arg(long)]
    bless: bool,
}

/// Counts and compares; fails where a run has grown.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if !callgrind::is_here()? {
        eprintln!("instructions not counted: there is no valgrind");
        return Ok(ExitCode::SUCCESS);
    }
    let compiler = compiler()?;
    let committed = if args.bless {
        None
    } else {
        Some(Counts::read()?)
    };
    if let Some(other) = committed
        .as_ref()
        .filter(|counts| counts.compiler != compiler)
    {
        eprintln!(
            "instructions not counted: the record is of {}, this is {compiler}; `cargo xtask gate --bless` renews it",
            other.compiler
        );
        return Ok(ExitCode::SUCCESS);
    }
    let counted = count_all(compiler)?;
    let Some(committed) = committed else {
        counted.write()?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut grown = false;
    for (name, &instructions) in &counted.instructions {
        let (verdict, growth) = committed.judge(name, instructions);
        let remark = match verdict {
            Verdict::Within => "",
            Verdict::Less => "; `cargo xtask gate --bless` keeps the gain",
            Verdict::Grown => {
                ": more than 5 % above the record; find out why, or `cargo xtask gate --bless`"
            }
            Verdict::New => ": not in the record; `cargo xtask gate --bless` adds it",
        };
        println!(
            "{name}: {instructions} instructions, {:+.2} %{remark}",
            growth * 100.0
        );
        grown |= matches!(verdict, Verdict::Grown | Verdict::New);
    }
    Ok(ExitCode::from(u8::from(grown)))
}

fn count_all(compiler: String) -> Result<Counts> {
    let dynosim = crate::release::dynosim()?;
    let folder = tempfile::tempdir()?;
    let trace = folder.path().join("trace.jsonl");
    let written = Command::new(&dynosim)
        .args(["trace", "synth", "--twin", "toolagent", "--output"])
        .arg(&trace)
        .output()?;
    ensure!(written.status.success(), "the workload cannot be written");
    let mut counts = Counts {
        compiler,
        instructions: Default::default(),
    };
    for (name, flags) in runs::all()? {
        eprintln!("{name}");
        let count = callgrind::count(&dynosim, &trace, &flags, folder.path())?;
        counts.instructions.insert(name.to_owned(), count);
    }
    Ok(counts)
}

/// The compiler's version with its commit, and its target.
fn compiler() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    let version = text.lines().next();
    Ok(format!(
        "{} on {}",
        version.context("rustc has no version")?,
        host.context("rustc has no host")?
    ))
}
