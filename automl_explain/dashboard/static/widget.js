// The page in a notebook: what anywidget calls for each view of the widget.

import { readData } from "./data/data.js";
import { loadBokeh } from "./page/bokeh.js";
import { hostTheme } from "./page/host_theme.js";
import { mountDashboard } from "./page/shell.js";
import { makerOf } from "./transports/makers.js";
import { widgetCalls } from "./transports/widget.js";

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
    mounted = mountDashboard(el, data, makerOf(data, calls), { theme: hostTheme() });
  } catch (error) {
    el.textContent = `The dashboard cannot be shown. ${error.message}`;
  }
  return () => {
    mounted?.remove();
    calls.close();
  };
}
