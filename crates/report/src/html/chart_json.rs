//! Charts as the data that the page's script reads.

use std::fmt::Write;

use super::chart::{Across, Chart, Series, Times};
use super::escape::json_label;

/// The time axes that series share.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedTimes {
    pub(crate) bins: Vec<f64>,
    pub(crate) ticks: Vec<f64>,
    /// End of the time axis.
    pub(crate) end: f64,
}

/// The charts as one JSON object, safe inside a script element.
pub(crate) fn charts_json(times: &SharedTimes, charts: &[Chart]) -> String {
    let mut out = String::from("{\"end\":");
    number(&mut out, Some(times.end));
    out.push_str(",\"bins\":");
    list(&mut out, &times.bins, |out, &at| number(out, Some(at)));
    out.push_str(",\"ticks\":");
    list(&mut out, &times.ticks, |out, &at| number(out, Some(at)));
    out.push_str(",\"charts\":");
    list(&mut out, charts, chart);
    out.push('}');
    out
}

fn chart(out: &mut String, chart: &Chart) {
    let across = match chart.across {
        Across::Time => "\"time\"".to_owned(),
        Across::Names => "\"names\"".to_owned(),
        Across::Quantity(title) => format!("{{\"title\":{}}}", json_label(title)),
    };
    let _ = write!(
        out,
        "{{\"axis\":{},\"across\":{across},\"series\":",
        json_label(&chart.axis)
    );
    list(out, &chart.series, series);
    out.push_str(",\"levels\":");
    list(out, &chart.levels, |out, level| {
        out.push_str("{\"at\":");
        number(out, Some(level.at));
        let _ = write!(out, ",\"label\":{}}}", json_label(&level.label));
    });
    out.push_str(",\"tracks\":");
    list(out, &chart.tracks, |out, &(at, name)| {
        out.push('[');
        number(out, Some(at));
        let _ = write!(out, ",{}]", json_label(name));
    });
    out.push_str(",\"most\":");
    number(out, chart.most);
    out.push('}');
}

fn series(out: &mut String, series: &Series) {
    let _ = write!(
        out,
        "{{\"name\":{},\"shape\":\"{}\",\"color\":\"{}\",\"legend\":{},\"x\":",
        json_label(&series.name),
        series.shape.name(),
        series.color,
        series.legend,
    );
    match &series.times {
        Times::Bins => out.push_str("\"bins\""),
        Times::Ticks => out.push_str("\"ticks\""),
        Times::Own(times) => list(out, times, |out, &at| number(out, Some(at))),
        Times::Names(names) => list(out, names, |out, name| out.push_str(&json_label(name))),
    }
    out.push_str(",\"y\":");
    list(out, &series.values, |out, &value| number(out, value));
    out.push_str(",\"notes\":");
    list(out, &series.notes, |out, note| {
        out.push_str(&json_label(note));
    });
    out.push('}');
}

fn list<T>(out: &mut String, items: &[T], mut item: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, value) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item(out, value);
    }
    out.push(']');
}

/// Six digits are more than a screen shows; what is no number is a gap.
fn number(out: &mut String, value: Option<f64>) {
    match value.filter(|value| value.is_finite()) {
        Some(value) => {
            let single = value as f32;
            let _ = if single.is_finite() && single.abs() < 1e15 {
                write!(out, "{single}")
            } else {
                write!(out, "{value:e}")
            };
        }
        None => out.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::chart::Shape;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn charts_are_valid_json_without_markup_or_nan() {
        let series = Series {
            notes: vec!["</script>".to_owned(); 3],
            ..Series::new(
                "a<b",
                Times::Own(vec![0.0, 0.1, 1e300]),
                vec![Some(f64::NAN), None, Some(1e-9)],
                (Shape::Line, "blue"),
            )
        };
        let mut chart = Chart::new("t", "ms", "c").with(series);
        chart.tracks.push((1.0, "decode"));
        let text = charts_json(&SharedTimes::default(), &[chart]);
        assert!(!text.contains('<'));
        let value: Value = serde_json::from_str(&text).unwrap();
        let series = &value["charts"][0]["series"][0];
        assert_eq!(series["y"], json!([null, null, 1e-9]));
        assert_eq!(series["x"], json!([0, 0.1, 1e300]));
        assert_eq!(series["notes"][0], "&lt;/script&gt;");
    }
}
