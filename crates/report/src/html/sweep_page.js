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
      const key = point.set.slice(1).join(", ");
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
    react(chart.id, traces, layout(data.axes[0].name, title, {
      showlegend: traces.length > 1,
      shapes: mark
        ? [{ type: "rect", xref: "x", yref: "paper", x0: mark.from, x1: mark.to, y0: 0, y1: 1,
             fillcolor: color("red") + "26", line: { width: 0 } }]
        : [],
      annotations: mark
        ? [{ xref: "x", yref: "paper", x: mark.from, y: 1, text: mark.label, showarrow: false,
             xanchor: "right", yanchor: "top", font: { color: color("red"), size: 11 } }]
        : [],
    }));
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

  function parallel() {
    const done = points.filter((point) => point.metrics.some((value) => value !== null));
    const axes = data.axes.map((axis, i) => {
      const values = done.map((point) => point.set[i]);
      if (values.every((value) => typeof value === "number")) return { label: axis.short, values };
      const names = [...new Set(values)];
      return {
        label: axis.short,
        values: values.map((value) => names.indexOf(value)),
        tickvals: names.map((_, index) => index),
        ticktext: names.map(String),
      };
    });
    const keys = ["mean_ttft_ms", "p99_ttft_ms", "mean_itl_ms", "p90_itl_ms", "gpu_hours", "scaling_events", "sla_attainment"];
    const metrics = keys.map(named).filter((index) => index >= 0).map((index) => ({
      label: data.metrics[index].name,
      values: done.map((point) => point.metrics[index] ?? 0),
    }));
    const tinted = axes.length && !axes[0].ticktext ? axes[0].values : done.map((_, index) => index);
    react("parallel", [{
      type: "parcoords",
      dimensions: [...axes, ...metrics],
      line: { color: tinted, colorscale: "Viridis" },
    }], layout("", "", { margin: { l: 60, r: 60, t: 46, b: 20 } }));
  }

  function draw() {
    data.lines.forEach(lines);
    scatter();
    heatMap();
    parallel();
  }

  draw();
  hint.textContent = "Choose metrics above the charts; drag along an axis of the parallel coordinates to pick points.";
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.body.dataset.drawn = String(document.querySelectorAll(".chart").length);
})();
