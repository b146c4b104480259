// SPDX-License-Identifier: Apache-2.0
// Charts: lines of the last minutes, bars of a latency histogram.

const CHART_MS = 180e3, CHART_LEAST_MS = 30e3, GAP_MS = 15e3, CHART_WIDTH = 300, CHART_HEIGHT = 40;

/* A line by time. draw([{ at, value }], now, words): value null is a gap. */
class Line {
  constructor(name = "") {
    this.base = draw("line", { class: "base", x1: 0, x2: CHART_WIDTH, y1: CHART_HEIGHT - 0.5, y2: CHART_HEIGHT - 0.5 });
    this.wash = draw("path", { class: "wash" });
    this.stroke = draw("path", { class: "stroke" });
    this.element = draw("svg", { class: `chart ${name}`.trim(), viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, preserveAspectRatio: "none", role: "img" },
      [this.base, this.wash, this.stroke]);
  }

  draw(points, now, words) {
    const most = Math.max(1e-9, ...points.map(p => p.value ?? 0));
    const range = points.length ? Math.min(CHART_MS, Math.max(CHART_LEAST_MS, now - points[0].at)) : CHART_MS;
    const x = at => (CHART_WIDTH * (1 - (now - at) / range)).toFixed(1);
    const y = value => (CHART_HEIGHT - 1 - (CHART_HEIGHT - 4) * (value / most)).toFixed(1);
    const runs = [];
    let before = null;
    for (const point of points) {
      if (point.value !== null && now - point.at <= range) {
        if (!before || before.value === null || point.at - before.at > GAP_MS) runs.push([]);
        runs[runs.length - 1].push(`${x(point.at)},${y(point.value)}`);
        if (runs[runs.length - 1].length === 1) runs[runs.length - 1].at = point.at;
        runs[runs.length - 1].end = point.at;
      }
      before = point;
    }
    this.stroke.setAttribute("d", runs.map(run => (run.length === 1 ? `M${run[0]}h1.2` : `M${run.join("L")}`)).join(""));
    this.wash.setAttribute("d", runs.filter(run => run.length > 1)
      .map(run => `M${x(run.at)},${CHART_HEIGHT}L${run.join("L")}L${x(run.end)},${CHART_HEIGHT}Z`).join(""));
    this.element.classList.toggle("flat", most <= 1e-9);
    this.element.setAttribute("aria-label", words);
  }
}

const BARS_HEIGHT = 104, BARS_FLOOR = 84, BARS_TOP = 16;

/* How often a call took how long: a bar is an octave, the axis logarithmic. @width: pixels. */
function histogram(buckets, bounds, p50, p99, width) {
  const octaves = [];
  buckets.forEach((n, i) => { octaves[Math.ceil(i / 4)] = (octaves[Math.ceil(i / 4)] || 0) + n; });
  const first = Math.max(0, octaves.findIndex(n => n > 0) - 1);
  const last = Math.max(octaves.length, first + 8);
  const most = Math.max(1, ...octaves.filter(Boolean));
  const step = width / (last - first);
  const lowest = bounds[0] * 2 ** (first - 1);
  const place = ns => Math.min(width, Math.max(0, Math.log2(ns / lowest) * step));
  const bars = octaves.map((n, i) => ({ n, i })).filter(({ n, i }) => n > 0 && i >= first).map(({ n, i }) => {
    const height = Math.max(1.5, (BARS_FLOOR - BARS_TOP) * n / most);
    const bar = draw("rect", { x: ((i - first) * step + 1).toFixed(1), y: (BARS_FLOOR - height).toFixed(1), width: Math.max(1, step - 2).toFixed(1), height: height.toFixed(1), rx: 2 });
    return put(bar, draw("title", {}, `${n.toLocaleString("en")} took up to ${joined(duration(bounds[0] * 2 ** i))}`));
  });
  const ticks = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10].filter((ns, i) => (i % 3 === 0 || step * 3.3 > 56) && ns >= lowest && place(ns) < width - 18).map(ns =>
    [draw("line", { class: "axis", x1: place(ns), x2: place(ns), y1: BARS_FLOOR, y2: BARS_FLOOR + 4 }),
      draw("text", { x: place(ns), y: BARS_FLOOR + 16, "text-anchor": place(ns) < 12 ? "start" : "middle" }, joined(duration(ns)))]);
  const marks = [["mark50", "p50", p50], ["mark99", "p99", p99]].filter(([, , ns]) => ns).map(([name, word, ns]) =>
    [draw("line", { class: name, x1: place(ns), x2: place(ns), y1: BARS_TOP - 4, y2: BARS_FLOOR }),
      draw("text", { class: "name", x: place(ns) + (word === "p50" ? -3 : 3), y: BARS_TOP - 5, "text-anchor": word === "p50" ? "end" : "start" }, word)]);
  return draw("svg", { class: "bars", width, height: BARS_HEIGHT, viewBox: `0 0 ${width} ${BARS_HEIGHT}`, role: "img",
    "aria-label": `How long calls took: half at most ${joined(duration(p50))}, 99 of 100 at most ${joined(duration(p99))}` },
  [bars, draw("line", { class: "axis", x1: 0, x2: width, y1: BARS_FLOOR, y2: BARS_FLOOR }), ticks, marks]);
}
