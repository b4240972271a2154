// Elements of the page. Text and attributes only: names and values from data are never read as HTML.

// Returns a new element. `attributes`: "class", "text", any attribute (true: present, false or null: left out), and
// `on: {event: listener}`. Children are elements, strings or null.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (name === "text") {
      made.textContent = value;
    } else if (name === "value") {
      made.value = value;
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value != null) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

let lastId = 0;

// Returns an id that no other element of this document has, also with several dashboards in one notebook.
export function uniqueId(prefix) {
  lastId += 1;
  return `axd-${prefix}-${lastId}`;
}

// Returns a function that calls `action` once, `delay` ms after its last call; `cancel` drops a waiting call.
export function debounced(action, delay) {
  let timer = null;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), delay);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

// Copies text; falls back to a selection in pages without clipboard permission, such as file:// and iframes.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { class: "axd-offscreen", "aria-hidden": "true", value: text });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

// Resolves when what has been changed so far has been painted.
export function afterPaint() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve, 0));
  });
}

// Resolves when the page has nothing better to do, such as to answer a click; not every browser tells.
export function whenIdle() {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === "function") requestIdleCallback(resolve, { timeout: 100 });
    else setTimeout(resolve, 0);
  });
}
