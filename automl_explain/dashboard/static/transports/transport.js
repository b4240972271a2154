// The page's one door to the model. A maker supplies `predict(rows)` and `explain(rows)`; rows are arrays of raw cells
// in the order of the features, null for a missing cell. Makers: model/scorer.js (in the page), http.js, widget.js.

// Wraps a maker so that stale answers are dropped here and nowhere else: of the calls on one `topic`, only the last is
// answered; the earlier ones resolve to null. Calls without a topic are always answered. A maker may have `ready`, a
// promise of {available, sentence}: whether the model can be asked, and what the footer says of it.
export function createTransport(maker) {
  const latest = new Map();
  async function ask(method, rows, topic) {
    if (topic === undefined) return maker[method](rows);
    const key = `${method}:${topic}`;
    const ticket = (latest.get(key) ?? 0) + 1;
    latest.set(key, ticket);
    const isStale = () => latest.get(key) !== ticket;
    try {
      const answer = await maker[method](rows);
      return isStale() ? null : answer;
    } catch (error) {
      if (isStale()) return null;
      throw error;
    }
  }
  return {
    kind: maker.kind,
    ready: Promise.resolve(maker.ready ?? null),
    predict: (rows, topic) => ask("predict", rows, topic),
    explain: (rows, topic) => ask("explain", rows, topic),
  };
}

// The maker of a page without a model: every question is answered by the reason.
export function noModel(reason) {
  const refuse = () => Promise.reject(new Error(reason));
  return {
    kind: "none",
    predict: refuse,
    explain: refuse,
    ready: Promise.resolve({ available: false, sentence: reason }),
  };
}
