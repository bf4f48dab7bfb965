//! What a chart shows, apart from how it is drawn.

/// Where on the time axis a series has its points.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Times {
    /// The middles of the time bins.
    Bins,
    /// The planner's ticks.
    Ticks,
    /// Its own, in seconds.
    Own(Vec<f64>),
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

/// A chart of a run over simulated time.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// What it shows, for those who wonder.
    pub(crate) caption: &'static str,
    /// Title of the value axis: what and in which unit.
    pub(crate) axis: &'static str,
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
            caption,
            axis,
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

    /// Whether there is anything to see.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}
