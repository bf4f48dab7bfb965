"use strict";
// Draws the charts of the page from its data, all on one time axis.
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

  const color = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const print = matchMedia("print");
  const markers = new Set(["square", "diamond", "triangle-up"]);
  const dashes = { dotted: "dot", "step-dashed": "dash" };

  function trace(series) {
    const ink = color(series.color);
    const marked = markers.has(series.shape);
    return {
      type: "scatter",
      name: series.name,
      x: Array.isArray(series.x) ? series.x : data[series.x],
      y: series.y,
      showlegend: series.legend,
      mode: marked ? "markers" : series.shape === "line-markers" ? "lines+markers" : "lines",
      connectgaps: series.shape === "dotted" || series.shape === "line",
      line: {
        color: ink,
        width: 1.6,
        dash: dashes[series.shape] || "solid",
        shape: series.shape.startsWith("step") ? "hv" : "linear",
      },
      fill: series.shape === "step-area" ? "tozeroy" : "none",
      fillcolor: ink + "40",
      marker: { color: ink, size: marked ? 9 : 4, symbol: marked ? series.shape : "circle" },
      hovertext: series.notes.length ? series.notes : undefined,
      hovertemplate: series.notes.length
        ? "%{hovertext}<extra>%{fullData.name}</extra>"
        : "%{y:,.4~g}<extra>%{fullData.name}</extra>",
    };
  }

  function layout(chart, range) {
    const [ink, soft, grid, card] = ["ink", "soft", "grid", "card"].map(color);
    const axis = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, color: soft };
    const target = color("red");
    const tracks = chart.tracks.length > 0;
    const values = chart.series.flatMap((series) => series.y);
    const noted = chart.series.some((series) => series.notes.length > 0);
    const large = values.some((value) => value >= 10000);
    return {
      // Two columns of a printed page; on a screen, the width of the card.
      ...(print.matches ? { autosize: false, width: 316, height: 205 } : { autosize: true }),
      margin: { l: 62, r: 14, t: 8, b: 40 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: 12, family: getComputedStyle(document.body).fontFamily },
      hovermode: tracks || noted ? "closest" : "x unified",
      hoverlabel: { bgcolor: card, bordercolor: soft, font: { color: ink } },
      showlegend: tracks || chart.series.filter((series) => series.legend).length > 1,
      // Keeps hidden lines hidden when the colours change.
      uirevision: "same",
      legend: { orientation: "h", y: -0.24, yanchor: "top", x: 0, font: { size: 11 } },
      xaxis: {
        ...axis,
        title: { text: "Simulated time (s)", standoff: 6, font: { size: 11 } },
        range,
        hoverformat: ",.6~g",
        tickformat: ",~r",
      },
      yaxis: {
        ...axis,
        title: { text: chart.axis, standoff: 8, font: { size: 11 } },
        rangemode: "tozero",
        fixedrange: true,
        tickformat: large ? "~s" : ",~r",
        ...(chart.most ? { range: [0, chart.most * 1.04] } : {}),
        ...(tracks
          ? {
              tickvals: chart.tracks.map((track) => track[0]),
              ticktext: chart.tracks.map((track) => track[1]),
              range: [0.5, chart.tracks.length + 0.5],
              tickformat: undefined,
            }
          : {}),
      },
      shapes: chart.levels.map((level) => ({
        type: "line",
        xref: "paper",
        x0: 0,
        x1: 1,
        y0: level.at,
        y1: level.at,
        line: { color: target, width: 1.4, dash: "dash" },
      })),
      annotations: chart.levels.map((level) => ({
        xref: "paper",
        x: 1,
        y: level.at,
        text: level.label,
        showarrow: false,
        xanchor: "right",
        yanchor: "bottom",
        font: { color: target, size: 11 },
        bgcolor: card + "c0",
      })),
    };
  }

  try {
    await loadPlotly();
  } catch (error) {
    hint.textContent = "The charts could not be drawn (" + error + "); all figures stand below.";
    return;
  }

  const whole = [0, data.end > 0 ? data.end : 1];
  let shown = whole;
  const places = data.charts.map((_, index) => document.getElementById("chart-" + index));
  const config = { responsive: true, displaylogo: false, doubleClick: false, displayModeBar: false };

  const draw = (index) =>
    Plotly.react(places[index], data.charts[index].series.map(trace), layout(data.charts[index], shown), config);

  // One time axis: what one chart shows, all show.
  let busy = false;
  async function show(range) {
    if (busy) return;
    busy = true;
    shown = range;
    await Promise.all(places.map((place) => Plotly.relayout(place, { "xaxis.range": [...range] })));
    busy = false;
  }

  for (let index = 0; index < places.length; index += 1) {
    await draw(index);
    places[index].on("plotly_relayout", (change) => {
      if (change["xaxis.range[0]"] !== undefined) {
        show([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
      }
    });
    places[index].on("plotly_doubleclick", () => {
      show(whole);
    });
    // Let the page answer between charts.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  hint.textContent = "Drag to zoom all charts, double-click for the whole run; click a legend entry to hide its line. ";
  const reset = document.createElement("button");
  reset.textContent = "Whole run";
  reset.addEventListener("click", () => show(whole));
  hint.append(reset);

  const redraw = () => places.forEach((_, index) => draw(index));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const closed = [...document.querySelectorAll("details:not([open])")];
  print.addEventListener("change", () => {
    closed.forEach((details) => { details.open = print.matches; });
    redraw();
  });
  document.body.dataset.drawn = String(places.length);
})();
