"use strict";
// Draws the charts of a sweep: lines over the first axis, a heat map, a scatter, parallel coordinates.
(async () => {
  const data = JSON.parse(document.getElementById("charts").textContent);
  const hint = document.getElementById("hint");
  if (!hint) return;

  async function loadPlotly() {
    const packed = atob(document.getElementById("plotly").textContent);
    const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  try {
    await loadPlotly();
  } catch (error) {
    hint.textContent = "The charts could not be drawn (" + error + "); all figures stand below.";
    return;
  }

  const color = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const palette = ["blue", "orange", "green", "purple", "teal", "pink", "yellow", "gray", "darkblue", "red"];
  const place = (id) => document.getElementById(id);
  const points = data.points;
  const label = (point) => data.axes.map((axis, i) => axis.name + " = " + point.set[i]).join("<br>");
  const metric = (index) => (point) => point.metrics[index];
  const named = (key) => data.metrics.findIndex((metric) => metric.key === key);

  function layout(x, y, more) {
    const [ink, soft, grid, card] = ["ink", "soft", "grid", "card"].map(color);
    const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, color: soft };
    return {
      autosize: true,
      margin: { l: 64, r: 18, t: 8, b: 44 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: 12, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: card, bordercolor: soft, font: { color: ink } },
      uirevision: "same",
      legend: { orientation: "h", y: -0.26, yanchor: "top", x: 0, font: { size: 11 } },
      xaxis: { ...axis, title: { text: x, standoff: 6, font: { size: 11 } } },
      yaxis: { ...axis, title: { text: y, standoff: 8, font: { size: 11 } }, rangemode: "tozero" },
      ...more,
    };
  }

  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  const react = (id, traces, shape) => Plotly.react(place(id), traces, shape, config);

  // A line for every metric; with further axes, one for every combination of theirs.
  function lines(chart) {
    const wanted = chart.metrics.map(named).filter((index) => index >= 0);
    const groups = new Map();
    for (const point of points) {
      const key = point.set.slice(1).map((value, i) => data.axes[i + 1].short + " " + value).join(", ");
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(point);
    }
    const several = groups.size > 1;
    const shown = several ? wanted.slice(0, 1) : wanted;
    const traces = [];
    for (const [key, group] of groups) {
      for (const index of shown) {
        const ink = color(palette[traces.length % palette.length]);
        traces.push({
          type: "scatter",
          mode: "lines+markers",
          name: several ? key : data.metrics[index].name,
          x: group.map((point) => point.set[0]),
          y: group.map(metric(index)),
          text: group.map(label),
          error_y: {
            type: "data",
            array: group.map((point) => point.spread[index]),
            visible: group.some((point) => point.spread[index] !== null),
            color: ink,
          },
          line: { color: ink, width: 1.8 },
          marker: { color: ink, size: 5 },
          hovertemplate: "%{text}<br>%{y:,.5~g}<extra>%{fullData.name}</extra>",
        });
      }
    }
    const title = shown.length === 1 ? data.metrics[shown[0]].name : chart.axis;
    const mark = data.cliff && chart.cliff && !several ? data.cliff : null;
    const shape = layout(data.axes.length ? data.axes[0].name : "", title, {
      showlegend: traces.length > 1,
      shapes: mark
        ? [{ type: "rect", xref: "x", yref: "paper", x0: mark.from, x1: mark.to, y0: 0, y1: 1,
             fillcolor: color("red") + "26", line: { width: 0 } }]
        : [],
      annotations: mark
        ? [{ xref: "x", yref: "paper", x: mark.from, y: 1, text: mark.label, showarrow: false,
             xanchor: "right", yanchor: "top", font: { color: color("red"), size: 11 } }]
        : [],
    });
    if (!points.every((point) => typeof point.set[0] === "number")) shape.xaxis.type = "category";
    react(chart.id, traces, shape);
  }

  function chooser(id, start) {
    const select = place(id);
    if (!select) return () => start;
    data.metrics.forEach((metric, index) => select.add(new Option(metric.plain, index)));
    select.value = String(start);
    select.addEventListener("change", draw);
    return () => Number(select.value);
  }

  const first = (key, fallback) => (named(key) >= 0 ? named(key) : fallback);
  const scatterX = chooser("scatter-x", first("gpu_hours", 0));
  const scatterY = chooser("scatter-y", first("p99_ttft_ms", 0));
  const heat = chooser("heat-metric", first("p99_ttft_ms", 0));

  function scatter() {
    const [x, y] = [scatterX(), scatterY()];
    react("scatter", [{
      type: "scatter",
      mode: "markers",
      x: points.map(metric(x)),
      y: points.map(metric(y)),
      text: points.map(label),
      marker: {
        size: 9,
        color: points.every((point) => typeof point.set[0] === "number")
          ? points.map((point) => point.set[0])
          : color("blue"),
        colorscale: "Viridis",
        showscale: points.every((point) => typeof point.set[0] === "number"),
        colorbar: { title: { text: data.axes.length ? data.axes[0].name : "", side: "right" }, thickness: 10 },
      },
      hovertemplate: "%{text}<br>%{x:,.5~g}, %{y:,.5~g}<extra></extra>",
    }], layout(data.metrics[x].name, data.metrics[y].name, { hovermode: "closest" }));
  }

  // The mean over further axes.
  function heatMap() {
    if (!place("heat")) return;
    const index = heat();
    const [xs, ys] = [0, 1].map((axis) => [...new Set(points.map((point) => point.set[axis]))]);
    const cells = ys.map(() => xs.map(() => []));
    for (const point of points) {
      const value = point.metrics[index];
      if (value !== null) cells[ys.indexOf(point.set[1])][xs.indexOf(point.set[0])].push(value);
    }
    const mean = (list) => (list.length ? list.reduce((sum, value) => sum + value, 0) / list.length : null);
    react("heat", [{
      type: "heatmap",
      x: xs.map(String),
      y: ys.map(String),
      z: cells.map((row) => row.map(mean)),
      colorscale: "Viridis",
      colorbar: { thickness: 10 },
      hovertemplate: "%{x}, %{y}<br>%{z:,.5~g}<extra></extra>",
    }], layout(data.axes[0].name, data.axes[1].name, {
      xaxis: { type: "category", title: { text: data.axes[0].name }, color: color("soft") },
      yaxis: { type: "category", title: { text: data.axes[1].name }, color: color("soft") },
    }));
  }

  // Every point is a line through its place on each axis; axes run from their least to their greatest value.
  function parallel() {
    const done = points.filter((point) => point.metrics.some((value) => value !== null));
    const axes = data.axes.map((axis, i) => ({ label: axis.short, of: (point) => point.set[i] }));
    const keys = ["mean_ttft_ms", "p99_ttft_ms", "mean_itl_ms", "p90_itl_ms", "gpu_hours", "scaling_events", "sla_attainment"];
    for (const index of keys.map(named).filter((index) => index >= 0)) {
      axes.push({ label: data.metrics[index].name, of: metric(index) });
    }
    for (const axis of axes) {
      const values = done.map(axis.of).filter((value) => value !== null);
      const names = values.every((value) => typeof value === "number") ? null : [...new Set(values)];
      const numbers = names ? names.map((_, index) => index) : values;
      const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
      const span = high > low ? high - low : 1;
      const end = (value) => (names ? names[value] : value.toLocaleString("en", { maximumSignificantDigits: 4 }));
      axis.low = numbers.length ? end(low) : "";
      axis.high = numbers.length ? end(high) : "";
      axis.at = (point) => {
        const value = axis.of(point);
        return value === null ? null : ((names ? names.indexOf(value) : value) - low) / span;
      };
    }
    const traces = done.map((point, index) => ({
      type: "scatter",
      mode: "lines",
      x: axes.map((_, at) => at),
      y: axes.map((axis) => axis.at(point)),
      text: axes.map(() => label(point)),
      line: { width: 1.4, color: "hsl(" + (265 - (220 * index) / Math.max(done.length - 1, 1)) + " 65% 50%)" },
      hovertemplate: "%{text}<extra></extra>",
      showlegend: false,
    }));
    const end = (name, y, anchor) => axes.map((axis, at) => ({
      x: at, y, text: String(axis[name]), showarrow: false, yanchor: anchor, font: { size: 10.5 },
    }));
    const shape = layout("", "", {
      hovermode: "closest",
      annotations: [...end("low", -0.02, "top"), ...end("high", 1.02, "bottom")],
      margin: { l: 40, r: 40, t: 20, b: 60 },
    });
    shape.xaxis = { ...shape.xaxis, tickvals: axes.map((_, at) => at), ticktext: axes.map((axis) => axis.label),
      tickfont: { size: 10 }, range: [-0.15, axes.length - 0.85] };
    shape.yaxis = { ...shape.yaxis, visible: false, range: [-0.14, 1.14] };
    react("parallel", traces, shape);
  }

  function draw() {
    data.lines.forEach(lines);
    scatter();
    heatMap();
    parallel();
  }

  draw();
  hint.textContent = "Choose metrics above the charts; drag to zoom, double-click for the whole chart.";
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.body.dataset.drawn = String(data.charts.length);
})();
