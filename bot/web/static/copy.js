// Copies what a button names. Where a browser has no clipboard, it shows the text selected instead.
export function copyOnClick() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy);
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      text.hidden = false;
      getSelection().selectAllChildren(text);
      button.textContent = "Selected: copy it now";
    }
    setTimeout(() => (button.textContent = said), 2000);
  });
}
