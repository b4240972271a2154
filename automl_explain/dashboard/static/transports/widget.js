// Asks the kernel of a notebook by messages of the widget, without a port.

const NO_ANSWER = "The kernel does not answer. It may be busy or stopped: wait until the cells have run, or run this cell again.";
const PATIENCE_MS = 120_000;

// Calls of the kernel. `ask(message)` resolves to {content, buffers} of the answer to it, and fails with the sentence of an error.
export function widgetCalls(model) {
  const waiting = new Map();
  const prefix = `${Math.random()}`.slice(2);
  let last = 0;
  const listener = (content, buffers) => {
    const call = waiting.get(content.id);
    if (!call) return; // an answer to another view of the same widget
    waiting.delete(content.id);
    clearTimeout(call.timer);
    if (content.error) call.reject(new Error(content.error));
    else call.resolve({ content, buffers });
  };
  model.on("msg:custom", listener);
  return {
    ask(message) {
      last += 1;
      const id = `${prefix}-${last}`;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(id);
          reject(new Error(NO_ANSWER));
        }, PATIENCE_MS);
        waiting.set(id, { resolve, reject, timer });
        model.send({ ...message, id });
      });
    },
    close() {
      model.off("msg:custom", listener);
    },
  };
}

// The maker of a transport (transport.js) to the kernel.
export function widgetTransport(calls) {
  const ask = async (method, rows) => (await calls.ask({ method, rows })).content.answer;
  return {
    kind: "widget",
    predict: (rows) => ask("predict", rows),
    explain: (rows) => ask("explain", rows),
    ready: { available: true, sentence: "Edited rows are answered by the model in this notebook's kernel." },
  };
}
