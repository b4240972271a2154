// What lies under the pointer, the tooltip, and clicks. Distances are in pixels of the screen.

import { element } from "../elements/dom.js";

const REACH = 12;

// The item of a mark nearest to a place: {index, distance}, or null. `toX` and `toY` turn arrays of data into pixels.
const FINDERS = {
  points: nearestPoint,
  boxes: boxAt,
  lines: nearestVertex,
};

function nearestPoint(spec, place, toX, toY) {
  const xs = toX(spec.x);
  const ys = toY(spec.y);
  let best = -1;
  let least = REACH * REACH;
  for (let i = 0; i < xs.length; i += 1) {
    const dx = xs[i] - place.x;
    const dy = ys[i] - place.y;
    const distance = dx * dx + dy * dy;
    if (distance <= least) {
      least = distance;
      best = i;
    }
  }
  return best < 0 ? null : { index: best, distance: Math.sqrt(least) };
}

function boxAt(spec, place, toX, toY) {
  const [left, right, bottom, top] = [toX(spec.left), toX(spec.right), toY(spec.bottom), toY(spec.top)];
  for (let i = left.length - 1; i >= 0; i -= 1) {
    const inX = place.x >= Math.min(left[i], right[i]) - 1 && place.x <= Math.max(left[i], right[i]) + 1;
    if (inX && place.y >= Math.min(bottom[i], top[i]) && place.y <= Math.max(bottom[i], top[i]))
      return { index: i, distance: 0 };
  }
  return null;
}

function nearestVertex(spec, place, toX, toY) {
  let best = null;
  spec.xs.forEach((xs, line) => {
    const found = nearestPoint({ x: xs, y: spec.ys[line] }, place, toX, toY);
    if (found && (!best || found.distance < best.distance))
      best = { index: line, vertex: found.index, distance: found.distance };
  });
  return best;
}

function findMark(marks, place, toX, toY, wanted) {
  let best = null;
  for (let k = marks.length - 1; k >= 0; k -= 1) {
    const { kind, spec } = marks[k];
    if (!FINDERS[kind] || !wanted(spec)) continue;
    const found = FINDERS[kind](spec, place, toX, toY);
    if (found && (!best || found.distance < best.distance)) best = { ...found, spec };
  }
  return best;
}

function showTip(tip, host, lines, place) {
  tip.replaceChildren(
    ...lines.map((line) =>
      Array.isArray(line)
        ? element(
            "div",
            {},
            element("span", { class: "axd-soft", text: `${line[0]} ` }),
            element("b", { text: line[1] }),
          )
        : element("div", { text: line }),
    ),
  );
  tip.hidden = false;
  const room = host.clientWidth - tip.offsetWidth - 4;
  tip.style.left = `${Math.max(2, Math.min(place.x + 14, room))}px`;
  tip.style.top = `${place.y + 16 + tip.offsetHeight > host.clientHeight ? place.y - tip.offsetHeight - 10 : place.y + 16}px`;
}

// Follows the pointer over `host`, the element that holds the plot. `onPick(found)` is called for clicks on an item of
// a mark that has `rows` or `onPick`.
export function followPointer({ host, view, marks, onPick }) {
  const tip = element("div", { class: "axd-tip", hidden: true, "aria-hidden": "true" });
  host.append(tip);
  const toX = (values) => view.frame.x_scale.v_compute(values);
  const toY = (values) => view.frame.y_scale.v_compute(values);
  const placeOf = (event) => {
    const canvas = view.canvas_view.el.getBoundingClientRect();
    const box = host.getBoundingClientRect();
    return {
      x: event.clientX - canvas.left,
      y: event.clientY - canvas.top,
      hostX: event.clientX - box.left,
      hostY: event.clientY - box.top,
    };
  };
  const isInside = ({ x, y }) => view.frame.bbox.contains(x, y);
  let waiting = false;
  let pressed = null;
  const move = (event) => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const place = placeOf(event);
      const found =
        isInside(place) && event.buttons === 0
          ? findMark(marks, place, toX, toY, (spec) => spec.tip || spec.rows)
          : null;
      host.style.cursor = found && (found.spec.rows || found.spec.onPick) ? "pointer" : "";
      if (found?.spec.tip)
        showTip(tip, host, found.spec.tip(found.index, found.vertex), { x: place.hostX, y: place.hostY });
      else tip.hidden = true;
    });
  };
  const leave = () => {
    tip.hidden = true;
  };
  const press = (event) => {
    pressed = [event.clientX, event.clientY];
  };
  const click = (event) => {
    const moved = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4;
    const place = placeOf(event);
    if (moved || !isInside(place)) return;
    const found = findMark(marks, place, toX, toY, (spec) => spec.rows || spec.onPick);
    tip.hidden = true; // the chart may move when the views of the row open
    if (found) onPick(found);
  };
  const listeners = { pointermove: move, pointerleave: leave, pointerdown: press, click };
  for (const [name, listener] of Object.entries(listeners)) host.addEventListener(name, listener, true);
}
