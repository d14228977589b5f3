// Sends JSON and reads the answer as server-sent events. `EventSource` cannot POST and would ask again by itself.
export class Refused extends Error {
  constructor({ what, do: advice }) {
    super(what);
    this.advice = advice ?? "";
  }
}

export async function post(path, value, signal) {
  const answer = await fetch(document.documentElement.dataset.base + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: typeof value === "string" ? value : JSON.stringify(value),
    credentials: "omit",
    signal,
  }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refused({ what: "The server cannot be reached.", do: "Look whether it still runs, and try again." });
  });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({ what: `The server answered with ${answer.status}.`, do: "Try again." }));
  throw new Refused(told);
}

export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (waiting + value).split(/\r\n\r\n|\n\n/);
    waiting = parts.pop();
    for (const part of parts) {
      const one = parsed(part);
      if (one) yield one;
    }
  }
}

function parsed(text) {
  let name = "";
  const data = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  // A comment keeps the line open and says nothing.
  return name ? { name, data: JSON.parse(data.join("\n")) } : null;
}
