// Exports the report that is shown: the browser sends it back to be written in another form, since the server keeps none.
import { element } from "./fragment.js";
import { post } from "./stream.js";

const ENDINGS = { markdown: "md", json: "json", sarif: "sarif", html: "html" };

export function startExports(report, failed) {
  document.getElementById("exports").addEventListener("click", async (event) => {
    const form = event.target.closest("button[data-form]")?.dataset.form;
    const text = report();
    if (!form || text === null) return;
    try {
      const blob = form === "json" ? new Blob([text], { type: "application/json" }) : await (await post(`/audit/export/${form}`, text)).blob();
      save(blob, `meteraudit.${ENDINGS[form]}`);
    } catch (error) {
      failed(error);
    }
  });
}

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
