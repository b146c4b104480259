// SPDX-License-Identifier: Apache-2.0
// The list of reports, and which of them is open: the address says so, #report/ID, and can be kept.

const REPORTS_PERIOD_MS = 30e3, REPORTS_SHOWN = 8, REPORT_TRIES = 10;
let reportsAsked = -Infinity, reportsOf = "", reportsMissing = 0, everyReport = false;
const known = new Set(); // ids that the list had

function reportItem(report, now) {
  const where = [report.cell, report.function, baseName(report.library)].filter(Boolean).join(" \u00b7 ");
  return make("li", make("a", [make("span", report.what, { class: `tag ${KINDS[report.what] || ""}`.trim() }), make("span.words", report.summary),
    make("time", ago(now - Date.parse(report.when)), { datetime: report.when, title: new Date(report.when).toLocaleString() }),
    make("span.where", where)], { href: `#report/${report.id}` }));
}

function showReports(reports) {
  const box = byId("reports");
  const drawn = JSON.stringify([reports, everyReport]);
  known.clear();
  for (const report of reports) known.add(report.id);
  if (box.dataset.is === drawn) {
    for (const time of box.querySelectorAll("time")) say(time, ago(Date.now() - Date.parse(time.dateTime)));
    return;
  }
  const held = document.activeElement && document.activeElement.closest("#reports a");
  const hash = held ? held.getAttribute("href") : null;
  box.dataset.is = drawn;
  const shown = everyReport ? reports : reports.slice(0, REPORTS_SHOWN);
  box.replaceChildren(reports.length ? make("ol.reports", shown.map(report => reportItem(report, Date.now())))
    : make("p.nothing", "No crashes, no hangs, no forbidden acts."));
  if (shown.length < reports.length) {
    const all = make("button.plain.all", `Show all ${reports.length} reports`, { type: "button" });
    all.addEventListener("click", () => {
      everyReport = true;
      showReports(reports);
      box.querySelectorAll("a")[REPORTS_SHOWN].focus();
    });
    box.append(all);
  }
  if (hash) for (const link of box.querySelectorAll("a")) if (link.getAttribute("href") === hash) link.focus();
}

/* A report is there a while after its call was answered: ask again until it is, for a while. */
function reportsDue(stats, now) {
  const wanted = stats.cells.map(cell => cell.last_report).filter(Boolean).join();
  const have = stats.cells.every(cell => !cell.last_report || known.has(cell.last_report));
  if (wanted !== reportsOf) {
    reportsOf = wanted;
    reportsMissing = 10;
  }
  return now - reportsAsked > REPORTS_PERIOD_MS || (!have && !reportsChoice() && reportsMissing-- > 0);
}

const reportsChoice = () => byId("reports-cell").value;

function showChoice(stats) {
  const choice = byId("reports-cell");
  const names = stats.cells.map(cell => cell.cell);
  byId("reports-choice").hidden = names.length < 2;
  if (choice.dataset.is === JSON.stringify(names)) return;
  const chosen = choice.value;
  choice.dataset.is = JSON.stringify(names);
  choice.replaceChildren(make("option", "all cells", { value: "" }), ...names.map(name => make("option", name, { value: name })));
  choice.value = names.includes(chosen) ? chosen : "";
}

async function askReports(now) {
  reportsAsked = now;
  const cell = reportsChoice();
  showReports(await ask(cell ? `reports?cell=${encodeURIComponent(cell)}` : "reports"));
}

/* ---- The one that is open ---- */

const sheet = byId("report");

function fill(title, below, content) {
  const close = make("button", "Close", { type: "button" });
  const words = make("h2", title);
  words.id = "report-title";
  close.addEventListener("click", () => sheet.close());
  sheet.replaceChildren(make("div.bar", [make("div", [words, make("p", below)]), close]), content);
}

async function openReport(id) {
  fill("Report", id, make("p.nothing", "Reading the report"));
  if (!sheet.open) sheet.showModal(); // closing gives the focus back
  const isWanted = () => location.hash === `#report/${id}` && sheet.open; // not another one meanwhile
  let report = null, why = "";
  for (let tries = 0; !report && isWanted() && tries < REPORT_TRIES; tries++) {
    try {
      report = await ask(`reports/${encodeURIComponent(id)}`);
    } catch (error) {
      why = error.message;
      if (!error.later) break;
      await new Promise(done => setTimeout(done, PERIOD_MS)); // it is being written
    }
  }
  if (!isWanted()) return;
  if (report) fill(text(report.summary) || text(report.what), `${text(report.what)}${report.ended ? ", the worker was ended" : ""}`, reportSheet(report));
  else fill("Report", id, make("p.nothing", `It cannot be shown: ${why}`));
  sheet.scrollTop = 0;
  sheet.querySelector("button").focus();
}

function follow() {
  const match = /^#report\/([0-9a-f]{16}(?:-[0-9]{1,9})?)$/.exec(location.hash);
  if (match) openReport(match[1]);
  else if (sheet.open) sheet.close();
}

sheet.addEventListener("close", () => {
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  sheet.replaceChildren();
});
sheet.addEventListener("click", event => { if (event.target === sheet) sheet.close(); });
window.addEventListener("hashchange", follow);
byId("reports-cell").addEventListener("change", () => askReports(performance.now()).catch(() => {}));
