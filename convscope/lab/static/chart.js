/**
 * Charts by plotly.js, which is loaded once, here, and only where a chart is shown. They are drawn at most once
 * a second, never in a hidden tab, and nothing in them moves by itself.
 *
 * @typedef {{name: string, x: number[], y: (number | null)[], said?: string[], color?: string, width?: number, dash?: string,
 *   low?: (number | null)[], high?: (number | null)[], marks?: string, silent?: boolean, label?: string, short?: string,
 *   error?: {low: number[], high: number[]}}} Line  color names a CSS variable; low and high are drawn as a band, error as bars
 * @typedef {{across: string, text: (value: number, step: number) => string, height?: number, log?: boolean, acrossLog?: boolean,
 *   from?: number, to?: number, empty?: string, rangeless?: boolean}} Look  text sets a value, given the distance between two
 * @typedef {{element: HTMLElement, draw: (lines: Line[], change?: Partial<Look>) => void, again: () => void, stop: () => void}} Chart
 */

import { el, say, styles } from "./element.js";
import { count } from "./numbers.js";

const BETWEEN = 1000; // milliseconds between two drawings, and
const SHARE = 10,
  MOST = 2000; // so many times the last one's duration, up to so many milliseconds: a training needs the processor more
const GAP = 15; // pixels between two labels at the end of lines
/** @type {Promise<any> | null} */
let loading = null;

/** What plotly adds rules to the page by, unless it finds it there: its own rules, and those of its maps. The page's policy forbids both; chart.css has what is needed. */
const RULES = ["plotly.js-style-global", "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53"];

function library() {
  loading ??= new Promise((resolve, reject) => {
    document.head.append(
      ...RULES.filter((id) => !document.getElementById(id)).map((id) => el("link", { id, class: "no-inline-styles" })),
    );
    const script = el("script", { src: "/plotly.js" });
    script.addEventListener("load", () => resolve(/** @type {any} */ (window).Plotly));
    script.addEventListener("error", () =>
      reject(new Error("The library of charts could not be loaded. Load the page again.")),
    );
    document.head.append(script);
  });
  loading.catch(() => (loading = null));
  return loading;
}

/**
 * A chart with its heading. `draw` may be called as often as there is something new.
 * @param {string} title
 * @param {Look} look
 * @param {{note?: string, tools?: Node | null, name?: string}} [more]  name: a class for the layout
 * @returns {Chart}
 */
export function chart(title, look, { note = "", tools = null, name = "" } = {}) {
  const plot = el("div", { class: "plot", tabindex: 0, role: "img" });
  const none = el("p", { class: "caption none" }, look.empty ?? "Nothing to draw yet.");
  const element = el(
    "figure",
    { class: `card chart ${name}` },
    el("div", { class: "row head" }, el("h3", {}, title), tools),
    none,
    plot,
    note ? el("figcaption", { class: "caption" }, note) : null,
  );
  plot.hidden = true;
  const held = { title, plot, none, look, lines: /** @type {Line[]} */ ([]), at: -1 };
  const pace = paced(() => render(held), element);
  const observer = new ResizeObserver(() => held.lines.length && plot.clientWidth !== held.width && pace.soon());
  observer.observe(element);
  plot.addEventListener("keydown", (event) => readPoints(held, event));
  plot.addEventListener("blur", () => leavePoints(held));
  return {
    element,
    draw(lines, change = {}) {
      Object.assign(held.look, change);
      held.lines = lines;
      pace.soon();
    },
    again: pace.soon,
    stop() {
      pace.stop();
      observer.disconnect();
      if (held.plotly) held.plotly.purge(plot);
    },
  };
}

/** Draw soon, but not too often, and not where nobody sees it. */
function paced(act, element) {
  let timer = 0,
    last = -Infinity,
    pause = BETWEEN,
    first = true,
    busy = false,
    waiting = false,
    ended = false;
  const run = async () => {
    timer = 0;
    if (ended || document.hidden || !element.isConnected) return void (waiting = true);
    [busy, waiting] = [true, false];
    const spent = await act();
    [busy, last, pause] = [
      false,
      performance.now(),
      first ? BETWEEN : Math.min(MOST, Math.max(BETWEEN, SHARE * spent)),
    ];
    if (spent) first = false; // the first drawing makes what later ones change
    if (waiting) soon();
  };
  const soon = () => {
    if (busy || document.hidden) waiting = true;
    else if (!timer && !ended) timer = setTimeout(run, Math.max(0, last + pause - performance.now()));
  };
  const seen = () => !document.hidden && waiting && soon();
  document.addEventListener("visibilitychange", seen);
  return {
    soon,
    stop() {
      ended = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    },
  };
}

/** @returns {Promise<number>} the milliseconds that it took */
async function render(held) {
  const { lines, plot, none, look, title } = held;
  const some = lines.some((line) => line.y.some((v) => v !== null));
  [plot.hidden, none.hidden] = [!some, some];
  if (!some) return 0;
  try {
    const [plotly] = await Promise.all([library(), styles("chart.css")]);
    const began = performance.now();
    held.width = plot.clientWidth;
    if (!held.width) return 0;
    plot.setAttribute(
      "aria-label",
      `${title}. ${lines
        .filter((line) => !line.silent)
        .map((line) => range(line, look))
        .join("; ")}. The arrow keys read the points.`,
    );
    await plotly.react(plot, traces(lines, look), layout(lines, look, held.width), { displayModeBar: false });
    held.plotly = plotly;
    return performance.now() - began;
  } catch (error) {
    [plot.hidden, none.hidden] = [true, false];
    none.textContent = error.message;
    return 0;
  }
}

/** What the line says in words: "validation from 65.4% to 98.3%, between 65.4% and 98.9%". */
function range({ name, y, low: lows, high: highs }, { text }) {
  const known = y.filter((v) => v !== null);
  if (!known.length) return `${name}: nothing yet`;
  const [low, high] = extent([y, lows, highs], false);
  const told = (v) => text(v, Math.abs(v) / 1000 || 1);
  return known.length < 2
    ? `${name} ${told(low)}`
    : `${name} from ${told(known[0])} to ${told(known[known.length - 1])}, between ${told(low)} and ${told(high)}`;
}

/** A color of the theme. @param {string} name @param {number} [alpha] */
export function hue(name, alpha = 1) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return alpha === 1 ? hex : `rgba(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(",")},${alpha})`;
}

const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\n", "<br>");

function traces(lines, look) {
  return lines.flatMap(
    ({ name, x, y, said, color = "accent", width = 2, dash = "solid", low, high, marks, silent, error }) => {
      const edge = (values, fill) => ({
        x,
        y: values,
        mode: "lines",
        line: { color: hue(color, 0.55), width: 0.75 },
        hoverinfo: "skip",
        ...fill,
      });
      const band = low && high ? [edge(low, {}), edge(high, { fill: "tonexty", fillcolor: hue(color, 0.22) })] : [];
      const spoken =
        silent || !said
          ? { hoverinfo: "skip" }
          : { text: said.map(plain), hovertemplate: "%{text}<extra></extra>", hoverlabel: { bordercolor: hue(color) } };
      const bars = error
        ? {
            error_y: {
              type: "data",
              symmetric: false,
              array: error.high.map((v, i) => v - (y[i] ?? v)),
              arrayminus: error.low.map((v, i) => (y[i] ?? v) - v),
              color: hue(color),
              thickness: 1.5,
              width: 5,
            },
          }
        : {};
      return [
        ...band,
        {
          name,
          x,
          y,
          mode: marks ? (width ? "lines+markers" : "markers") : "lines",
          line: { color: hue(color), width, dash },
          marker: { color: hue(color), symbol: marks, size: width ? 5 : 11 },
          connectgaps: false,
          ...spoken,
          ...bars,
        },
      ];
    },
  );
}

/** The extent of all that is drawn. */
function extent(lists, log) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists)
    for (const v of list ?? []) {
      if (v === null || !Number.isFinite(v) || (log && v <= 0)) continue;
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
  return low > high ? [log ? 0.1 : 0, 1] : [low, high];
}

/** Round places between low and high, as many as fit, and the distance between them. */
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = ten * /** @type {number} */ ([1, 2, 5, 10].find((k) => k * ten >= rough * 0.999));
  const first = Math.ceil(low / step - 1e-9);
  return {
    step,
    at: Array.from({ length: Math.max(0, Math.floor(high / step + 1e-9) - first + 1) }, (_, i) => (first + i) * step),
  };
}

/** Powers of ten, and their doubles and fivefolds where there are few. */
function decades(low, high, most) {
  const powers = Array.from(
    { length: Math.floor(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
    (_, i) => 10 ** (Math.floor(Math.log10(low)) + i),
  );
  const inside = (list) => list.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  const all = inside(powers.flatMap((p) => [p, 2 * p, 5 * p])),
    whole = inside(powers);
  if (all.length < 2) return ticks(low, high, most).at;
  if (all.length <= most + 1) return all;
  return whole.filter((_, i) => i % Math.ceil(whole.length / most) === 0);
}

/** @returns {[number, number]} what the axis shows */
function limits(lists, { log = false, from = undefined, to = undefined }) {
  let [low, high] = extent(lists, log);
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.04, high * (high / low) ** 0.04];
  low = Math.min(low, from ?? low);
  const room = 0.04 * (high - low || Math.abs(high) || 1);
  return [from === undefined || low < from ? low - room : from, Math.min(high + room, Math.max(to ?? Infinity, high))];
}

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

function layout(lines, look, width) {
  const height = look.height ?? 200;
  const sides = limits(
    lines.flatMap(({ y, low, high, error }) => [y, low, high, error?.low, error?.high]),
    look,
  );
  const over = limits(
    lines.map(({ x }) => x),
    { log: look.acrossLog, from: look.acrossLog || look.rangeless ? undefined : 0 },
  );
  if (!look.acrossLog && !look.rangeless)
    over[1] =
      extent(
        lines.map(({ x }) => x),
        false,
      )[1] || 1;
  const y = axis(sides, look.log, look.text, Math.max(2, Math.round(height / 42)));
  const margin = { l: 16 + 7 * Math.max(3, ...y.ticktext.map((t) => t.length)), r: 14, t: 8, b: 44 };
  const labels = lines.filter((line) => line.label && line.y.length);
  const brief = width < 560;
  if (labels.length)
    margin.r = 12 + Math.max(...labels.map((line) => 7.2 * ((brief ? line.short : line.label) ?? "").length));
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
      text: plain((brief ? line.short : line.label) ?? ""),
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

/** Where the names of lines stand, beside their ends and apart from one another: shares of the height. */
function ends(lines, [low, high], log, pixels) {
  const share = (v) => (log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
  const last = (line) => line.y.reduce((kept, v) => (v === null || (log && v <= 0) ? kept : v), low);
  const placed = lines
    .map((line) => /** @type {[any, number]} */ ([line, share(last(line))]))
    .sort((a, b) => a[1] - b[1]);
  const gap = GAP / pixels;
  placed.forEach((one, i) => i && (one[1] = Math.max(one[1], placed[i - 1][1] + gap)));
  const over = (placed.at(-1)?.[1] ?? 0) - 1;
  if (over > 0)
    for (let i = placed.length - 1, most = 1; i >= 0; i--, most = placed[i + 1][1] - gap)
      placed[i][1] = Math.min(placed[i][1], most);
  return placed;
}

/** ← and → go from point to point, Home and End to the ends; each is said. */
function readPoints(held, event) {
  const line = held.lines.find((one) => one.said && !one.silent);
  const { length } = line?.x ?? [];
  const to = { ArrowLeft: held.at - 1, ArrowRight: held.at + 1, Home: 0, End: length - 1 }[event.key];
  if (to === undefined || !length || !held.plotly) return;
  event.preventDefault();
  held.at = Math.max(0, Math.min(length - 1, held.at < 0 && event.key === "ArrowLeft" ? length - 1 : to));
  held.plotly.Fx.hover(held.plot, { xval: line.x[held.at] });
  say(line.said[held.at].replaceAll("\n", ", "));
}

function leavePoints(held) {
  held.at = -1;
  held.plotly?.Fx.unhover(held.plot);
}
