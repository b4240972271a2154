// Loads BokehJS, which the page brings along compressed.

import { gunzip } from "../data/data.js";

// Runs the script of a gzip stream, unless BokehJS is there already, as in a notebook that uses it. The content security policy
// of the page allows this text by its hash.
export async function loadBokeh(packed) {
  if (globalThis.Bokeh?.Plotting) return;
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await gunzip(packed));
  document.head.append(script);
  if (!globalThis.Bokeh) throw new Error("This browser, or a policy of the page around it, does not run BokehJS, which draws the charts.");
}
