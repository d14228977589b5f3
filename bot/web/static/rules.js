// Filters the list of rules. The address keeps what was asked for, so that a filtered list can be linked to.
const form = document.getElementById("filter");
const rows = [...document.querySelectorAll("table.rules tbody tr")];
const count = document.getElementById("count");
const none = document.getElementById("none");

function filter() {
  const asked = new FormData(form);
  const words = String(asked.get("q")).toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const fits =
      words.every((word) => row.dataset.search.includes(word)) &&
      ["severity", "section"].every((name) => !asked.get(name) || row.dataset[name] === asked.get(name));
    row.hidden = !fits;
    shown += fits;
  }
  count.value = shown === rows.length ? `${shown} rules` : `${shown} of ${rows.length} rules`;
  none.hidden = shown > 0;
  const kept = [...asked].filter(([, value]) => value !== "");
  history.replaceState(null, "", kept.length ? `?${new URLSearchParams(kept)}` : location.pathname);
}

form.hidden = false;
for (const [name, value] of new URLSearchParams(location.search)) {
  if (form.elements[name]) form.elements[name].value = value;
}
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  form.elements.q.focus();
});
filter();
