// Adds the lines around a finding, where the code is still at hand: a report has only those that the finding is about.
import { element } from "./fragment.js";

const AROUND = 2;
const WIDEST = 400;
// Characters that cannot be seen, or turn others around: spelt out, as the report does.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const spelt = (character) => `[U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`;

export const visible = (text) => text.replace(UNSEEN, spelt);
const named = (path) => visible(path).replace(/[\t\n]/g, spelt);

export function sourcesOf(files) {
  return new Map(files.map(({ path, text }) => [named(path), text.replaceAll("\r\n", "\n").split("\n")]));
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
