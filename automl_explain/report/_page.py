"""The report's page: style sheet, the few lines that sort tables, and the frame around the sections."""

from __future__ import annotations

from html import escape

from automl_explain.explainers.explanation._colors import BAR_COLOR, LOWERING_COLOR, NEUTRAL_COLOR

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --soft: #5b6470; --page: #ffffff; --panel: #f5f7f9; --rule: #dde2e8;
  --bar: BAR_COLOR; --lower: LOWERING_COLOR; --grey: NEUTRAL_COLOR; --good: #1d7a4f; --warn: #9a5b00; --bad: #b3261e;
  --heat: 42, 111, 187; --mark: #eef5fd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #a2abb7; --page: #14171c; --panel: #1d2128; --rule: #343a44; --bar: #5b9be0;
    --lower: #ec8b56; --grey: #9aa0a8; --good: #5cc492; --warn: #e0a64a; --bad: #ff8a80; --heat: 91, 155, 224;
    --mark: #1b2838; }
  img { filter: invert(0.92) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.25rem; }
footer { padding-top: 2rem; padding-bottom: 3rem; color: var(--soft); font-size: 0.85rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 0.25rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 0.5rem; padding-top: 0.75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.02rem; margin: 1.75rem 0 0.4rem; }
p { margin: 0.35rem 0; max-width: 50rem; }
a { color: var(--bar); }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; font-size: 0.92rem; }
.soft { color: var(--soft); }
.small { font-size: 0.86rem; }
.id { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 0.86em; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.7rem;
  margin: 1.4rem 0; padding: 0; }
.cards div { background: var(--panel); border-radius: 8px; padding: 0.7rem 0.9rem; }
.cards dt { color: var(--soft); font-size: 0.82rem; }
.cards dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.cards dd small { display: block; font-size: 0.8rem; font-weight: 400; color: var(--soft); }
.first { background: var(--mark); border-left: 4px solid var(--bar); border-radius: 0 8px 8px 0; padding: 0.8rem 1.1rem; }
.first h2 { border: 0; margin: 0 0 0.3rem; padding: 0; font-size: 1.1rem; }
.first ul { margin: 0; padding-left: 1.1rem; }
.first li { margin: 0.25rem 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0.6rem 0; }
.tall { max-height: 40rem; overflow: auto; border: 1px solid var(--rule); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: 0.2rem 0; font-size: 0.86rem; }
th, td { text-align: left; padding: 0.32rem 0.7rem 0.32rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; }
.tall th, .tall td { padding-left: 0.7rem; }
.tall thead th { position: sticky; top: 0; background: var(--panel); z-index: 1; }
.best { background: var(--mark); }
th button { all: unset; cursor: pointer; font-weight: 600; }
th button:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
th[aria-sort] button::after { content: " \\25BE"; }
th[aria-sort="ascending"] button::after { content: " \\25B4"; }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 99px; padding: 0 0.55em; font-size: 0.78rem;
  white-space: nowrap; }
.explained { color: var(--good); } .skipped, .captured { color: var(--warn); } .failed { color: var(--bad); }
.why { display: block; color: var(--soft); font-size: 0.82rem; max-width: 22rem; overflow-wrap: anywhere; }
.importance { max-width: 60rem; }
.importance tbody th { min-width: 12rem; }
.importance .bars { width: 34%; min-width: 8rem; }
.bar { height: 0.95em; margin-top: 0.28em; background: var(--bar); border-radius: 2px; min-width: 1px; }
.bar.minus { background: var(--lower); }
.steps { max-width: 46rem; table-layout: fixed; }
.steps th, .steps td { padding-top: 0.22rem; padding-bottom: 0.22rem; }
.steps th { width: 42%; overflow-wrap: anywhere; }
.steps .number { width: 6.5rem; }
.steps.sampled .number { width: 9.5rem; }
.steps .ends th, .steps .ends .number { font-weight: 600; }
.track { position: relative; height: 1.1em; margin-top: 0.2em; }
.track i { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 1px; background: var(--bar); }
.track i.minus { background: var(--lower); }
.track i.point { width: 9px; height: 9px; min-width: 0; top: 0.2em; bottom: auto; margin-left: -4px;
  transform: rotate(45deg); background: var(--grey); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); gap: 0 2.5rem; }
figure { margin: 0.8rem 0; }
figcaption { color: var(--soft); font-size: 0.86rem; max-width: 50rem; }
img { width: 100%; max-width: 720px; min-width: 480px; height: auto; display: block; }
.chart svg { display: block; width: 100%; min-width: 420px; max-width: 860px; height: auto; }
.chart text { fill: var(--soft); font-size: 11px; }
.chart path { fill: none; stroke: var(--ink); stroke-opacity: 0.45; stroke-width: 1.5; }
.chart circle { stroke: var(--bar); stroke-width: 1.2; fill: var(--page); }
.chart .seen { fill: var(--bar); }
.chart .unseen { stroke: var(--grey); }
details { margin: 0.3rem 0; }
summary { cursor: pointer; }
td details { margin: 0; }
.plain { max-width: 50rem; }
.plain th { width: 13rem; color: var(--soft); }
@media (max-width: 40rem) {
  header, main, footer { padding-left: 0.9rem; padding-right: 0.9rem; }
  h1 { font-size: 1.4rem; }
  .plain th { width: 8rem; }
  .steps .number, .steps.sampled .number { width: 4.6rem; }
  .steps .error { display: block; }
  .importance tbody th { min-width: 8.5rem; }
  .importance .bars { min-width: 5rem; }
}
@media print { .tall { max-height: none; overflow: visible; } nav { display: none; } }
"""

_SCRIPT = """
document.querySelectorAll("table.sortable").forEach(function (table) {
  table.querySelectorAll("thead th").forEach(function (head, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", function () {
      var up = head.getAttribute("aria-sort") !== "ascending";
      table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      var key = function (row) { var cell = row.cells[column]; return cell.dataset.key || cell.textContent; };
      var rows = Array.from(table.tBodies[0].rows);
      rows.sort(function (a, b) {
        var one = key(a), two = key(b), order = one - two;
        if (isNaN(order)) { order = one.localeCompare(two, undefined, { numeric: true }); }
        return up ? order : -order;
      });
      table.tBodies[0].append.apply(table.tBodies[0], rows);
    });
  });
});
"""


def page(title: str, header: str, main: str, footer: str) -> str:
    """Return a whole HTML document that asks for nothing outside itself.

    Parameters
    ----------
    title : str
        Text; escaped here.
    header, main, footer : str
        HTML; escaped by the caller.
    """
    style = _STYLE
    for name, color in (("BAR_COLOR", BAR_COLOR), ("LOWERING_COLOR", LOWERING_COLOR), ("NEUTRAL_COLOR", NEUTRAL_COLOR)):
        style = style.replace(name, color)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<header>{header}</header>\n<main>{main}</main>\n<footer>{footer}</footer>\n"
        f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )
