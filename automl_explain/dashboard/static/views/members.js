// Members of an ensemble: how much each contributes to the outputs, and by which features.

import { classColor } from "../charts/palette.js";
import { numberText } from "../data/format.js";
import { element } from "../elements/dom.js";

const SHOWN_FEATURES_OF_MEMBERS = 12;

export const MEMBERS_VIEW = {
  id: "members",
  title: "Members",
  group: "search",
  about: "What each member of the ensemble contributes to its outputs, and by which features.",
  absent: (data) => !data.members,
  draw: drawMembers,
};

function drawMembers(container, context) {
  const { charts, data, state } = context;
  const { names, importance, by_feature: byFeature, reason } = data.members;
  if (!importance || !names.length) {
    container.append(element("p", { class: "axd-soft", text: reason ?? "Nothing is known of the members." }));
    return;
  }
  const palette = charts.palette();
  const chart = charts.chart(container, {
    title: "Bar chart: mean absolute contribution of each member of the ensemble.",
    height: 70 + 30 * names.length,
    zoom: false,
    x: { label: "mean absolute contribution to the output", kind: "linear", zero: true },
    y: { kind: "names", names, flip: true, width: container.clientWidth < 560 ? 16 : 30 },
    table: {
      caption: "Contribution of each member",
      n: names.length,
      columns: [
        { label: "Member", get: (k) => names[k] },
        { label: "Mean absolute contribution", get: (k) => importance[k], text: numberText },
      ],
    },
  });
  const at = names.map((_, k) => k);
  chart.boxes({
    left: names.map(() => 0),
    right: importance,
    bottom: at.map((k) => k - 0.34),
    top: at.map((k) => k + 0.34),
    color: at.map((k) => classColor(palette, k)),
    tip: (k) => [names[k], ["mean absolute contribution", numberText(importance[k])]],
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
    title: "Bar chart: contribution of each member to the importance of the features.",
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
