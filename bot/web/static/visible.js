// What is shown can be seen: characters that are invisible, or turn others around, are spelt out, as in the report.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const spelt = (character) => `[U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`;

export const visible = (text) => text.replace(UNSEEN, spelt);
export const visibleName = (path) => visible(path).replace(/[\t\n]/g, spelt);
