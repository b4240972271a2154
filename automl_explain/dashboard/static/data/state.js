// The one store of what the user has chosen: {explanation, classIndex, selected, cohort, cohorts, theme, view,
// localView, edited}. `selected` holds positions of shown rows, at most three. `cohort` is a position in `cohorts`, or
// null for all rows. `edited` is the edited row of the what-if view (charts/edited_point.js), or null.

export const MOST_SELECTED = 3;

export function createState(initial) {
  let current = Object.freeze({
    explanation: 0,
    classIndex: 0,
    selected: Object.freeze([]),
    cohort: null,
    cohorts: Object.freeze([]),
    theme: "auto",
    view: null,
    localView: null,
    edited: null,
    ...initial,
  });
  const listeners = new Set();
  return {
    get current() {
      return current;
    },
    // Calls `listener(current, changed)` after each update; `changed` is the set of changed names. Returns a function
    // that ends it.
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    update(changes) {
      const changed = new Set(Object.keys(changes).filter((name) => current[name] !== changes[name]));
      if (!changed.size) return;
      current = Object.freeze({ ...current, ...changes });
      for (const listener of [...listeners]) listener(current, changed);
    },
  };
}

// Selects a row, or drops it if it is selected; the oldest of three makes room.
export function toggleRow(state, row) {
  const { selected } = state.current;
  const others = selected.filter((other) => other !== row);
  const next = others.length < selected.length ? others : [...others, row].slice(-MOST_SELECTED);
  state.update({ selected: Object.freeze(next) });
}
