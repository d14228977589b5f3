// Shows the examples of one language at a time, the one that was read last.
import { copyOnClick } from "./copy.js";

const links = [...document.querySelectorAll("nav.languages a")];
const sections = [...document.querySelectorAll("section.spoken")];

function choose(language) {
  for (const link of links) {
    if (link.dataset.language === language) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  for (const section of sections) section.hidden = section.dataset.language !== language;
}

function remembered() {
  try {
    return localStorage.getItem("meteraudit.language");
  } catch {
    return null;
  }
}

if (links.length) {
  const known = links.map((link) => link.dataset.language);
  const wanted = [location.hash.replace("#in-", ""), remembered(), known[0]].find((one) => known.includes(one));
  choose(wanted);
  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      choose(link.dataset.language);
      history.replaceState(null, "", link.getAttribute("href"));
      try {
        localStorage.setItem("meteraudit.language", link.dataset.language);
      } catch {
        // Then the next page begins with its first language.
      }
    });
  }
}
copyOnClick();
