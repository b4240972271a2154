// Tabs as the ARIA pattern has them: arrow keys, Home and End move between tabs, Tab goes on to the panel.

import { element, uniqueId } from "./dom.js";

// Returns {bar, panel, choose}. `tabs` are {id, title}; `onChoose(id)` is called when the user chooses a tab.
export function tabList(label, tabs, onChoose) {
  const panelId = uniqueId("panel");
  const panel = element("div", { class: "axd-panel", role: "tabpanel", id: panelId, tabindex: "-1" });
  const buttons = tabs.map(({ id, title }) =>
    element("button", {
      type: "button",
      role: "tab",
      id: uniqueId(`tab-${id}`),
      "aria-controls": panelId,
      text: title,
      on: { click: () => onChoose(id) },
    }),
  );
  const bar = element("div", { class: "axd-tabs", role: "tablist", "aria-label": label }, buttons);
  bar.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 };
    if (at < 0 || !(event.key in moves)) return;
    event.preventDefault();
    const next = (moves[event.key] + buttons.length) % buttons.length;
    buttons[next].focus();
    onChoose(tabs[next].id);
  });
  const choose = (id) => {
    tabs.forEach((tab, k) => {
      const isChosen = tab.id === id;
      buttons[k].setAttribute("aria-selected", String(isChosen));
      buttons[k].tabIndex = isChosen ? 0 : -1;
      if (isChosen) panel.setAttribute("aria-labelledby", buttons[k].id);
    });
  };
  return { bar, panel, choose };
}
