// Draws the figures that lie in the page as charts with one cursor. Without it the tables remain.
import { axisText, told } from "./chart-figures.js";
import { marksPlugin } from "./chart-marks.js";
import { look } from "./chart-zoom.js";
import { keepUp } from "./chart-live.js";

const AXIS = 56;
const X_AXIS = 36;
const MARGIN = 12;
const HEIGHT = 176;
const SYNC = uPlot.sync("history");
let drawn = new Map();
let data = null;

function style(name) {
  return getComputedStyle(document.querySelector(".charts")).getPropertyValue(name);
}

// A canvas does not understand light-dark(): let the browser work the colour out.
function colour(value) {
  const probe = document.createElement("i");
  probe.style.color = value;
  document.querySelector(".charts").append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// A value with nothing known on either side has no line to be seen in: it is a dot.
function lonely(u, series) {
  const values = u.data[series];
  const found = [];
  for (let i = 0; i < values.length; i++)
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  return found;
}

function seriesOf(line, kind) {
  const stroke = colour(style(`--hue-${line.hue}`));
  return {
    stroke, width: 1.75, dash: line.dash, spanGaps: false,
    paths: kind === "count" ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
    points: { size: 5, fill: stroke, show: true, filter: lonely },
  };
}

function axes(kind) {
  const stroke = colour("var(--soft)");
  const grid = { stroke: colour("var(--hair)"), width: 1 };
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return [
    { stroke, font, grid: { show: false }, ticks: { stroke: grid.stroke, size: 4 }, space: 64, size: X_AXIS, values: hours },
    { stroke, font, grid, ticks: { show: false }, size: AXIS, space: 36, incrs: incrs(kind), values: (u, splits) => splits.map((v) => axisText(kind, v)) },
  ];
}

// Times are divided as clocks are, not by tens.
function incrs(kind) {
  if (kind !== "ms") return undefined;
  const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000];
  return [1, 2, 5, 10, 20, 50, 100, 200, 500, ...seconds.map((s) => s * 1000)];
}

function hours(u, splits, _axis, _space, step) {
  const ofDay = { hour: "2-digit", minute: "2-digit", ...(step < 60 && { second: "2-digit" }), hourCycle: "h23" };
  const parts = step >= 86400 ? { month: "short", day: "numeric" } : ofDay;
  const format = new Intl.DateTimeFormat(undefined, { ...parts, timeZone: data.zone });
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: data.zone });
  let before = "";
  return splits.map((at) => {
    const today = day.format(at * 1000);
    const text = format.format(at * 1000);
    const first = today !== before && step < 86400 && data.until - data.since > 86400;
    before = today;
    return first ? `${text}\n${today}` : text;
  });
}

// Whole shares, and nothing that starts above nought: a difference must look as large as it is.
function span(kind) {
  if (kind === "share") return () => [0, 1];
  return (_u, _low, high) => [0, high > 0 ? high * 1.08 : 1];
}

function options(chart, plot) {
  return {
    width: plot.clientWidth, height: HEIGHT, padding: [8, MARGIN, 0, 0], legend: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), data.zone),
    scales: { x: { range: () => [data.since, data.until] }, y: { range: span(chart.kind) } },
    axes: axes(chart.kind),
    series: [{}, ...chart.lines.map((line) => seriesOf(line, chart.kind))],
    cursor: { sync: { key: SYNC.key, setSeries: false }, drag: { x: true, y: false, setScale: false }, y: false, points: { size: 7 } },
    hooks: { setCursor: [read], setSelect: [zoomed] },
    plugins: [marksPlugin(() => data.marks, (tone) => colour(`var(--${tone})`))],
  };
}

function zoomed(u) {
  if (u.select.width < 8) return;
  look(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"), data);
}

// Says beside the lines' names what they are where the cursor is, and what the machines did.
function read(u) {
  const figure = u.root.closest("[data-chart]");
  const { idx } = u.cursor;
  const here = idx != null && u.cursor.left >= 0;
  const chart = data.charts.find((c) => c.key === figure.dataset.chart);
  outputs(chart.key).forEach((output, i) => {
    output.textContent = here ? told(chart.kind, chart.lines[i].values[idx]) : chart.lines[i].total;
  });
  const reading = document.getElementById("reading");
  reading.textContent = here ? when(idx) : reading.dataset.rest;
}

function outputs(key) {
  return document.querySelectorAll(`[data-chart="${key}"] output`);
}

function when(idx) {
  const did = data.did.filter((row) => row.told[idx]).map((row) => `${row.name} ${row.told[idx]}`);
  return [data.slots[idx], ...did].join(" · ");
}

function columns(chart) {
  return [data.at, ...chart.lines.map((line) => line.values)];
}

function clear() {
  for (const plot of drawn.values()) plot.destroy();
  drawn = new Map();
}

function draw() {
  const source = document.getElementById("history-drawing");
  if (!source) return;
  clear();
  data = JSON.parse(source.textContent);
  for (const chart of data.charts) {
    const plot = document.querySelector(`[data-chart="${chart.key}"] .plot`);
    if (plot) drawn.set(chart.key, new uPlot(options(chart, plot), columns(chart), plot));
    chart.lines.forEach((line, i) => { outputs(chart.key)[i].textContent = line.total; });
  }
}

function resize() {
  for (const plot of drawn.values()) plot.setSize({ width: plot.root.parentElement.clientWidth, height: HEIGHT });
}

function step(event) {
  const plot = event.target.closest?.(".plot");
  const moves = { ArrowLeft: -1, ArrowRight: 1 };
  if (!plot || !(event.key in moves)) return;
  event.preventDefault();
  const chart = drawn.get(plot.closest("[data-chart]").dataset.chart);
  const last = data.at.length - 1;
  const idx = Math.min(last, Math.max(0, (chart.cursor.idx ?? last) + moves[event.key]));
  chart.setCursor({ left: chart.valToPos(Math.max(data.at[idx], data.since), "x"), top: 20 });
}

draw();
keepUp(draw);
addEventListener("resize", resize);
addEventListener("keydown", step);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
