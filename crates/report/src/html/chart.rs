//! What a chart shows, apart from how it is drawn.

use std::borrow::Cow;

/// From this many milliseconds on an axis is in seconds.
const LONG_MS: f64 = 10_000.0;

/// What runs from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Across {
    /// Simulated time, on an axis that all such charts of a page share.
    Time,
    /// A quantity of the chart's own, with what it is and its unit.
    Quantity(&'static str),
    /// Names.
    Names,
}

/// Where on the axis a series has its points.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Times {
    /// The middles of the time bins.
    Bins,
    /// The planner's ticks.
    Ticks,
    /// Its own, in seconds or in the chart's quantity.
    Own(Vec<f64>),
    /// At names.
    Names(Vec<String>),
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Runs on where there is no sample.
    Line,
    /// Ends where there is no value.
    BrokenLine,
    /// Holds its value until the next point.
    Step,
    StepDashed,
    /// As a step, with the area below filled.
    StepArea,
    Dotted,
    LineAndMarkers,
    Squares,
    Diamonds,
    Triangles,
    Bars,
}

impl Shape {
    /// Its name in the page's script.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::BrokenLine => "broken",
            Self::Step => "step",
            Self::StepDashed => "step-dashed",
            Self::StepArea => "step-area",
            Self::Dotted => "dotted",
            Self::LineAndMarkers => "line-markers",
            Self::Squares => "square",
            Self::Diamonds => "diamond",
            Self::Triangles => "triangle-up",
            Self::Bars => "bar",
        }
    }
}

/// A series of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) times: Times,
    /// Absent values are gaps.
    pub(crate) values: Vec<Option<f64>>,
    pub(crate) shape: Shape,
    /// A colour of the page's palette.
    pub(crate) color: &'static str,
    /// Shown on hover beside the value, one a point or none at all.
    pub(crate) notes: Vec<String>,
    /// Whether it has an entry in the legend.
    pub(crate) legend: bool,
}

impl Series {
    pub(crate) fn new(
        name: impl Into<String>,
        times: Times,
        values: Vec<Option<f64>>,
        (shape, color): (Shape, &'static str),
    ) -> Self {
        Self {
            name: name.into(),
            times,
            values,
            shape,
            color,
            notes: Vec::new(),
            legend: true,
        }
    }

    fn has_values(&self) -> bool {
        self.values.iter().any(Option::is_some)
    }
}

/// A horizontal line: a target or a capacity.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// A chart, of a run over simulated time unless it says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// What it shows, for those who wonder.
    pub(crate) caption: Cow<'static, str>,
    /// Title of the value axis: what and in which unit.
    pub(crate) axis: Cow<'static, str>,
    pub(crate) across: Across,
    pub(crate) series: Vec<Series>,
    pub(crate) levels: Vec<Level>,
    /// Names instead of numbers on the value axis.
    pub(crate) tracks: Vec<(f64, &'static str)>,
    /// Greatest value of the axis, if it is fixed.
    pub(crate) most: Option<f64>,
}

impl Chart {
    pub(crate) fn new(title: &'static str, axis: &'static str, caption: &'static str) -> Self {
        Self {
            title,
            caption: Cow::Borrowed(caption),
            axis: Cow::Borrowed(axis),
            across: Across::Time,
            series: Vec::new(),
            levels: Vec::new(),
            tracks: Vec::new(),
            most: None,
        }
    }

    /// With one more series, unless it has no value at all.
    pub(crate) fn with(mut self, series: Series) -> Self {
        if series.has_values() {
            self.series.push(series);
        }
        self
    }

    /// With a horizontal line, if there is one to draw.
    pub(crate) fn level(mut self, at: Option<f64>, label: impl FnOnce(f64) -> String) -> Self {
        if let Some(at) = at {
            let label = label(at);
            self.levels.push(Level { at, label });
        }
        self
    }

    /// In seconds instead of milliseconds where these would be many.
    pub(crate) fn in_fitting_unit(mut self) -> Self {
        let values = || self.series.iter().flat_map(|series| &series.values);
        let most = values().flatten().copied().fold(0.0, f64::max);
        if most < LONG_MS || !self.axis.ends_with("(ms)") {
            return self;
        }
        self.axis = Cow::Owned(self.axis.replace("(ms)", "(s)"));
        for series in &mut self.series {
            for value in series.values.iter_mut().flatten() {
                *value /= 1000.0;
            }
        }
        for level in &mut self.levels {
            level.at /= 1000.0;
        }
        self
    }

    /// Whether there is anything to see.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_latencies_are_in_seconds_with_their_targets() {
        let chart = |most: f64| {
            let values = vec![Some(500.0), None, Some(most)];
            let times = Times::Own(vec![0.0, 1.0, 2.0]);
            Chart::new("t", "TTFT (ms)", "c")
                .with(Series::new("p99", times, values, (Shape::Line, "blue")))
                .level(Some(1500.0), |_| String::new())
                .in_fitting_unit()
        };
        let long = chart(60_000.0);
        assert_eq!(long.axis, "TTFT (s)");
        assert_eq!(long.series[0].values, [Some(0.5), None, Some(60.0)]);
        assert_eq!(long.levels[0].at, 1.5);
        assert_eq!(chart(9_999.0).axis, "TTFT (ms)");
    }
}
