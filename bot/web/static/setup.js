// Keeps the checklist of a fresh installation up to date.
const PAUSE = 2000;
const list = document.querySelector("[data-steps]");
const said = document.getElementById("said");

function show(step) {
  const item = document.getElementById(`step-${step.id}`);
  if (!item) return;
  const state = step.done ? "done" : step.failed ? "wrong" : "waiting";
  item.className = { done: "is-done", wrong: "is-failed", waiting: "is-waiting" }[state];
  item.querySelector(".state").textContent = state;
  item.querySelector(".detail").textContent = step.detail;
}

function say(text) {
  // A screen reader speaks each change: the same again is none.
  if (said.textContent !== text) said.textContent = text;
}

async function follow() {
  try {
    const answer = await fetch(list.dataset.steps, { cache: "no-store", credentials: "same-origin" });
    if (answer.status === 403) return say("This page has ended: the server was started again. Its set-up is kept.");
    if (!answer.ok) throw new Error("not answered");
    const { steps, finished } = await answer.json();
    steps.forEach(show);
    if (finished) return say("Everything works. The check can be made required in a branch rule now.");
    say("This list follows by itself.");
  } catch {
    say("The server does not answer. This page tries again.");
  }
  setTimeout(follow, PAUSE);
}

if (list && !("finished" in list.dataset)) follow();
