// SPDX-License-Identifier: Apache-2.0
// What the last answers say together: rates, and times of an interval, are differences of counts.

const WINDOW_MS = 10e3;
const recent = []; // answers of the last ten seconds and one before, oldest first: { at, stats }
const lines = new Map(); // cell, or "" for all: [{ at, rate, p99, failed }]

const failedOf = counts => counts.calls - counts.ended.done;

/* Nanoseconds that @share of the calls did not exceed; null: there were none. */
function quantile(buckets, bounds, share) {
  const total = buckets.reduce((sum, n) => sum + n, 0);
  let left = Math.ceil(total * share);
  for (let i = 0; i < buckets.length && total > 0; i++) {
    left -= buckets[i];
    if (left <= 0) return bounds[Math.min(i, bounds.length - 1)];
  }
  return null;
}

const minus = (now, before) => now.map((n, i) => Math.max(0, n - (before[i] || 0)));

/* A cell's counts of before, if they are the same counters. */
function cellBefore(stats, cell) {
  return stats.cells.find(c => c.cell === cell.cell && c.generation === cell.generation && c.calls <= cell.calls) || null;
}

/* What happened between two answers, of something with calls, ended and buckets. */
function change(now, before, seconds, bounds) {
  if (!before || seconds <= 0) return { rate: null, failed: null, p50: null, p99: null };
  const buckets = minus(now.buckets, before.buckets);
  return {
    rate: Math.max(0, now.calls - before.calls) / seconds,
    failed: Math.max(0, failedOf(now) - failedOf(before)) / seconds,
    p50: quantile(buckets, bounds, 0.5),
    p99: quantile(buckets, bounds, 0.99),
    buckets,
  };
}

/* All cells as one. */
function together(stats, before) {
  const all = { calls: 0, ended: { done: 0 }, buckets: [] };
  const old = { calls: 0, ended: { done: 0 }, buckets: [] };
  const add = (to, cell) => {
    to.calls += cell.calls;
    to.ended.done += cell.ended.done;
    cell.buckets.forEach((n, i) => { to.buckets[i] = (to.buckets[i] || 0) + n; });
  };
  for (const cell of stats.cells) {
    const was = before && cellBefore(before, cell);
    if (was) {
      add(all, cell);
      add(old, was);
    }
  }
  for (const sums of [all, old]) sums.buckets = Array.from(sums.buckets, n => n || 0);
  return [all, before && old];
}

function note(name, at, point) {
  const line = lines.get(name) || [];
  line.push({ at, rate: point.rate, p99: point.p99, failed: point.failed });
  while (line.length && at - line[0].at > CHART_MS + GAP_MS) line.shift();
  lines.set(name, line);
}

const lineOf = (name, field) => (lines.get(name) || []).map(p => ({ at: p.at, value: p[field] }));

/* Take an answer; returns what to show beside it: { all, cell(c), method(c, m) }. */
function remember(stats, at) {
  const last = recent[recent.length - 1];
  if (last && (last.stats.pid !== stats.pid || last.stats.uptime_ms > stats.uptime_ms)) recent.length = 0; // another daemon
  const before = recent.length ? recent[recent.length - 1].stats : null;
  const step = before ? (stats.uptime_ms - before.uptime_ms) / 1000 : 0;
  const bounds = stats.bucket_bounds_ns;
  const [all, allBefore] = together(stats, before);
  note("", at, change(all, allBefore, step, bounds));
  for (const cell of stats.cells) note(cell.cell, at, change(cell, before && cellBefore(before, cell), step, bounds));
  recent.push({ at, stats });
  while (recent.length > 2 && at - recent[1].at >= WINDOW_MS) recent.shift();
  const base = recent.length > 1 ? recent[0].stats : null;
  const seconds = base ? (stats.uptime_ms - base.uptime_ms) / 1000 : 0;
  const [sum, sumBefore] = together(stats, base);
  const methods = new Map(); // cell: its methods of before, by name
  return {
    bounds,
    all: change(sum, sumBefore, seconds, bounds),
    cell: cell => change(cell, base && cellBefore(base, cell), seconds, bounds),
    method(cell, method) {
      if (!methods.has(cell.cell)) {
        const was = base && cellBefore(base, cell);
        methods.set(cell.cell, new Map(was ? was.methods.map(m => [m.method, m]) : []));
      }
      return change(method, methods.get(cell.cell).get(method.method), seconds, bounds);
    },
  };
}
