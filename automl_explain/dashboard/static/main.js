// Starts the page: reads the data in the file and draws the dashboard, or says why that cannot be done.

import { bytesOfBase64, readData } from "./data/data.js";
import { loadBokeh } from "./page/bokeh.js";
import { mountDashboard } from "./page/shell.js";
import { makerOf } from "./transports/makers.js";

const textOf = (id) => document.getElementById(id).textContent;

async function start() {
  const root = document.getElementById("dashboard");
  try {
    const [data] = await Promise.all([
      readData(JSON.parse(textOf("dashboard-data")), bytesOfBase64(textOf("dashboard-arrays"))),
      loadBokeh(bytesOfBase64(textOf("dashboard-bokeh"))),
    ]);
    mountDashboard(root, data, makerOf(data));
  } catch (error) {
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "alert");
    sentence.textContent = `The dashboard cannot be shown. ${error.message}`;
    root.append(sentence);
    throw error;
  }
}

start();
