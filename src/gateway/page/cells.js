// SPDX-License-Identifier: Apache-2.0
// Cells as cards, made once and then kept up to date, and the numbers of all of them.

const CELL_STATES = { ready: "good", starting: "warn", unavailable: "bad" };
const BREAKER_STATES = { closed: "", "half-open": "warn", open: "bad" };
const WORKER_STATES = ["busy", "idle", "preparing", "dead", "closing", "empty"];
const METHODS_SHOWN = 25;

const failing = rate => (rate > 0 ? "bad" : "");

/* A number, its chart, its words. */
class Gauge {
  constructor(element, label, name, valueName) {
    this.label = label;
    this.value = make(`div.${valueName}`);
    this.line = new Line(name);
    this.below = make("p.more");
    this.element = put(element, [make("p.label", label), this.value, this.line.element]);
  }

  show(measure, points, now) {
    sayMeasure(this.value, measure);
    const most = Math.max(0, ...points.map(p => p.value ?? 0));
    this.line.draw(points, now, `${this.label}: ${measure[0] === NONE ? "no calls" : joined(measure)}; most in the last 3 minutes ${joined(this.format(most))}`);
    return this;
  }

  as(format) {
    this.format = format;
    return this;
  }
}

const tiles = {
  rate: new Gauge(make("div.card.tile"), "Calls per second", "", "big").as(count),
  p99: new Gauge(make("div.card.tile"), "p99 latency", "", "big").as(duration),
  failed: new Gauge(make("div.card.tile"), "Failed per second", "bad", "big").as(count),
  flight: new Gauge(make("div.card.tile"), "In flight", "", "big").as(count),
};

function showTiles(stats, shown, now) {
  const flights = lines.get("flight") || [];
  flights.push({ at: now, value: stats.requests_in_flight });
  while (now - flights[0].at > CHART_MS + GAP_MS) flights.shift();
  lines.set("flight", flights);
  tiles.rate.show(count(shown.all.rate), lineOf("", "rate"), now);
  tiles.p99.show(duration(shown.all.p99), lineOf("", "p99"), now);
  tiles.failed.show(count(shown.all.failed), lineOf("", "failed"), now);
  tiles.flight.show(count(stats.requests_in_flight), flights, now);
}

/* A <dd> to be kept up to date. */
function fact(list, term) {
  const value = make("dd");
  list.append(make("div", [make("dt", term), value]));
  return value;
}

const COLUMNS = [
  { key: "method", title: "Method", of: row => row.method.method },
  { key: "calls", title: "Calls", of: row => row.method.calls, text: row => joined(count(row.method.calls)), wide: true },
  { key: "rate", title: "/s", of: row => row.now.rate ?? -1, text: row => joined(count(row.now.rate)) },
  { key: "p50", title: "p50", of: row => row.method.p50_us, text: row => joined(duration(row.method.calls ? row.method.p50_us * 1e3 : null)), wide: true },
  { key: "p99", title: "p99", of: row => row.method.p99_us, text: row => joined(duration(row.method.calls ? row.method.p99_us * 1e3 : null)) },
  { key: "failed", title: "Failed", of: row => failedOf(row.method), text: row => joined(count(failedOf(row.method))), bad: row => failedOf(row.method) > 0 },
];

/* The methods of a cell; each opens to its histogram and how its calls ended. */
class Methods {
  constructor(cell) {
    this.sort = { key: "calls", down: true };
    this.open = new Set();
    this.every = false;
    this.rows = new Map();
    this.summary = make("span");
    this.heads = COLUMNS.map(column => make(`th${column.wide ? ".wide-only" : ""}`, make("button", column.title, { type: "button" }), { scope: "col" }));
    this.heads.forEach((head, i) => head.firstChild.addEventListener("click", () => this.order(COLUMNS[i].key)));
    this.body = make("tbody");
    this.all = make("button.plain.all", "", { type: "button", hidden: true });
    this.all.addEventListener("click", () => { this.every = true; this.show(); });
    this.element = make("details", [make("summary", this.summary),
      make("div.scroll", make("table", [make("caption", `Methods of ${cell.cell} since its start; times are from request to answer`),
        make("thead", make("tr", this.heads)), this.body])), this.all]);
    this.element.addEventListener("toggle", () => this.show());
  }

  order(key) {
    this.sort = { key, down: this.sort.key === key ? !this.sort.down : key !== "method" };
    this.show();
  }

  row(name) {
    const button = make("button", name, { type: "button", "aria-expanded": "false" });
    const cells = COLUMNS.slice(1).map(column => make(`td${column.wide ? ".wide-only" : ""}`));
    const row = { head: make("tr", [make("th", button, { scope: "row" }), cells]), cells, button, inside: null, drawn: "" };
    button.addEventListener("click", () => {
      this.open[this.open.has(name) ? "delete" : "add"](name);
      this.show();
    });
    this.rows.set(name, row);
    return row;
  }

  inside(row, method) {
    if (!row.inside) row.inside = make("tr.inside", make("td", null, { colspan: COLUMNS.length }));
    const width = Math.max(240, Math.min(560, this.body.clientWidth));
    const drawn = `${method.calls} ${width}`;
    if (row.drawn === drawn) return row.inside;
    row.drawn = drawn;
    const p50 = method.p50_us * 1e3, p99 = method.p99_us * 1e3;
    const ended = Object.entries(method.ended).filter(([, n]) => n > 0).map(([name, n]) => [name, joined(count(n)), name === "done" ? "" : "bad"]);
    const what = ["function", make("span.mono", method.function)];
    row.inside.firstChild.replaceChildren(...(method.calls ? [histogram(method.buckets, this.shown.bounds, p50, p99, width),
      facts([what, ["calls", joined(count(method.calls))], ["average", joined(duration(method.average_us * 1e3))],
        ["p50", joined(duration(p50))], ["p99", joined(duration(p99))], ...ended, ["errors", method.errors ? joined(count(method.errors)) : "", "bad"]])]
      : [make("p.soft", "It has not been called."), facts([what])]));
    return row.inside;
  }

  update(cell, shown) {
    this.cell = cell;
    this.shown = shown;
    const called = cell.methods.filter(m => m.calls > 0).length;
    say(this.summary, `${plural(cell.methods.length, "method")}, ${called} called`);
    if (this.element.open) this.show();
  }

  show() {
    if (!this.element.open || !this.cell) return;
    const column = COLUMNS.find(c => c.key === this.sort.key);
    const rows = this.cell.methods.map(method => ({ method, now: this.shown.method(this.cell, method) }));
    const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    rows.sort((a, b) => (this.sort.down ? -1 : 1) * compare(column.of(a), column.of(b)) || compare(a.method.method, b.method.method));
    COLUMNS.forEach((c, i) => {
      if (c === column) this.heads[i].setAttribute("aria-sort", this.sort.down ? "descending" : "ascending");
      else this.heads[i].removeAttribute("aria-sort");
    });
    const visible = this.every ? rows : rows.slice(0, METHODS_SHOWN);
    this.all.hidden = visible.length === rows.length;
    say(this.all, `Show all ${rows.length} methods`);
    const wanted = [];
    for (const data of visible) {
      const name = data.method.method;
      const row = this.rows.get(name) || this.row(name);
      COLUMNS.slice(1).forEach((c, i) => {
        say(row.cells[i], c.text(data));
        row.cells[i].classList.toggle("bad", Boolean(c.bad && c.bad(data)));
      });
      row.head.classList.toggle("soft", data.method.calls === 0);
      row.button.setAttribute("aria-expanded", String(this.open.has(name)));
      wanted.push(row.head);
      if (this.open.has(name)) wanted.push(this.inside(row, data.method));
    }
    arrange(this.body, wanted);
  }
}

/* Children as wanted, moving only those that are elsewhere: what has the focus keeps it. */
function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  wanted.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] || null);
  });
}

/* The workers of a cell, one row each. */
class Workers {
  constructor(cell) {
    this.crew = make("ul", null, { "aria-hidden": "true" });
    this.words = make("span");
    this.strip = make("div.crew", [this.crew, this.words]);
    this.body = make("tbody");
    this.summary = make("span");
    this.element = make("details", [make("summary", this.summary),
      make("div.scroll", make("table", [make("caption", `Workers of ${cell.cell}`),
        make("thead", make("tr", ["Process", "State", "In flight", "Memory", "Client"].map(title => make("th", title, { scope: "col" })))), this.body]))]);
    this.element.addEventListener("toggle", () => this.show());
  }

  update(cell) {
    this.workers = cell.workers;
    const counts = WORKER_STATES.map(state => [state, cell.workers.filter(w => w.state === state).length]).filter(([, n]) => n > 0);
    say(this.words, counts.map(([state, n]) => `${n} ${state === "empty" ? "not needed yet" : state}`).join(" \u00b7 "));
    const shared = cell.workers.length - cell.client_workers;
    say(this.summary, plural(shared, "shared worker") + (cell.client_workers ? `, ${plural(cell.client_workers, "client's own", "clients' own")}` : ""));
    while (this.crew.children.length > cell.workers.length) this.crew.lastChild.remove();
    cell.workers.forEach((worker, i) => mark(this.crew.children[i] || this.crew.appendChild(make("li")), worker.state));
    this.show();
  }

  show() {
    if (!this.element.open || !this.workers) return;
    while (this.body.children.length > this.workers.length) this.body.lastChild.remove();
    this.workers.forEach((worker, i) => {
      const row = this.body.children[i] || this.body.appendChild(make("tr", [make("th", null, { scope: "row" }), make("td", make("span")), make("td"), make("td"), make("td")]));
      const [pid, state, flight, bytes, client] = row.children;
      say(pid, worker.pid ? String(worker.pid) : NONE);
      say(state.firstChild, worker.state);
      mark(state.firstChild, `tag ${{ idle: "good", busy: "busy", preparing: "warn", dead: "bad" }[worker.state] || ""}`.trim());
      say(flight, String(worker.in_flight));
      say(bytes, worker.memory_bytes ? joined(memory(worker.memory_bytes)) : NONE);
      say(client, worker.client_pid === null ? "shared" : String(worker.client_pid));
    });
  }
}

class Cell {
  constructor(cell) {
    const list = make("dl.facts");
    this.state = make("span.tag");
    this.from = make("p.from");
    this.rate = new Gauge(make("div"), "Calls/s", "", "value").as(count);
    this.p99 = new Gauge(make("div"), "p99", "", "value").as(duration);
    this.failed = new Gauge(make("div"), "Failed/s", "bad", "value").as(count);
    this.p50 = fact(list, "p50");
    this.flight = fact(list, "In flight");
    this.queue = fact(list, "Queue");
    this.memory = fact(list, "Memory");
    this.breaker = fact(list, "Breaker");
    this.restarts = fact(list, "Restarts");
    this.workers = new Workers(cell);
    this.methods = new Methods(cell);
    this.last = make("p.last", null, { hidden: true });
    const title = make("h3", cell.cell);
    title.id = `cell-${nextId++}`;
    this.element = make("article.card.cell", make("div.strip", [
      make("div.who", [make("div.row", [title, this.state]), this.from, this.workers.strip]),
      make("div.trio", [this.rate.element, this.p99.element, this.failed.element]), list,
      make("div.drill", [this.methods.element, this.workers.element, this.last])]), { "aria-labelledby": title.id });
  }

  update(cell, shown, now) {
    const change = shown.cell(cell);
    say(this.state, cell.state);
    mark(this.state, `tag ${CELL_STATES[cell.state] || ""}`);
    const from = [baseName(cell.library) || "the C library", `level ${cell.level}`, ...(cell.generation > 1 ? [`generation ${cell.generation}`] : [])];
    if (this.from.dataset.is !== from.join()) {
      this.from.dataset.is = from.join();
      this.from.replaceChildren(make("span.mono", from[0], { title: cell.library }), ...from.slice(1).map(text => make("span", text)));
    }
    this.rate.show(count(change.rate), lineOf(cell.cell, "rate"), now);
    this.p99.show(duration(change.p99), lineOf(cell.cell, "p99"), now);
    this.failed.show(count(change.failed), lineOf(cell.cell, "failed"), now);
    mark(this.failed.value, `value ${failing(change.failed)}`.trim());
    say(this.p50, joined(duration(change.p50)));
    say(this.flight, String(cell.in_flight));
    say(this.queue, String(cell.queue));
    mark(this.queue, cell.queue > 0 ? "warn" : "");
    say(this.memory, joined(memory(cell.memory_bytes)));
    say(this.breaker, cell.breaker === "closed" && cell.breakers_open > 0 ? `open for ${plural(cell.breakers_open, "method")}` : cell.breaker);
    mark(this.breaker, cell.breakers_open > 0 && cell.breaker === "closed" ? "warn" : BREAKER_STATES[cell.breaker] || "");
    say(this.restarts, String(cell.restarts));
    mark(this.restarts, cell.restarts > 0 ? "warn" : "");
    this.showLast(cell);
    this.workers.update(cell);
    this.methods.update(cell, shown);
  }

  showLast(cell) {
    const end = cell.last_end;
    this.last.hidden = !end && !cell.last_report;
    if (this.last.hidden) return;
    if (this.last.dataset.is !== `${cell.last_report}`) {
      this.last.dataset.is = `${cell.last_report}`;
      this.lastWords = make("span");
      this.lastAgo = make("span.soft");
      this.last.replaceChildren(this.lastWords, " ", this.lastAgo, ...(cell.last_report ? [" \u00b7 ", make("a", "report", { href: `#report/${cell.last_report}` })] : []));
    }
    say(this.lastWords, end ? `Last end: ${end.outcome} in ${end.method}` : "Last end");
    say(this.lastAgo, end ? ago(end.ago_ms) : "");
  }
}

let nextId = 1;
const cards = new Map();

function showCells(stats, shown, now) {
  const wanted = stats.cells.map(cell => {
    if (!cards.has(cell.cell)) cards.set(cell.cell, new Cell(cell));
    cards.get(cell.cell).update(cell, shown, now);
    return cards.get(cell.cell).element;
  });
  for (const name of [...cards.keys()]) if (!stats.cells.some(cell => cell.cell === name)) cards.delete(name);
  arrange(byId("cells"), wanted);
}
