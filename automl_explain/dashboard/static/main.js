// Starts the page: reads the data in the file and draws the dashboard, or says why that cannot be done.

import { bytesOfBase64, readData } from "./data.js";

async function start() {
  const root = document.getElementById("dashboard");
  try {
    const payload = JSON.parse(document.getElementById("dashboard-data").textContent);
    const packed = bytesOfBase64(document.getElementById("dashboard-arrays").textContent);
    const data = await readData(payload, packed);
    const heading = document.createElement("h1");
    heading.textContent = `${data.title}: ${data.rows.shown} of ${data.rows.total} rows shown`;
    root.append(heading);
  } catch (error) {
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "alert");
    sentence.textContent = `The dashboard cannot be shown. ${error.message}`;
    root.append(sentence);
    throw error;
  }
}

start();
