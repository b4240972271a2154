// Members of an ensemble: how much of the output's variation each brings, and by which features.

import { classColor } from "../charts/palette.js";
import { numberText, shareText } from "../data/format.js";
import { element } from "../elements/dom.js";

const SHOWN_FEATURES_OF_MEMBERS = 12;

export function drawMembers(container, context, { names, share, by_feature: byFeature, reason }) {
  const { charts, data, state } = context;
  container.append(element("h2", { text: "Members of the ensemble" }));
  if (!share || !names.length) {
    container.append(element("p", { class: "axd-soft", text: reason ?? "Nothing is known of the members." }));
    return;
  }
  const palette = charts.palette();
  const chart = charts.chart(container, {
    title: "Bar chart: share of each member of the ensemble.",
    height: 70 + 30 * names.length,
    zoom: false,
    x: { label: "share of the ensemble's output", kind: "linear", zero: true },
    y: { kind: "names", names, flip: true, width: container.clientWidth < 560 ? 16 : 30 },
    table: {
      caption: "Share of each member",
      n: names.length,
      columns: [
        { label: "Member", get: (k) => names[k] },
        { label: "Share", get: (k) => share[k], text: shareText },
      ],
    },
  });
  const at = names.map((_, k) => k);
  chart.boxes({
    left: names.map(() => 0),
    right: share,
    bottom: at.map((k) => k - 0.34),
    top: at.map((k) => k + 0.34),
    color: at.map((k) => classColor(palette, k)),
    tip: (k) => [names[k], ["share", shareText(share[k])]],
    onPick: (k) => {
      const place = data.explanations.findIndex(({ name }) => name === names[k]);
      if (place >= 0) state.update({ explanation: place });
    },
  });
  chart.rule({ on: "x", value: 0 });
  chart.show();
  if (byFeature) drawByFeature(container, context, names, byFeature);
  if (reason) container.append(element("p", { class: "axd-soft", text: reason }));
}

function drawByFeature(container, { charts, data }, names, byFeature) {
  const palette = charts.palette();
  const sums = data.features.map((_, j) => byFeature.reduce((sum, row) => sum + Math.abs(row[j]), 0));
  const shown = sums
    .map((_, j) => j)
    .sort((a, b) => sums[b] - sums[a])
    .slice(0, SHOWN_FEATURES_OF_MEMBERS);
  const chart = charts.chart(container, {
    title: "Bar chart: what each member brings to the importance of the features.",
    heading: "Importance by member",
    height: 70 + 28 * shown.length,
    zoom: false,
    x: { label: "mean absolute importance, members stacked", kind: "linear", zero: true },
    y: {
      kind: "names",
      names: shown.map((j) => data.features[j].name),
      flip: true,
      width: container.clientWidth < 560 ? 16 : 30,
    },
    legend: names.map((name, k) => ({ label: name, color: classColor(palette, k) })),
    table: {
      caption: "Importance by member",
      n: shown.length,
      columns: [
        { label: "Feature", get: (k) => data.features[shown[k]].name },
        ...names.map((name, m) => ({ label: name, get: (k) => byFeature[m][shown[k]] })),
      ],
    },
  });
  let left = shown.map(() => 0);
  names.forEach((name, m) => {
    const right = left.map((value, k) => value + Math.abs(byFeature[m][shown[k]]));
    chart.boxes({
      left,
      right,
      bottom: shown.map((_, k) => k - 0.34),
      top: shown.map((_, k) => k + 0.34),
      color: classColor(palette, m),
      tip: (k) => [data.features[shown[k]].name, [name, numberText(byFeature[m][shown[k]])]],
    });
    left = right;
  });
  chart.show();
}
