// The one place where text becomes HTML: what our own server has rendered and escaped, and nothing else.
const policy = globalThis.trustedTypes?.createPolicy("meteraudit", { createHTML: (html) => html });

export function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  return template.content;
}

// An element with text, without any HTML.
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
