// What the keyboard does. A key that is typed into a field is text.
import { visibleCards } from "./filters.js";

const dialog = document.getElementById("keys");

export function startKeys({ cancel, again, running }) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && running() && !dialog.open) return cancel();
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (event.target.closest("input, select, textarea")) return;
    const act = { j: () => step(1), k: () => step(-1), c: copy, n: again, "/": search, "?": () => dialog.showModal() }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function step(by) {
  const cards = visibleCards();
  const at = cards.indexOf(document.activeElement.closest("article.finding"));
  const next = cards[at < 0 ? (by > 0 ? 0 : cards.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: "start" });
}

function copy() {
  document.activeElement.closest("article.finding")?.querySelector("button[data-copy]")?.click();
}

function search() {
  const words = document.getElementById("words");
  if (words.offsetParent) words.focus();
}
