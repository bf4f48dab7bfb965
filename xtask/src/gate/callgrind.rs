//! Counting instructions with callgrind.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Whether there is a valgrind.
pub(super) fn is_here() -> Result<bool> {
    let mut version = Command::new("valgrind");
    match version.arg("--version").stdout(Stdio::null()).status() {
        Ok(status) => Ok(status.success()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("valgrind"),
    }
}

/// Instructions that `binary replay TRACE FLAGS` executes in its own code.
pub(super) fn count(binary: &Path, trace: &Path, flags: &[String], folder: &Path) -> Result<u64> {
    let profile = folder.join("callgrind.out");
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(&profile);
    let output = Command::new("valgrind")
        .current_dir(folder)
        .arg("--tool=callgrind")
        .args([
            "--dump-line=no",
            "--compress-strings=no",
            "--compress-pos=no",
        ])
        .arg(out)
        .arg(binary)
        .arg("replay")
        .arg(trace)
        .args(flags)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&profile)?;
    own_instructions(&text, &binary.display().to_string())
}

/// Sum of the costs of functions of one object file.
fn own_instructions(profile: &str, object: &str) -> Result<u64> {
    let (mut own, mut of_call) = (false, false);
    let mut sum = 0;
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            own = name == object;
        } else if line.starts_with("calls=") {
            of_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            // What a call costs is counted where it is spent.
            if own && !std::mem::take(&mut of_call) {
                let cost = line.split(' ').nth(1).context("a line without a cost")?;
                sum += cost.parse::<u64>().context(cost.to_owned())?;
            }
            of_call = false;
        }
    }
    ensure!(sum > 0, "the profile has nothing of {object}");
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_functions_of_the_object_spend_themselves_counts() {
        let profile = "\
version: 1
positions: line
events: Ir

ob=/lib/libc.so.6
fl=memcpy.S
fn=memcpy
0 5000

ob=/bin/dynosim
fl=main.rs
fn=main
0 7
cob=/lib/libc.so.6
cfn=memcpy
calls=3 0
0 5000
0 4
fi=other.rs
0 30

totals: 5041
";
        assert_eq!(own_instructions(profile, "/bin/dynosim").unwrap(), 41);
        assert!(own_instructions(profile, "/bin/other").is_err());
    }
}
