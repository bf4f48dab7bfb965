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
    const shape = layout(data.axes.length ? data.axes[0].short : "", title, {
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
  const scatterY = chooser("scatter-y", first(data.goal, 0));
  const heat = chooser("heat-metric", first(data.goal, 0));

  // The axis that splits the scatter into series: the first of names, or else that with the fewest values.
  function splitting() {
    const count = (at) => new Set(points.map((point) => point.set[at])).size;
    const axes = data.axes.map((axis, at) => at).filter((at) => count(at) >= 2 && count(at) <= palette.length);
    const ofNames = axes.filter((at) => points.some((point) => typeof point.set[at] !== "number"));
    const fewest = (list) => [...list].sort((one, two) => count(one) - count(two))[0];
    return data.axes.length < 2 ? undefined : ofNames.length ? fewest(ofNames) : fewest(axes);
  }

  // Points that no other beats in both metrics, from the best in the first to the best in the second.
  function frontOf(x, y) {
    const cost = (index) => (point) => (data.metrics[index].more ? -1 : 1) * point.metrics[index];
    const [costX, costY] = [cost(x), cost(y)];
    const sorted = points
      .filter((point) => point.metrics[x] !== null && point.metrics[y] !== null)
      .sort((one, two) => costX(one) - costX(two) || costY(one) - costY(two));
    let best = Infinity;
    return sorted.filter((point) => costY(point) < best && ((best = costY(point)), true));
  }

  // Labels for those of the front that stand apart, so that no two overlap.
  function frontLabels(front, x, y) {
    const span = (index) => {
      const values = points.map(metric(index)).filter((value) => value !== null);
      return Math.max(...values) - Math.min(...values) || 1;
    };
    const [spanX, spanY] = [span(x), span(y)];
    const kept = [];
    for (const point of front) {
      const apart = (other) => Math.abs(point.metrics[x] - other.metrics[x]) / spanX > 0.16
        || Math.abs(point.metrics[y] - other.metrics[y]) / spanY > 0.08;
      if (kept.every(apart)) kept.push(point);
    }
    return kept.map((point) => ({
      x: point.metrics[x], y: point.metrics[y], text: point.set.join(", "), showarrow: false,
      xanchor: "center", yanchor: data.metrics[y].more ? "bottom" : "top",
      yshift: data.metrics[y].more ? 6 : -6, font: { size: 10.5, color: color("soft") },
    }));
  }

  function scatter() {
    const [x, y] = [scatterX(), scatterY()];
    const front = frontOf(x, y);
    const split = splitting();
    const numbers = data.axes.length > 0 && points.every((point) => typeof point.set[0] === "number");
    const series = (group, name, marker) => ({
      type: "scatter",
      mode: "markers",
      name,
      x: group.map(metric(x)),
      y: group.map(metric(y)),
      text: group.map(label),
      marker: { size: 9, ...marker },
      hovertemplate: "%{text}<br>%{x:,.5~g}, %{y:,.5~g}<extra></extra>",
    });
    const traces = [{
      type: "scatter", mode: "lines", name: "not beaten in both", hoverinfo: "skip",
      x: front.map(metric(x)), y: front.map(metric(y)), line: { color: color("soft"), width: 1.4, dash: "dot" },
    }];
    if (split === undefined) {
      traces.push(series(points, "points", numbers
        ? { color: points.map((point) => point.set[0]), colorscale: "Viridis", showscale: true,
            colorbar: { title: { text: data.axes[0].short, side: "right" }, thickness: 10 } }
        : { color: color("blue") }));
    } else {
      [...new Set(points.map((point) => point.set[split]))].forEach((value, at) => traces.push(series(
        points.filter((point) => point.set[split] === value),
        data.axes[split].short + " " + value,
        { color: color(palette[at % palette.length]) },
      )));
    }
    const shape = layout(data.metrics[x].name, data.metrics[y].name, {
      hovermode: "closest",
      showlegend: true,
      annotations: frontLabels(front, x, y),
    });
    shape.yaxis.rangemode = "normal";
    react("scatter", traces, shape);
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
    const more = data.metrics[index].more;
    const few = xs.length * ys.length <= 80;
    const large = points.some((point) => point.metrics[index] >= 1000);
    const shape = layout(data.axes[0].short, data.axes[1].short, {});
    shape.xaxis = { ...shape.xaxis, type: "category", showgrid: false };
    shape.yaxis = { ...shape.yaxis, type: "category", showgrid: false, automargin: true, rangemode: "normal" };
    react("heat", [{
      type: "heatmap",
      x: xs.map(String),
      y: ys.map(String),
      z: cells.map((row) => row.map(mean)),
      colorscale: "Viridis",
      reversescale: !more,
      texttemplate: few ? (large ? "%{z:.3~s}" : "%{z:.3~g}") : "",
      xgap: 1,
      ygap: 1,
      colorbar: { thickness: 10 },
      hovertemplate: "%{x}, %{y}<br>%{z:,.5~g}<extra></extra>",
    }], shape);
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
  hint.textContent = (place("heat") ? "Bright is better in the heat map. " : "") + "Choose metrics above the charts; drag to zoom, double-click for the whole chart.";
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.body.dataset.drawn = String(data.charts.length);
})();
