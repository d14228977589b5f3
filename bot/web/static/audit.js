// The page at /: what is to be audited, the audit while it runs, and the report.
import { addContext, sourcesOf } from "./context.js";
import { copyOnClick } from "./copy.js";
import { startExports } from "./exports.js";
import { fromDrop, fromInput } from "./files.js";
import { clearFilters, filter, offer } from "./filters.js";
import { element, fragment } from "./fragment.js";
import { remember, startHistory } from "./history.js";
import { startKeys } from "./keys.js";
import { events, post, Refused } from "./stream.js";
import { visible, visibleName } from "./visible.js";

const at = (id) => document.getElementById(id);
const base = document.documentElement.dataset.base;
let chosen = null; // Files of a folder; null: what is in the text field.
let running = null; // What ends the audit under way.
let report = null; // The report that is shown, as JSON text.

function fail(error) {
  if (error.name === "AbortError") return;
  const ours = error instanceof Refused;
  at("problem-what").replaceChildren(...worded(ours ? error.message : "This page has a defect of its own."));
  at("problem-do").replaceChildren(...worded(ours ? error.advice : `Please report it: ${error.message}`));
  at("problem").hidden = false;
  if (!ours) console.error(error);
}

// What stands between backticks is code.
function worded(text) {
  return visible(text)
    .split("`")
    .map((piece, index) => (index % 2 ? element("code", { textContent: piece }) : piece));
}

function show(part) {
  for (const id of ["start", "history"]) at(id).hidden = part !== "start";
  at("result").hidden = part !== "result";
}

function begin(title) {
  at("problem").hidden = true;
  at("result-title").textContent = title;
  for (const id of ["list", "side", "summary", "rest"]) at(id).replaceChildren();
  at("total").textContent = "";
  report = null;
  clearFilters();
  recount();
  show("result");
  at("result-title").focus();
}

// While an audit runs there is something to cancel; afterwards something to export.
function settle(isRunning) {
  at("cancel").hidden = !isRunning;
  at("progress").hidden = !isRunning;
  at("exports").hidden = report === null;
  at("parts").hidden = report === null;
  at("again").hidden = isRunning;
  at("result").setAttribute("aria-busy", String(isRunning));
}

function add(html, sources) {
  const cards = fragment(html);
  for (const card of cards.querySelectorAll("article.finding")) {
    card.tabIndex = -1;
    addContext(card, sources);
  }
  at("list").append(cards);
  refresh ??= requestAnimationFrame(recount);
}

// At most once for each picture: an audit may tell of hundreds of files a second.
let refresh = null;
function recount() {
  if (refresh !== null) cancelAnimationFrame(refresh);
  refresh = null;
  offer();
  filter();
  const found = at("list").querySelectorAll("article.finding").length;
  at("total").textContent = found;
  at("findings-title").textContent = `${found || "No"} finding${found === 1 ? "" : "s"}`;
}

function finish({ document: text, parts }, sources) {
  report = text;
  at("side").replaceChildren(fragment(parts.side));
  at("summary").replaceChildren(fragment(parts.summary));
  at("rest").replaceChildren(fragment(parts.rest));
  at("list").replaceChildren();
  add(parts.findings, sources);
  recount();
  return JSON.parse(text);
}

async function run(title, sent, sources) {
  begin(title);
  running = new AbortController();
  settle(true);
  at("status").textContent = "Sending…";
  at("progress").removeAttribute("value");
  try {
    for await (const { name, data } of events(await post("/audit", sent, running.signal))) hear(name, data, title, sources);
    if (report === null) throw new Refused({ what: "The answer broke off.", do: "Audit again." });
  } catch (error) {
    at("status").textContent = error.name === "AbortError" ? "Cancelled: what was found until then is shown." : "";
    fail(error);
    if (at("list").childElementCount === 0) show("start");
  }
  running = null;
  settle(false);
  // What had the focus, such as the button that cancels, may be gone.
  if (document.activeElement === document.body) at(at("result").hidden ? "code" : "result-title").focus();
}

function hear(name, data, title, sources) {
  if (name === "accepted") at("status").textContent = data.waiting ? "Waiting for a free place…" : "Reading…";
  if (name === "begun") {
    // Before the first file is judged, all of them are read for what only several tell: the bar does not know how long.
    at("status").textContent = `Reading ${files(data.files)}…`;
    at("progress").removeAttribute("value");
  }
  if (name === "file") {
    // The count begins again where a file stopped the analysis and is left out.
    if (data.number === 1) at("list").replaceChildren();
    Object.assign(at("progress"), { max: data.of, value: data.number });
    at("status").textContent = `${data.number} of ${data.of}: ${visibleName(data.path)}`;
    if (data.html) add(data.html, sources);
  }
  if (name === "refused") throw new Refused(data);
  if (name === "report") {
    const told = finish(data, sources);
    at("status").textContent = said(told);
    remember(title, told, data.document);
  }
}

function said(told) {
  const conclusion = { success: "passes", failure: "fails", neutral: "is neutral", action_required: "needs a look" };
  return `${told.tool.rules} rules · the check ${conclusion[told.gate.conclusion]}`;
}

function files(number) {
  return `${number.toLocaleString()} file${number === 1 ? "" : "s"}`;
}

// The files of a bundle, to show the lines around a finding. The server reads it by the same rules, and its word counts.
function bundled(text) {
  const found = [];
  for (const line of text.replaceAll("\r\n", "\n").split("\n")) {
    const heading = /^(-{3,}) (.+) ---$/.exec(line);
    if (heading?.[1] === "---") found.push({ path: heading[2], lines: [] });
    else found.at(-1)?.lines.push(heading ? line.slice(1) : line);
  }
  return found.map(({ path, lines }) => ({ path, text: lines.join("\n") }));
}

function titled(listed) {
  if (!listed.length) return "Pasted code";
  const first = visibleName(listed[0].path);
  return listed.length === 1 ? first : `${first} and ${listed.length - 1} more`;
}

function submit() {
  if (running) return;
  if (chosen) {
    const title = chosen.folder ? `${visibleName(chosen.folder)} (${files(chosen.files.length)})` : titled(chosen.files);
    run(title, { files: chosen.files, left_out: chosen.leftOut }, sourcesOf(chosen.files));
    return;
  }
  const text = at("code").value;
  const name = at("name").value.trim() || (at("language").value && `pasted.${at("language").value}`);
  const inside = name ? [{ path: name, text }] : bundled(text);
  run(titled(inside), { text, name }, sourcesOf(inside));
}

// Files take a moment to be read; until then there is nothing to audit.
async function take(reading) {
  at("audit").disabled = true;
  const found = await reading.catch(fail);
  at("audit").disabled = false;
  if (found) choose(found);
}

function choose(found) {
  if (!found.files.length) {
    const what = `None of the ${files(found.passed)} is code in a language that rules know.`;
    return fail(new Refused({ what, do: "Choose source files, or the folder that holds them." }));
  }
  at("problem").hidden = true;
  chosen = found;
  at("chosen-what").textContent = `${found.folder ? `${visibleName(found.folder)}: ` : ""}${files(found.files.length)}, ${Math.ceil(found.size / 1024).toLocaleString()} kB`;
  at("chosen-left").textContent = found.leftOut.length ? `Left out: ${found.leftOut.map(({ path, reason }) => `${visibleName(path)} (${reason})`).join(", ")}` : "";
  at("chosen-list").replaceChildren(...found.files.map(({ path }) => element("li", { textContent: visibleName(path), dir: "ltr" })));
  shown();
  at("audit").focus();
}

function shown() {
  at("code").hidden = chosen !== null;
  at("chosen").hidden = chosen === null;
  for (const id of ["language", "name"]) at(id).disabled = chosen !== null;
}

function unchoose() {
  chosen = null;
  shown();
  at("code").focus();
}

async function reopen(one) {
  begin(one.name || "Pasted code");
  settle(false);
  at("status").textContent = "Opening…";
  try {
    const told = finish(await (await post("/audit/show", one.document)).json(), new Map());
    at("status").textContent = `${said(told)} · from ${new Date(one.at).toLocaleString()}`;
  } catch (error) {
    show("start");
    fail(error);
  }
  settle(false);
}

function again() {
  if (running || at("start").hidden === false) return;
  at("problem").hidden = true;
  show("start");
  (chosen ? at("audit") : at("code")).focus();
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
at("form").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  submit();
});
at("cancel").addEventListener("click", () => running?.abort());
at("again").addEventListener("click", again);
at("unchoose").addEventListener("click", unchoose);
at("example").addEventListener("click", async () => {
  unchoose();
  at("name").value = at("language").value = "";
  at("code").value = await (await fetch(`${base}/audit/example`)).text();
  at("code").scrollTop = 0;
});
for (const id of ["files", "folder"]) {
  at(`choose-${id}`).addEventListener("click", () => at(id).click());
  at(id).addEventListener("change", () => take(fromInput(at(id))));
}
addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  if (running) return;
  show("start");
  take(fromDrop(event.dataTransfer));
});

// On a narrow page the filters would stand between the score and what was found.
if (matchMedia("(max-width: 56rem)").matches) at("filter-box").open = false;
copyOnClick();
startExports(() => report, fail);
startHistory(reopen);
startKeys({ cancel: () => running?.abort(), again, running: () => running !== null });
