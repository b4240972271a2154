// The page: header, choices, tabs of the views, the local views of the selected rows, footer. It loads no data: it gets
// what data/data.js has read, and a transport. `mountDashboard` may be called more than once in one document.

import { createCharts } from "../charts/charts.js";
import { cohortMask } from "../cohorts/cohorts.js";
import { outputPlace, prepareData } from "../data/page_data.js";
import { createState } from "../data/state.js";
import { afterPaint, debounced, element } from "../elements/dom.js";
import { tabList } from "../elements/tabs.js";
import { createTransport } from "../transports/transport.js";
import { choicesBar, fillChoices, footerBar, notesBox, titleBar } from "./header.js";
import { VIEWS } from "./views.js";

// What makes a view drawn again; local views also follow the selection.
const REDRAWS = ["explanation", "classIndex", "cohort", "cohorts", "theme"];

// Draws the dashboard into `root`. `read` is what readData returns, `maker` the maker of a transport (transports/transport.js),
// `initial` what of the state is not as usual. Returns {state, remove}.
export function mountDashboard(root, read, maker, initial = {}) {
  const data = prepareData(read);
  const state = createState({ classIndex: data.classes?.length === 2 ? 1 : 0, ...initial });
  const page = element("div", { class: "axd" });
  root.replaceChildren(page);
  const app = {
    page,
    data,
    state,
    transport: createTransport(maker),
    charts: createCharts(state),
    memories: new Map(),
  };
  app.live = element("div", { class: "axd-offscreen", role: "status", "aria-live": "polite" });
  app.announce = (sentence) => {
    app.live.textContent = sentence;
  };
  mountParts(app);
  const stop = followTheme(app);
  return {
    state,
    remove() {
      stop();
      for (const area of app.areas) area.clear();
      page.remove();
    },
  };
}

function contextOf(app, id) {
  const { data, state, transport, charts, announce } = app;
  const explanation = data.explanations[state.current.explanation];
  if (!app.memories.has(id)) app.memories.set(id, {});
  const context = {
    data,
    state,
    transport,
    charts,
    announce,
    explanation,
    output: outputPlace(explanation, state.current.classIndex),
    classIndex: state.current.classIndex,
    memory: app.memories.get(id),
    openView: (view) => state.update({ view }),
    memoryOf: (view) => {
      if (!app.memories.has(view)) app.memories.set(view, {});
      return app.memories.get(view);
    },
  };
  const { cohort, cohorts } = state.current;
  context.cohort = cohort === null ? null : cohorts[cohort];
  context.mask = cohortMask(context, context.cohort);
  return context;
}

function mountParts(app) {
  const { page, state } = app;
  const context = contextOf(app, "page");
  const shown = VIEWS.filter((view) => !view.absent?.(app.data));
  const globalViews = shown.filter((view) => view.group !== "local");
  const localViews = shown.filter((view) => view.group === "local");
  const choices = choicesBar(context);
  const globals = area(app, "Views of all rows", globalViews, "view");
  const locals = area(app, "Views of the selected rows", localViews, "localView");
  app.areas = [globals, locals];
  let head = titleBar(context);
  let notes = notesArea(context);
  const body = element("div", { class: "axd-body" }, globals.box, locals.box);
  page.append(head, choices, notes, element("main", {}, body), footerBar(context), app.live);
  const showLocal = () => {
    const isOpen = localViews.length > 0 && state.current.selected.length > 0;
    locals.box.hidden = !isOpen;
    body.classList.toggle("axd-split", isOpen);
    if (isOpen) locals.draw();
    else locals.clear();
  };
  state.subscribe((current, changed) => {
    if (changed.has("theme")) applyTheme(app);
    if (changed.has("explanation")) {
      const next = contextOf(app, "page");
      const newHead = titleBar(next);
      const newNotes = notesArea(next);
      head.replaceWith(newHead);
      notes.replaceWith(newNotes);
      [head, notes] = [newHead, newNotes];
    }
    if (["selected", "cohorts", "cohort"].some((name) => changed.has(name))) refillChoices(app, choices);
    const all = REDRAWS.some((name) => changed.has(name));
    if (all || changed.has("view")) globals.draw();
    if (all || changed.has("localView")) showLocal();
    else if (changed.has("selected")) {
      afterPaint().then(() => page.isConnected && showLocal()); // a click is answered by the rings and names first
    }
    if (changed.has("selected")) announceSelection(app);
  });
  applyTheme(app);
  globals.draw();
  showLocal();
  redrawOnWidth(app, () => app.areas.forEach((one) => one.box.hidden || one.draw()));
}

function notesArea(context) {
  return element("section", { "aria-label": "Notes" }, notesBox(context));
}

// Fills the bar again and leaves the focus where it was, or on the field for rows if that button is gone.
function refillChoices(app, choices) {
  const hadFocus = choices.contains(app.page.getRootNode().activeElement);
  const held = [...choices.querySelectorAll("select, button, input")].indexOf(app.page.getRootNode().activeElement);
  fillChoices(choices, app);
  if (!hadFocus) return;
  const focusable = [...choices.querySelectorAll("select, button, input")];
  (focusable[held] ?? focusable.at(-1))?.focus();
}

function announceSelection({ data, state, announce }) {
  const names = state.current.selected.map((row) => data.rowName(row));
  announce(names.length ? `Selected: row ${names.join(", row ")}. Its views follow the chart.` : "No row is selected.");
}

// A list of tabs with the panel of the chosen view. `key` is the name of the chosen view in the state.
function area(app, label, views, key) {
  const { data, state, charts } = app;
  const first = (views.find((view) => !view.needs?.(data)) ?? views[0])?.id ?? null;
  const tabs = tabList(label, views, (id) => state.update({ [key]: id }));
  let cleanup = null;
  const clear = () => {
    cleanup?.();
    cleanup = null;
    charts.clear(tabs.panel);
    tabs.panel.replaceChildren();
  };
  const draw = () => {
    const id = state.current[key] ?? first;
    const view = views.find((one) => one.id === id);
    if (!view) return;
    tabs.choose(id);
    const height = tabs.panel.offsetHeight;
    tabs.panel.style.minHeight = `${height}px`; // so that the page does not jump while the view is drawn again
    clear();
    cleanup = drawView(app, view, tabs.panel);
    setTimeout(() => {
      tabs.panel.style.minHeight = "";
    }, 300);
  };
  const box = element("section", { class: `axd-area axd-${key}`, "aria-label": label }, tabs.bar, tabs.panel);
  return { box, draw, clear };
}

function drawView(app, view, panel) {
  const reason = view.needs?.(app.data);
  if (reason) {
    panel.append(element("p", { class: "axd-empty", text: reason }));
    return null;
  }
  if (view.about) panel.append(element("p", { class: "axd-about", text: view.about }));
  const sentence = (error) =>
    panel.append(
      element("p", { class: "axd-error", role: "alert", text: `This view cannot be drawn: ${error.message}` }),
    );
  try {
    const ended = view.draw(panel, contextOf(app, view.id));
    if (typeof ended?.catch === "function") ended.catch(sentence);
    return typeof ended === "function" ? ended : null;
  } catch (error) {
    sentence(error);
    return null;
  }
}

function applyTheme({ page, state }) {
  page.dataset.theme = state.current.theme;
}

function followTheme({ state, areas }) {
  if (typeof matchMedia !== "function") return () => {};
  const query = matchMedia("(prefers-color-scheme: dark)");
  const redraw = () => state.current.theme === "auto" && areas.forEach((one) => one.box.hidden || one.draw());
  query.addEventListener("change", redraw);
  return () => query.removeEventListener("change", redraw);
}

// Texts of charts are shortened to the room there is, so a page that gets much wider or narrower is drawn again.
function redrawOnWidth({ page }, redraw) {
  let drawn = page.clientWidth;
  const check = debounced(() => {
    const width = page.clientWidth;
    if (!width || Math.abs(width - drawn) < 0.15 * (drawn || 1)) return;
    drawn = width;
    redraw();
  }, 200);
  new ResizeObserver(check).observe(page);
}
