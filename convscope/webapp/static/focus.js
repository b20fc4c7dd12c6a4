/**
 * Put new children into a part of the page without losing the place of the person who uses it: the element that had the
 * focus has it afterwards, with its caret and what was typed, and what was scrolled stays scrolled.
 *
 * Elements are recognized by what they are called: `data-focus` where the label changes with the value, else the label,
 * the id, the name or the text; of several with one name by their order.
 */

/**
 * @param {Element} root
 * @param {...(Node | string)} children
 */
export function replaceChildren(root, ...children) {
  const focus = keepFocus(root);
  const scroll = keepScroll(root);
  root.replaceChildren(...children);
  scroll();
  focus();
}

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/** @param {Element} element */
const nameOf = (element) =>
  element.getAttribute("data-focus") ??
  element.getAttribute("aria-label") ??
  (element.id || element.getAttribute("name") || element.textContent);

/** @param {Element} root @param {Element} like */
const sameName = (root, like) =>
  /** @type {HTMLElement[]} */ ([...root.querySelectorAll(FOCUSABLE)]).filter(
    (other) => other.tagName === like.tagName && nameOf(other) === nameOf(like),
  );

/** @param {Element} root */
function keepFocus(root) {
  const before = document.activeElement;
  if (!before || before === root || !root.contains(before)) return () => {};
  const order = sameName(root, before).indexOf(/** @type {HTMLElement} */ (before));
  const typed = keepTyping(before);
  return () => {
    if (root.contains(document.activeElement)) return; // it was not replaced, or somebody has put the focus elsewhere
    const found = sameName(root, before);
    const after = found[order] ?? found[0];
    if (after) {
      after.focus({ preventScroll: true });
      typed(after);
    } else if (root instanceof HTMLElement && root.hasAttribute("tabindex")) {
      root.focus({ preventScroll: true }); // so that Tab goes on from here and not from the top of the page
    }
  };
}

/** A field keeps what was typed, right or not yet, and its caret. @param {Element} before */
function keepTyping(before) {
  if (!(before instanceof HTMLInputElement) || !["text", "number"].includes(before.type)) return () => {};
  const { value, selectionStart, selectionEnd, selectionDirection } = before;
  const invalid = before.getAttribute("aria-invalid");
  return (/** @type {HTMLElement} */ after) => {
    if (!(after instanceof HTMLInputElement)) return;
    after.value = value;
    if (after.type === "text") after.setSelectionRange(selectionStart, selectionEnd, selectionDirection ?? undefined);
    if (invalid !== null) after.setAttribute("aria-invalid", invalid);
  };
}

/** @param {Element} root */
function keepScroll(root) {
  const before = [...root.querySelectorAll(".scroll")].map((box) => ({ left: box.scrollLeft, top: box.scrollTop }));
  return () => {
    for (const [i, box] of [...root.querySelectorAll(".scroll")].entries()) {
      const { left, top } = before[i] ?? { left: 0, top: 0 };
      if (left || top) box.scrollTo({ left, top, behavior: "instant" });
    }
  };
}
