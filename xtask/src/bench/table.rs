//! The figures as a Markdown table.

use super::measure::Usage;

/// What was measured of one row.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) name: &'static str,
    /// At least one.
    pub(super) ours: Vec<Usage>,
    pub(super) reference: Option<Usage>,
    pub(super) native: Option<Usage>,
}

/// The table; columns of programs that were not measured are left out.
pub(super) fn markdown(rows: &[Measured]) -> String {
    let reference = rows.iter().any(|row| row.reference.is_some());
    let native = rows.iter().any(|row| row.native.is_some());
    let mut head = vec![
        "work",
        "CPU s, least",
        "median",
        "peak MB",
        "wall s, median",
    ];
    if reference {
        head.extend(["reference: CPU s", "peak MB", "times less CPU"]);
    }
    if native {
        head.extend(["native engine: CPU s", "peak MB", "times less CPU"]);
    }
    let mut text = line(&head);
    text.push_str(&line(&vec!["---"; head.len()]));
    for row in rows {
        let mut cpu: Vec<f64> = row.ours.iter().map(cpu_s).collect();
        let median_s = median(&mut cpu);
        let mut wall: Vec<f64> = row.ours.iter().map(|run| run.wall.as_secs_f64()).collect();
        let peak = row.ours.iter().map(|run| run.peak_bytes).max().unwrap_or(0);
        let mut cells = vec![
            row.name.to_owned(),
            format!("{:.3}", cpu[0]),
            format!("{median_s:.3}"),
            megabytes(peak),
            format!("{:.3}", median(&mut wall)),
        ];
        for (wanted, other) in [(reference, row.reference), (native, row.native)] {
            if wanted {
                cells.extend(beside(other, median_s));
            }
        }
        text.push_str(&line(&cells));
    }
    text
}

fn beside(other: Option<Usage>, median_s: f64) -> [String; 3] {
    other.map_or_else(
        || ["-"; 3].map(str::to_owned),
        |usage| {
            let cpu = cpu_s(&usage);
            [
                format!("{cpu:.1}"),
                megabytes(usage.peak_bytes),
                format!("{:.0}", cpu / median_s),
            ]
        },
    )
}

fn cpu_s(usage: &Usage) -> f64 {
    usage.cpu.as_secs_f64()
}

/// Of at least one figure, which it sorts; of an even number the lower middle one.
fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() - 1) / 2]
}

fn megabytes(bytes: u64) -> String {
    format!("{}", bytes.div_ceil(1_000_000))
}

fn line<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn usage(cpu_ms: u64, peak_bytes: u64) -> Usage {
        Usage {
            cpu: Duration::from_millis(cpu_ms),
            wall: Duration::from_millis(cpu_ms + 1),
            peak_bytes,
        }
    }

    #[test]
    fn least_median_and_ratio() {
        let rows = [
            Measured {
                name: "a",
                ours: vec![usage(30, 9_000_000), usage(20, 9_500_001), usage(40, 1)],
                reference: Some(usage(3_000, 800_000_000)),
                native: None,
            },
            Measured {
                name: "b",
                ours: vec![usage(7, 5_000_000)],
                reference: None,
                native: None,
            },
        ];
        let text = markdown(&rows);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| a | 0.020 | 0.030 | 10 | 0.031 | 3.0 | 800 | 100 |",
                "| b | 0.007 | 0.007 | 5 | 0.008 | - | - | - |",
            ]
        );
        assert!(!text.contains("native"));
    }
}
