"use strict";
// Draws the charts of the page from its data, those over time on one time axis.
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
    if (series.shape === "bar") {
      return {
        type: "bar",
        name: series.name,
        x: series.x,
        y: series.y,
        showlegend: series.legend,
        marker: { color: ink },
        hovertemplate: "%{y:,.4~g}<extra>%{fullData.name}</extra>",
      };
    }
    const crowded = series.y.length > 100;
    // A line of a single point would not be seen.
    const lone = series.y.filter((value) => value !== null).length === 1;
    return {
      type: "scatter",
      name: series.name,
      x: Array.isArray(series.x) ? series.x : data[series.x],
      y: series.y,
      showlegend: series.legend,
      mode: marked ? "markers" : series.shape === "line-markers" || lone ? "lines+markers" : "lines",
      connectgaps: series.shape === "dotted" || series.shape === "line",
      line: {
        color: ink,
        width: 1.6,
        dash: dashes[series.shape] || "solid",
        shape: series.shape.startsWith("step") ? "hv" : "linear",
      },
      fill: series.shape === "step-area" ? "tozeroy" : "none",
      fillcolor: ink + "40",
      marker: { color: ink, size: marked ? (crowded ? 6 : 9) : lone ? 7 : crowded ? 3 : 4, symbol: marked ? series.shape : "circle" },
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
    const most = Math.max(0, ...values, ...chart.levels.map((level) => level.at));
    const whole = most > 0 && most <= 6 && !chart.most && values.every((value) => value === null || Number.isInteger(value));
    const time = chart.across === "time";
    return {
      // Two columns of a printed page; on a screen, the width of the card.
      ...(print.matches ? { autosize: false, width: 316, height: 205 } : { autosize: true }),
      margin: { l: 62, r: 14, t: 8, b: 40 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, size: 12, family: getComputedStyle(document.body).fontFamily },
      barmode: chart.series.every((series) => series.y.length === 1) ? "overlay" : "group",
      bargap: 0.4,
      hovermode: tracks || noted ? "closest" : "x unified",
      hoverlabel: { bgcolor: card, bordercolor: soft, font: { color: ink } },
      showlegend: tracks || chart.series.filter((series) => series.legend).length > 1,
      // Keeps hidden lines hidden when the colours change.
      uirevision: "same",
      legend: { orientation: "h", y: chart.across === "names" ? -0.12 : -0.2, yanchor: "top", x: 0, font: { size: 11 } },
      xaxis: {
        ...axis,
        title: { text: time ? "Simulated time (s)" : chart.across.title || "", standoff: 6, font: { size: 11 } },
        ...(chart.across === "names"
          ? { type: "category", fixedrange: true, automargin: true }
          : { hoverformat: ",.6~g", tickformat: ",~r" }),
        ...(time ? { range } : {}),
      },
      yaxis: {
        ...axis,
        title: { text: chart.axis, standoff: 8, font: { size: 11 } },
        rangemode: "tozero",
        fixedrange: true,
        tickformat: most >= 10000 ? "~s" : most > 0 && most < 0.001 ? "~e" : ",~r",
        ...(whole ? { dtick: 1 } : {}),
        // Nothing but zeros would lie under the axis.
        ...(most === 0 && !chart.most ? { range: [-0.04, 1] } : {}),
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
  const timed = places.filter((_, index) => data.charts[index].across === "time");
  const config = { responsive: true, displaylogo: false, doubleClick: false, displayModeBar: false };

  const draw = (index) =>
    Plotly.react(places[index], data.charts[index].series.map(trace), layout(data.charts[index], shown), config);

  // One time axis: what one chart shows, all show.
  let busy = false;
  async function show(range) {
    if (busy) return;
    busy = true;
    shown = range;
    await Promise.all(timed.map((place) => Plotly.relayout(place, { "xaxis.range": [...range] })));
    busy = false;
  }

  for (let index = 0; index < places.length; index += 1) {
    await draw(index);
    if (timed.includes(places[index])) {
      places[index].on("plotly_relayout", (change) => {
        if (change["xaxis.range[0]"] !== undefined) {
          show([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
        }
      });
      places[index].on("plotly_doubleclick", () => {
        show(whole);
      });
    }
    // Let the page answer between charts.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  hint.textContent = "Click a legend entry to hide what it stands for. ";
  if (timed.length > 0) {
    hint.prepend("Drag to zoom all charts over time, double-click for the whole time. ");
    const reset = document.createElement("button");
    reset.textContent = "Whole time";
    reset.addEventListener("click", () => show(whole));
    hint.append(reset);
  }

  const redraw = () => places.forEach((_, index) => draw(index));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const closed = [...document.querySelectorAll("details:not([open])")];
  print.addEventListener("change", () => {
    closed.forEach((details) => { details.open = print.matches; });
    redraw();
  });
  document.body.dataset.drawn = String(places.length);
})();
