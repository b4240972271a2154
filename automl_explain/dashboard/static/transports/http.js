// Asks the server that sent the page. Its address has the token in it, so that relative addresses do too.

const CONNECTION_LOST = "The server of this page does not answer. It may have been stopped: start it again, and open its new address.";

async function post(method, rows) {
  let response;
  try {
    response = await fetch(method, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ rows }),
      cache: "no-store",
    });
  } catch {
    throw new Error(CONNECTION_LOST);
  }
  const answer = await response.json().catch(() => ({ error: CONNECTION_LOST }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

// The maker of a transport (transport.js) to the server.
export function httpTransport() {
  return {
    kind: "http",
    predict: (rows) => post("predict", rows),
    explain: (rows) => post("explain", rows),
    ready: { available: true, sentence: "Edited rows are answered by the model in Python, over this page's own server." },
  };
}
