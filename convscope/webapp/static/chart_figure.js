/** A chart as plotly.js is told of it: lines, bands, bars, axes, and the names at the ends of lines. */

/** @import { ChartLook, Series } from "./types.js" */

import { extent, limits, ticks, decades } from "./chart_axes.js";
import { hue } from "./color.js";
import { count } from "./numbers.js";

const GAP = 15; // pixels between two labels at the end of lines

/** @param {string} text */
const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\n", "<br>");

/** What the pointer reads at each point. @param {string[]} said @param {string} color */
const hoverText = (said, color) => ({
  text: said.map(plain),
  hovertemplate: "%{text}<extra></extra>",
  hoverlabel: { bordercolor: hue(color) },
});

/** @param {(number | null)[]} y @param {{low: number[], high: number[]}} interval @param {string} color */
const errorBars = (y, { low, high }, color) => ({
  type: "data",
  symmetric: false,
  array: high.map((v, i) => v - (y[i] ?? v)),
  arrayminus: low.map((v, i) => (y[i] ?? v) - v),
  color: hue(color),
  thickness: 1.5,
  width: 5,
});

/** The lines as plotly.js takes them. @param {Series[]} lines */
export function traces(lines) {
  return lines.flatMap(
    ({ name, x, y, said, color = "accent", width = 2, dash = "solid", low, high, marks, silent, error }) => {
      /** @param {(number | null)[]} values @param {object} fill */
      const edge = (values, fill) => ({
        x,
        y: values,
        mode: "lines",
        line: { color: hue(color, 0.55), width: 0.75 },
        hoverinfo: "skip",
        ...fill,
      });
      const band = low && high ? [edge(low, {}), edge(high, { fill: "tonexty", fillcolor: hue(color, 0.22) })] : [];
      return [
        ...band,
        {
          name,
          x,
          y,
          mode: [(width || !marks) && "lines", marks && "markers"].filter(Boolean).join("+"),
          line: { color: hue(color), width, dash },
          marker: { color: hue(color), symbol: marks, size: width ? 5 : 11 },
          connectgaps: false,
          ...(silent || !said ? { hoverinfo: "skip" } : hoverText(said, color)),
          ...(error ? { error_y: errorBars(y, error, color) } : {}),
        },
      ];
    },
  );
}

/**
 * @param {[low: number, high: number]} range
 * @param {boolean | undefined} log
 * @param {(value: number, step: number) => string} text
 * @param {number} most
 */
function axis([low, high], log, text, most) {
  const { step, at } = log ? { step: 0, at: decades(low, high, most) } : ticks(low, high, most);
  return {
    type: log ? "log" : "linear",
    range: log ? [Math.log10(low), Math.log10(high)] : [low, high],
    tickvals: at,
    ticktext: at.map((v) => text(v, step || v)),
    fixedrange: true,
    zeroline: false,
    showline: false,
    gridcolor: hue("line"),
    tickfont: { size: 12, color: hue("ink-2") },
    ticks: "outside",
    ticklen: 5,
    tickcolor: "rgba(0,0,0,0)",
    automargin: false,
  };
}

/**
 * Axes, margins and labels as plotly.js takes them.
 * @param {Series[]} lines @param {ChartLook} look @param {number} width
 */
export function layout(lines, look, width) {
  const height = look.height ?? 200;
  const sides = limits(
    lines.flatMap(({ y, low, high, error }) => [y, low, high, error?.low, error?.high]),
    look,
  );
  const fromZero = !look.acrossLog && !look.rangeless;
  const places = lines.map(({ x }) => x);
  const over = limits(places, { log: look.acrossLog, from: fromZero ? 0 : undefined });
  if (fromZero) over[1] = extent(places, false)[1] || 1;
  const y = axis(sides, look.log, look.text, Math.max(2, Math.round(height / 42)));
  const margin = { l: 16 + 7 * Math.max(3, ...y.ticktext.map((t) => t.length)), r: 14, t: 8, b: 44 };
  const labels = lines.filter((line) => line.label && line.y.length);
  const brief = width < 560;
  /** @param {Series} line */
  const nameOf = (line) => (brief ? line.short : line.label) ?? "";
  if (labels.length) margin.r = 12 + 7.2 * Math.max(...labels.map((line) => nameOf(line).length));
  /** @param {number} v */
  const across = (v) => (look.acrossLog ? count(v) : count(Number(v.toPrecision(6))));
  return {
    width,
    height,
    margin,
    showlegend: false,
    hovermode: look.rangeless ? "closest" : "x",
    dragmode: false,
    hoverdistance: 60,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: hue("ink-2") },
    hoverlabel: {
      bgcolor: hue("paper"),
      bordercolor: hue("line-2"),
      align: "left",
      namelength: 0,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: hue("ink") },
    },
    xaxis: {
      ...axis(over, look.acrossLog, across, Math.max(2, Math.round(width / 130))),
      showgrid: Boolean(look.rangeless),
      title: { text: look.across, standoff: 4, font: { size: 12, color: hue("ink-2") } },
    },
    yaxis: y,
    annotations: ends(labels, sides, look.log, height - margin.t - margin.b).map(([line, place]) => ({
      text: plain(nameOf(line)),
      xref: "paper",
      x: 1,
      xanchor: "left",
      xshift: 5,
      yref: "paper",
      y: place,
      yanchor: "middle",
      showarrow: false,
      font: { size: 12, color: hue(line.color ?? "accent") },
    })),
  };
}

/**
 * Where the names of lines stand, beside their ends and apart from one another: shares of the height.
 * @param {Series[]} lines
 * @param {[low: number, high: number]} range
 * @param {boolean | undefined} log
 * @param {number} pixels
 * @returns {[Series, number][]}
 */
function ends(lines, [low, high], log, pixels) {
  /** @param {number} v */
  const share = (v) => (log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
  /** @param {Series} line */
  const last = (line) => line.y.findLast((v) => v !== null && !(log && v <= 0)) ?? low;
  const placed = lines
    .map((line) => /** @type {[Series, number]} */ ([line, share(last(line))]))
    .sort((a, b) => a[1] - b[1]);
  const gap = GAP / pixels;
  for (let i = 1; i < placed.length; i++) placed[i][1] = Math.max(placed[i][1], placed[i - 1][1] + gap);
  let most = 1; // what was pushed over the top comes down again, and pushes what is below it
  for (const entry of placed.reverse()) {
    entry[1] = Math.min(entry[1], most);
    most = entry[1] - gap;
  }
  return placed;
}
