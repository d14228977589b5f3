// The audits that this browser keeps: in local storage, unencrypted, the newest first, as many as fit.
import { element } from "./fragment.js";

const KEY = "meteraudit.history";
const SWITCH = "meteraudit.keep";
const MOST = 50;
const list = document.getElementById("kept");
const forget = document.getElementById("forget");
const none = document.getElementById("none-kept");
const keep = document.getElementById("keep");

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one?.document === "string") : [];
  } catch {
    return [];
  }
}

function write(kept) {
  // Storage holds some megabytes: the oldest make room. A report too large for all of it is not kept.
  for (let rest = kept.slice(0, MOST); rest.length; rest = rest.slice(0, -1)) {
    try {
      localStorage.setItem(KEY, JSON.stringify(rest));
      return;
    } catch {
      continue;
    }
  }
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Storage is switched off: there is nothing to remove.
  }
}

export function remember(name, report, text) {
  if (!keep.checked) return;
  const { counts } = report.summary;
  const one = { id: crypto.randomUUID?.() ?? String(Date.now()), at: Date.now(), name, counts, score: report.score?.composite ?? null };
  write([{ ...one, document: text }, ...read()]);
  show();
}

let open = () => {};

export function show() {
  const kept = read();
  list.replaceChildren(...kept.map(line));
  forget.hidden = kept.length === 0;
  none.hidden = kept.length > 0;
}

function line(one) {
  const when = new Date(one.at);
  const counts = Object.entries(one.counts ?? {}).filter(([, count]) => count > 0);
  const said = counts.map(([severity, count]) => `${count} ${severity}`).join(", ") || "no findings";
  const button = element("button", { type: "button", className: "quiet open" });
  button.append(
    element("strong", { textContent: one.name || "Pasted code" }),
    element("span", { className: "note", textContent: `${one.score === null ? "no score" : `${one.score}/10`} · ${said}` }),
    element("time", { className: "note", dateTime: when.toISOString(), textContent: when.toLocaleString() }),
  );
  button.addEventListener("click", () => open(one));
  const drop = element("button", { type: "button", className: "quiet", textContent: "Delete" });
  drop.setAttribute("aria-label", `Delete the audit of ${one.name || "pasted code"}, ${when.toLocaleString()}`);
  drop.addEventListener("click", () => {
    write(read().filter((other) => other.id !== one.id));
    show();
    (list.querySelector("button") ?? keep).focus();
  });
  return element("li", {}, button, drop);
}

export function startHistory(onOpen) {
  open = onOpen;
  try {
    keep.checked = localStorage.getItem(SWITCH) !== "no";
  } catch {
    keep.checked = false;
  }
  keep.addEventListener("change", () => {
    try {
      localStorage.setItem(SWITCH, keep.checked ? "yes" : "no");
    } catch {
      keep.checked = false;
    }
  });
  forget.addEventListener("click", () => {
    write([]);
    show();
    keep.focus();
  });
  addEventListener("storage", show);
  show();
}
