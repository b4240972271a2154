// The buttons of a chart: what dragging does, the whole range again, the chart as a picture.

import { element } from "../elements/dom.js";

// Adds Bokeh's tools for dragging to a plot, of which the first is active. Their buttons are ours, which the keyboard
// reaches.
export function addDragTools(models, plot) {
  const tools = [
    ["Zoom", new models.BoxZoomTool()],
    ["Move", new models.PanTool()],
  ];
  plot.toolbar.tools = tools.map(([, tool]) => tool);
  plot.toolbar.active_drag = tools[0][1];
  return tools;
}

function dragButtons(tools) {
  const buttons = tools.map(([name, tool]) =>
    element("button", {
      type: "button",
      class: "axd-tool",
      "aria-pressed": String(tool.active),
      text: name,
      title: `Drag to ${name.toLowerCase()}`,
      on: { click: () => choose(tool) },
    }),
  );
  const choose = (chosen) => {
    tools.forEach(([, tool], k) => {
      tool.active = tool === chosen;
      buttons[k].setAttribute("aria-pressed", String(tool === chosen));
    });
  };
  return buttons;
}

async function savePicture(view, name) {
  const blob = await view.export().to_blob();
  const address = URL.createObjectURL(blob);
  element("a", {
    href: address,
    download: `${name
      .replace(/[^\p{L}\p{N}]+/gu, " ")
      .trim()
      .slice(0, 80)}.png`,
  }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// The buttons of a chart that is drawn. `tools` as `addDragTools` returns them; empty for a chart that is not zoomed.
export function toolButtons(view, tools, title) {
  return element(
    "div",
    { class: "axd-tools", role: "group", "aria-label": "Tools of the chart" },
    tools.length
      ? [
          ...dragButtons(tools),
          element("button", {
            type: "button",
            class: "axd-tool",
            text: "Reset",
            title: "Show the whole range",
            on: { click: () => view.reset() },
          }),
        ]
      : null,
    element("button", {
      type: "button",
      class: "axd-tool",
      text: "PNG",
      title: "Save the chart as a picture",
      on: { click: () => savePicture(view, title) },
    }),
  );
}
