// SPDX-License-Identifier: Apache-2.0
// One report as a sheet. All in it may be a hostile library's words: it is text, and any of it may be missing.

const KINDS = { crash: "bad", hang: "warn", exit: "bad", violation: "warn", recycled: "", killed: "bad", "broken-protocol": "bad", "start-failed": "bad" };

const list = value => (Array.isArray(value) ? value : []);
const text = value => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
const part = (title, content) => (content && (!Array.isArray(content) || content.length) ? [make("h3", title), content] : []);

function argument(given) {
  const value = given.value;
  if (given.direction === "out") return `${given.name} = out${value && value.room !== undefined ? `[${value.room}]` : ""}`;
  if (value && typeof value === "object" && value.sha256) return `${given.name} = ${value.bytes} bytes (sha256 ${text(value.sha256).slice(0, 12)})${value.first ? ` ${value.first}\u2026` : ""}`;
  return `${given.name} = ${typeof value === "string" && value !== "secret" ? JSON.stringify(value) : text(value)}`;
}

function callText(call) {
  const name = call.function || (call.function_id !== undefined ? `Cordon's own ${text(call.function_id)}` : "?");
  if (call.arguments) return `${name}(${list(call.arguments).map(argument).join(", ")})`;
  if (call.request_bytes !== undefined) return `${name}(${call.request_bytes} bytes)`;
  return call.arguments_missing ? `${name} (arguments: ${call.arguments_missing})` : name;
}

function frameLine(frame, i) {
  const guess = frame.by === "scan" || frame.by === "frame-pointer";
  const place = [frame.file ? `${frame.file}${frame.line ? `:${frame.line}` : ""}` : "",
    frame.module ? `${baseName(frame.module)}${frame.offset ? `+${frame.offset}` : ""}` : "", frame.inlined ? "inlined" : text(frame.address)].filter(Boolean);
  return make("li", [make("span.at", String(i)), make("div", [make("div", [make("b.mono", frame.function || "?"),
    frame.function && frame.function_offset ? make("span.mono.soft", `+${frame.function_offset}`) : null, guess ? make("span.soft", " (a guess)") : null]),
  make("div.place.mono", place.join("  "))])]);
}

function threadPart(thread) {
  const frames = list(thread.stack);
  const title = make("h3", [`Stack of thread ${text(thread.tid)} `, make("span.mono", text(thread.name))]);
  if (thread.blamed) title.append(make("span.tag.bad", "blamed"));
  return [title, frames.length ? make("ol.block.stack", frames.map(frameLine)) : make("p.soft", "It has no stack.")];
}

function registersPart(registers) {
  return make("dl.block.registers", Object.entries(registers || {}).map(([name, value]) => make("div", [make("dt", name), make("dd", text(value))])));
}

function aboutCell(report) {
  const cell = report.cell || {}, worker = report.worker || {}, signal = report.signal || {}, violation = report.violation || {};
  return facts([
    ["When", report.when ? new Date(report.when).toLocaleString() : ""],
    ["Level", cell.level],
    ["Worker", worker.pid !== undefined ? `process ${worker.pid}, number ${worker.number}` : ""],
    ["Its age", worker.age_ms !== undefined ? joined(duration(worker.age_ms * 1e6)) : ""],
    ["Exit status", text(report.exit_status)],
    ["Signal", signal.name ? `${signal.name}${signal.code_name ? ` (${signal.code_name}${signal.meaning ? `: ${signal.meaning}` : ""})` : ""}` : text(report.signal_number), "wide"],
    ["Address", signal.address ? `${signal.address}${signal.there ? `: ${signal.there}` : ""}` : "", "wide"],
    ["Forbidden act", violation.act ? `${violation.act}${violation.grant ? ` \u2013 would be allowed by ${violation.grant}` : ""}` : "", "wide"],
    ["Said", report.text && report.text !== report.summary ? report.text : "", "wide"],
    ["Library", cell.library ? make("span.mono", cell.library) : "", "wide"],
    ["Policy", cell.policy_text || cell.policy, "wide"],
    ["In force", list(cell.mechanisms).join(", "), "wide"],
  ]);
}

function reportSheet(report) {
  const call = report.call || {}, worker = report.worker || {}, violations = report.violations || {};
  const threads = list(report.threads);
  const blamed = threads.find(t => t.blamed) || threads[0];
  const replay = call.replay || {};
  const rows = object => Object.entries(object || {}).map(([name, value]) => [name, text(value)]);
  return make("div.sheet", [
    part("Call", report.call && make("div.block.call", [callText(call), call.number !== undefined ? make("span.soft", ` \u00b7 call ${text(call.number)} of its worker`) : null])),
    replay.possible === false ? make("p.hint", `It cannot be replayed: ${text(replay.why)}`) : null,
    replay.possible ? make("p.hint", ["To make the call again: ", make("code", `cordon replay ${text(report.id)}`)]) : null,
    part("What happened", aboutCell(report)),
    threads.map(threadPart),
    part("Registers", blamed && blamed.registers ? registersPart(blamed.registers) : null),
    part("Forbidden acts", list(violations.last).length ? make("ul.block.notes", list(violations.last).map(v =>
      make("li", `${text(v.act)}${v.grant ? ` \u2013 would be allowed by ${v.grant}` : ""}${v.call !== undefined ? `, call ${text(v.call)}` : ""}`))) : null),
    part("Last calls", list(report.history).length ? make("ol.block.calls", list(report.history).slice().reverse().map(c =>
      make("li", [make("span.soft", text(c.number)), make("span", callText(c))]))) : null),
    part("Notes", list(report.notes).length ? make("ul.block.notes", list(report.notes).map(n => make("li", text(n)))) : null),
    make("details", [make("summary", "Worker, limits and modules"),
      part("The worker's resources", facts(rows(worker.resources))),
      part("The cell's limits", facts(rows((report.cell || {}).limits))),
      part("Modules", make("ul.notes.mono", list(report.modules).map(m => make("li", `${text(m.start)} ${text(m.path)}${m.no_symbols ? ` (${m.no_symbols})` : ""}`))))]),
    make("p.hint", ["Report ", make("code", text(report.id)), " \u00b7 ", make("a", "as JSON", { href: `reports/${encodeURIComponent(text(report.id))}` }),
      " \u00b7 in a terminal: ", make("code", `cordon report ${text(report.id)}`)]),
  ]);
}
