// Labelled controls. Each returns an element; `onChange` is called with the new value.

import { shortened } from "../data/format.js";
import { element, uniqueId } from "./dom.js";

function labelled(label, control, extra = null) {
  const id = uniqueId("control");
  control.id = id;
  return element("div", { class: "axd-control" }, element("label", { for: id, text: label }), control, extra);
}

// A list to choose from. `options` are [value, text] pairs, or {label, options: [...]} groups of them.
export function selectControl(label, options, chosen, onChange) {
  const byText = new Map();
  const optionOf = ([value, text]) => {
    byText.set(String(value), value);
    return element("option", {
      value: String(value),
      text: shortened(text, 60),
      title: text,
      selected: String(value) === String(chosen),
    });
  };
  const children = options.map((option) =>
    Array.isArray(option)
      ? optionOf(option)
      : element("optgroup", { label: option.label }, option.options.map(optionOf)),
  );
  const select = element("select", { on: { change: () => onChange(byText.get(select.value)) } }, children);
  return labelled(label, select);
}

// A slider with its value beside it.
export function sliderControl(label, { min, max, step = 1, value, text = String }, onChange) {
  const shown = element("output", { class: "axd-value", text: text(value) });
  const slider = element("input", { type: "range", min, max, step, "aria-valuetext": text(value) });
  slider.value = value;
  slider.addEventListener("input", () => {
    const chosen = Number(slider.value);
    shown.textContent = text(chosen);
    slider.setAttribute("aria-valuetext", text(chosen));
    onChange(chosen);
  });
  return labelled(label, slider, shown);
}

export function toggleControl(label, value, onChange) {
  const id = uniqueId("toggle");
  const box = element("input", { type: "checkbox", id, checked: value });
  box.addEventListener("change", () => onChange(box.checked));
  return element("div", { class: "axd-control axd-toggle" }, box, element("label", { for: id, text: label }));
}

// A few exclusive choices side by side. `options` are [value, text] pairs.
export function segmentedControl(label, options, chosen, onChange) {
  const name = uniqueId("choice");
  const choices = options.map(([value, text]) => {
    const id = uniqueId("choice");
    const radio = element("input", { type: "radio", name, id, checked: value === chosen });
    radio.addEventListener("change", () => radio.checked && onChange(value));
    return [radio, element("label", { for: id, text })];
  });
  return element(
    "fieldset",
    { class: "axd-control axd-segments" },
    element("legend", { text: label }),
    element("div", {}, choices.flat()),
  );
}

export function buttonControl(text, onClick, attributes = {}) {
  return element("button", { type: "button", text, on: { click: onClick }, ...attributes });
}

// The settings of a view, kept while the user looks at other views. Returns `settings` and `set(name)`, a listener that
// stores a value and draws again.
export function viewSettings(context, defaults, draw) {
  const settings = context.memory;
  for (const [name, value] of Object.entries(defaults)) if (!(name in settings)) settings[name] = value;
  const set = (name) => (value) => {
    settings[name] = value;
    draw();
  };
  return { settings, set };
}
