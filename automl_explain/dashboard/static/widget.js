// The page in a notebook: what anywidget calls for each view of the widget.

import { loadBokeh } from "./bokeh.js";
import { readData } from "./data.js";
import { makerOf } from "./makers.js";
import { mountDashboard } from "./shell.js";
import { widgetCalls } from "./transport_widget.js";

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export async function renderWidget({ model, el }) {
  const calls = widgetCalls(model);
  let mounted = null;
  try {
    el.textContent = "The dashboard is being loaded ...";
    const { content, buffers } = await calls.ask({ method: "page" });
    const [arrays, bokeh] = buffers.map(bytesOf);
    await loadBokeh(bokeh);
    const data = await readData(content.payload, arrays);
    mounted = mountDashboard(el, data, makerOf(data, calls));
  } catch (error) {
    el.textContent = `The dashboard cannot be shown. ${error.message}`;
  }
  return () => {
    mounted?.remove();
    calls.close();
  };
}
