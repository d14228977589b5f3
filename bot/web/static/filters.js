// Shows the findings that fit what is asked for, and counts what there is to choose.
const form = document.getElementById("filters");
const list = document.getElementById("list");
const shown = document.getElementById("shown");
const nothing = document.getElementById("nothing");
const reset = document.getElementById("show-all");
const FACETS = ["severity", "confidence"];
const CHOICES = ["section", "rule", "path"];

const cards = () => [...list.querySelectorAll("article.finding")];

export function visibleCards() {
  return cards().filter((card) => !card.hidden);
}

// What is asked for, as a test of one card; `but` leaves one question out, to count what it could still show.
function asked(but) {
  const data = new FormData(form);
  const words = String(data.get("words")).toLowerCase().split(/\s+/).filter(Boolean);
  return (card) =>
    FACETS.every((name) => name === but || data.getAll(name).includes(card.dataset[name])) &&
    CHOICES.every((name) => name === but || !data.get(name) || card.dataset[name] === data.get(name)) &&
    words.every((word) => searched(card).includes(word));
}

const texts = new WeakMap();
function searched(card) {
  if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
  return texts.get(card);
}

export function filter() {
  const all = cards();
  const fits = asked();
  for (const card of all) card.hidden = !fits(card);
  const count = all.filter((card) => !card.hidden).length;
  for (const name of FACETS) {
    const open = all.filter(asked(name));
    for (const output of form.querySelectorAll(`[data-count^="${name}-"]`)) {
      const value = output.dataset.count.slice(name.length + 1);
      output.value = open.filter((card) => card.dataset[name] === value).length;
    }
  }
  shown.value = count === all.length ? "" : `${count} of ${all.length} shown`;
  reset.hidden = count === all.length;
  nothing.hidden = all.length === 0 || count > 0;
  nothing.textContent = "No finding fits the filter.";
}

// Offers the rules and files that the findings are about.
export function offer() {
  for (const [name, label] of [["rule", (card) => `${card.dataset.rule} ${title(card)}`], ["path", (card) => card.dataset.path]]) {
    const select = form.elements[name];
    const chosen = select.value;
    const there = new Map(cards().map((card) => [card.dataset[name], label(card)]));
    const options = [...there].sort().map(([value, text]) => new Option(text, value));
    select.replaceChildren(select.options[0], ...options);
    select.value = there.has(chosen) ? chosen : "";
  }
}

function title(card) {
  return card.querySelector("h3").textContent;
}

export function clearFilters() {
  form.reset();
  nothing.hidden = true;
}

form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
