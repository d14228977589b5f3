// Adds the lines around a finding, where the code is still at hand: a report has only those that the finding is about.
import { element } from "./fragment.js";
import { visible, visibleName } from "./visible.js";

const AROUND = 2;
const WIDEST = 400;
export function sourcesOf(files) {
  return new Map(files.map(({ path, text }) => [visibleName(path), text.replaceAll("\r\n", "\n").replace(/\n$/, "").split("\n")]));
}

export function addContext(card, sources) {
  const lines = sources.get(card.dataset.path);
  const body = card.querySelector(".code tbody");
  if (!lines || !body || body.dataset.around) return;
  body.dataset.around = "yes";
  const first = Number(body.firstElementChild.firstElementChild.textContent);
  const last = Number(body.lastElementChild.firstElementChild.textContent);
  if (first) body.prepend(...rows(lines, Math.max(1, first - AROUND), first - 1));
  if (last) body.append(...rows(lines, last + 1, Math.min(lines.length, last + AROUND)));
}

function rows(lines, from, to) {
  const made = [];
  for (let number = from; number <= to; number++) {
    const text = visible(lines[number - 1]);
    const code = element("code", { dir: "ltr", textContent: text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text });
    const cells = [element("td", { className: "number", textContent: number }), element("td", { className: "line" }, code)];
    made.push(element("tr", { className: "context" }, ...cells));
  }
  return made;
}
