"use strict";
// Runs before the page is drawn, so that it never flashes in the other theme.
{
  const THEMES = ["auto", "light", "dark"];
  const root = document.documentElement;
  const stored = () => {
    try {
      const theme = localStorage.getItem("meteraudit.theme");
      return THEMES.includes(theme) ? theme : "auto";
    } catch {
      return "auto"; // Storage can be switched off.
    }
  };
  const wear = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  wear(stored());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const tell = (theme) => {
      button.textContent = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" }[theme];
      button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
    };
    button.hidden = false;
    tell(stored());
    button.addEventListener("click", () => {
      const next = THEMES[(THEMES.indexOf(stored()) + 1) % THEMES.length];
      try {
        localStorage.setItem("meteraudit.theme", next);
      } catch {
        // Then it holds for this page only.
      }
      wear(next);
      tell(next);
    });
  });
}
