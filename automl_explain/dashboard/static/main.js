// Starts the page: reads the data in the file and draws the dashboard, or says why that cannot be done.

import { bytesOfBase64, readData } from "./data.js";
import { mountDashboard } from "./shell.js";
import { noModel } from "./transport.js";

async function start() {
  const root = document.getElementById("dashboard");
  try {
    const payload = JSON.parse(document.getElementById("dashboard-data").textContent);
    const packed = bytesOfBase64(document.getElementById("dashboard-arrays").textContent);
    const data = await readData(payload, packed);
    mountDashboard(root, data, noModel(data.model?.reason ?? "No model was given."));
  } catch (error) {
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "alert");
    sentence.textContent = `The dashboard cannot be shown. ${error.message}`;
    root.append(sentence);
    throw error;
  }
}

start();
