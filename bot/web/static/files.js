// Reads dropped or chosen files and folders, as far as they can be audited, and says what was left out and why.
const known = JSON.parse(document.getElementById("known").textContent);
const never = new Set(known.never);
const decoder = new TextDecoder("utf-8", { fatal: true });
const MOST_LEFT_OUT = 2000;

export async function fromDrop(transfer) {
  // Entries have to be taken before anything is awaited: afterwards the browser forgets them.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  for (const entry of entries) await walk(entry, entry.name, found);
  const folder = entries.length === 1 && entries[0].isDirectory;
  return read(folder ? withoutTop(found) : found, folder ? entries[0].name : "");
}

export async function fromInput(input) {
  const found = [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  const inFolder = found.filter(({ path }) => !path.split("/").some((part) => never.has(part)));
  const folder = found[0]?.file.webkitRelativePath.split("/")[0] ?? "";
  input.value = "";
  return read(folder ? withoutTop(inFolder) : inFolder, folder);
}

async function walk(entry, path, found) {
  if (entry.isFile) {
    found.push({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
    return;
  }
  if (never.has(entry.name)) return;
  const reader = entry.createReader();
  for (;;) {
    // A browser gives a hundred entries at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const one of some) await walk(one, `${path}/${one.name}`, found);
  }
}

function withoutTop(found) {
  return found.map(({ path, file }) => ({ path: path.split("/").slice(1).join("/"), file }));
}

function isKnown(path) {
  const name = path.split("/").pop();
  return known.names.includes(path) || known.endings.some((ending) => name.toLowerCase().endsWith(ending));
}

async function read(found, folder) {
  const files = [];
  const leftOut = [];
  let size = 0;
  for (const { path, file } of found.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (!isKnown(path)) continue;
    if (file.size > 512 * 1024) {
      leftOut.push({ path, reason: "larger than 512 kB" });
      continue;
    }
    try {
      const text = decoder.decode(await file.arrayBuffer());
      if (text.slice(0, 8000).includes("\0")) leftOut.push({ path, reason: "binary" });
      else files.push({ path, text });
      size += file.size;
    } catch (error) {
      leftOut.push({ path, reason: error instanceof TypeError ? "not UTF-8 text" : "cannot be read" });
    }
  }
  return { files, leftOut: leftOut.slice(0, MOST_LEFT_OUT), size, passed: found.length, folder };
}
