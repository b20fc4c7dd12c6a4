/** @typedef {{ error?: string, label?: string | null, labels?: string[], set?: string[] }} Names */
/** @typedef {{ label: string, score: number, left: number, top: number, right: number, bottom: number }} Found */
/** @typedef {{ objects?: Found[], width?: number, height?: number }} Objects */
/** @typedef {Names & Objects & { probabilities?: Record<string, number> }} Said */

const KEPT = "convscope-token";

/** @param {string} id @returns {any} */
const find = (id) => document.getElementById(id);

/** @param {string} tag @param {string} [text] @param {string} [name] */
function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

/** @returns {Record<string, string>} */
function credentials() {
  const token = find("token").value.trim();
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** @param {string} text @param {boolean} [isWrong] */
function tell(text, isWrong = false) {
  find("status").textContent = text;
  find("status").classList.toggle("wrong", isWrong);
}

async function describe() {
  const health = await (await fetch("health")).json();
  find("name").textContent = health.model;
  document.title = `${health.model}: convscope serve`;
  const answer = await fetch("card", { headers: credentials() });
  find("token-field").hidden = answer.status !== 401 && !find("token").value;
  if (answer.status === 401) {
    find("about").textContent = "This server asks for a token.";
    return;
  }
  const { classes, input_size } = await answer.json();
  const shown = classes.slice(0, 12).join(", ") + (classes.length > 12 ? ", ..." : "");
  find("about").textContent = `${classes.length} classes: ${shown}. Input ${input_size[0]} x ${input_size[1]} pixels.`;
}

/** @param {File} file @param {Said} said */
function card(file, said) {
  const item = element("li");
  const image = document.createElement("img");
  image.alt = "";
  image.src = URL.createObjectURL(file);
  image.onload = () => URL.revokeObjectURL(image.src);
  image.onerror = () => (image.style.visibility = "hidden");
  const facts = element("div");
  if (said.error) {
    facts.append(element("h2", said.error, "wrong"), element("p", file.name, "file"));
  } else if (said.objects) {
    facts.append(element("h2", count(said.objects.length)), element("p", file.name, "file"));
    for (const found of said.objects) facts.append(row(found.label, found.score));
    item.append(framed(image, said), facts);
    return item;
  } else {
    const title = said.labels ? said.labels.join(", ") || "no label" : (said.label ?? "Not sure");
    facts.append(element("h2", title), element("p", file.name, "file"));
    if (said.set) facts.append(element("p", `Prediction set: ${said.set.join(", ")}`));
    const shares = Object.entries(said.probabilities ?? {}); // names such as "4" come first in an object
    for (const [name, value] of shares.sort((a, b) => b[1] - a[1])) facts.append(row(name, value));
  }
  item.append(image, facts);
  return item;
}

/** @param {number} objects */
const count = (objects) => (objects === 1 ? "1 object" : `${objects || "No"} objects`);

/**
 * The image with its boxes over it.
 * @param {HTMLImageElement} image @param {Said} said
 */
function framed(image, said) {
  const frame = element("div", undefined, "frame");
  frame.append(image);
  const { width = 1, height = 1 } = said;
  for (const { label, left, top, right, bottom } of said.objects ?? []) {
    const box = element("span", label, "box");
    const parts = { left: left / width, top: top / height };
    const sizes = { width: (right - left) / width, height: (bottom - top) / height };
    for (const [side, share] of Object.entries({ ...parts, ...sizes })) box.style.setProperty(side, `${100 * share}%`);
    frame.append(box);
  }
  return frame;
}

/** @param {string} name @param {number} value */
function row(name, value) {
  const line = element("div", undefined, "class");
  const meter = document.createElement("meter");
  meter.value = value;
  meter.setAttribute("aria-label", name);
  line.append(element("span", name), element("output", `${(100 * value).toFixed(1)}%`), meter);
  return line;
}

/** @param {File[]} files */
async function classify(files) {
  if (!files.length) return;
  const body = new FormData();
  for (const file of files) body.append("image", file, file.name);
  tell(files.length === 1 ? "Classifying the image ..." : `Classifying ${files.length} images ...`);
  const begin = performance.now();
  try {
    const answer = await fetch("predict", { method: "POST", headers: credentials(), body });
    const content = await answer.json();
    if (answer.status === 401) find("token-field").hidden = false;
    if (!content.predictions) return tell(content.error, true);
    tell(`Answered in ${(performance.now() - begin).toFixed(0)} ms.`);
    find("answers").replaceChildren(
      ...content.predictions.map((/** @type {Said} */ said, /** @type {number} */ index) =>
        card(/** @type {File} */ (files[index]), said),
      ),
    );
  } catch {
    tell("The server does not answer.", true);
  }
}

find("files").addEventListener("change", () => {
  classify([...find("files").files]);
  find("files").value = "";
});
find("token").value = sessionStorage.getItem(KEPT) ?? "";
find("token").addEventListener("change", () => {
  sessionStorage.setItem(KEPT, find("token").value);
  describe();
});
find("form").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
for (const kind of ["dragover", "dragleave", "drop"])
  find("drop").addEventListener(kind, (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    find("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") classify([...(event.dataTransfer?.files ?? [])]);
  });
find("command").textContent = `curl --data-binary @photo.jpg -H "Content-Type: image/jpeg" ${location.origin}/predict`;
describe();
