//! What one process used from start to end.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use wait4::Wait4;

/// Resources of a process that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// User and system time, all threads.
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
    /// Peak resident memory.
    pub(super) peak_bytes: u64,
}

/// Runs a command in `folder`, its output thrown away.
pub(super) fn run(command: &mut Command, folder: &Path) -> Result<Usage> {
    let log = folder.join("stderr");
    let started = Instant::now();
    let child = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let used = child.wait4()?;
    let wall = started.elapsed();
    ensure!(
        used.status.success(),
        "{command:?}: {}\n{}",
        used.status,
        std::fs::read_to_string(&log).unwrap_or_default().trim_end()
    );
    Ok(Usage {
        cpu: used.rusage.utime + used.rusage.stime,
        wall,
        peak_bytes: used.rusage.maxrss,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured_and_a_failure_says_what_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let version = run(Command::new("rustc").arg("--version"), folder.path()).unwrap();
        assert!(version.wall > Duration::ZERO && version.peak_bytes > 1 << 20);
        let failed = run(Command::new("rustc").arg("--no-such-flag"), folder.path());
        assert!(failed.unwrap_err().to_string().contains("no-such-flag"));
    }
}
