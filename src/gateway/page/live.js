// SPDX-License-Identifier: Apache-2.0
// Asking, each second; less often when nobody looks or nobody answers.

const PERIOD_MS = 1000, HIDDEN_MS = 10e3, LOST_MS = 3000, PATIENCE_MS = 5000;
let timer = 0, lostSince = 0, pid = 0, asking = false;

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim() || answer.statusText), { later: answer.status === 503 });
  return answer.json();
}

function showDaemon(stats) {
  say(byId("version"), stats.version);
  const pairs = [["up", span(stats.uptime_ms)], ["process", String(stats.pid)], ["memory", joined(memory(stats.memory_bytes))],
    ["clients", String(stats.clients)], ["requests refused", stats.requests_refused ? joined(count(stats.requests_refused)) : ""],
    ["draining", (stats.draining || []).map(d => `${d.cell} generation ${d.generation}`).join(", ")]].filter(([, value]) => value);
  const box = byId("daemon");
  arrange(box, pairs.map(([term, value]) => {
    const row = [...box.children].find(child => child.dataset.of === term) || make("div", [make("dt", term), make("dd")], { "data-of": term });
    say(row.lastChild, value);
    return row;
  }));
}

function live(stats) {
  const restarted = pid !== 0 && pid !== stats.pid;
  pid = stats.pid;
  lostSince = 0;
  byId("gone").hidden = true;
  document.body.classList.remove("stale");
  mark(byId("pulse"), "pulse live");
  if (restarted) byId("pulse").dataset.restarted = String(Date.now());
  say(byId("pulse-text"), Date.now() - Number(byId("pulse").dataset.restarted || 0) < 15e3 ? "Live \u00b7 the daemon was restarted" : "Live");
}

function lost() {
  lostSince = lostSince || Date.now();
  document.body.classList.add("stale");
  mark(byId("pulse"), "pulse lost");
  say(byId("pulse-text"), pid ? "No answer" : "Cannot connect");
  const words = `The daemon has not answered since ${new Date(lostSince).toLocaleTimeString()}. ${pid ? "What is shown is its last answer. " : ""}Trying again.`;
  say(byId("gone"), words);
  byId("gone").hidden = false;
}

async function turn() {
  if (asking) return;
  clearTimeout(timer);
  asking = true;
  let answered = false;
  try {
    const stats = await ask("stats");
    const now = performance.now();
    const shown = remember(stats, now);
    answered = true;
    live(stats);
    showDaemon(stats);
    showTiles(stats, shown, now);
    showCells(stats, shown, now);
    showChoice(stats);
    if (reportsDue(stats, now)) await askReports(now);
  } catch (error) {
    if (answered && !(error instanceof DOMException) && !(error instanceof TypeError && /fetch/i.test(error.message))) console.error(error);
    if (!answered) lost();
  }
  asking = false;
  timer = setTimeout(turn, document.hidden ? HIDDEN_MS : answered ? PERIOD_MS : LOST_MS);
}

put(byId("tiles"), Object.values(tiles).map(tile => tile.element));
document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
follow();
turn();
