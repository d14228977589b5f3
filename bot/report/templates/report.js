"use strict";
// Copies the lines of a fix. Where a browser has no clipboard for files, it shows them selected instead.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const lines = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(lines.textContent);
    button.textContent = "Copied";
  } catch {
    lines.hidden = false;
    getSelection().selectAllChildren(lines);
    button.textContent = "Selected: copy it now";
  }
});
