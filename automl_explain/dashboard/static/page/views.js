// The views of the page, in the order of their tabs. A view is
//   { id, title, group: "global" | "performance" | "search" | "local", about, needs, absent, draw }
// `about` is a sentence for readers who see such a chart for the first time. `needs(data)` returns a sentence if the
// view cannot be shown, else null; `absent(data)` whether its tab is left out. `draw(container, context)` fills the
// container and may return a function that is called before it is cleared. `context` is { data, state, transport,
// charts, explanation, output, classIndex, cohort, mask, memory, announce, openView, memoryOf }: `explanation` is the
// chosen one, `output` the chosen class's place in it, `mask` which rows are in the chosen cohort (null: all), `memory`
// an object of the view's own that outlives redrawing.

import { ICE_VIEW } from "../local/ice.js";
import { LOCAL_IMPORTANCE_VIEW } from "../local/importance.js";
import { WHATIF_VIEW } from "../local/whatif.js";
import { COHORTS_VIEW } from "../views/cohorts.js";
import { DATA_VIEW } from "../views/data.js";
import { DEPENDENCE_VIEW } from "../views/dependence.js";
import { EXAMPLES_VIEW } from "../views/examples.js";
import { IMPORTANCE_VIEW } from "../views/importance.js";
import { MEMBERS_VIEW } from "../views/members.js";
import { PERFORMANCE_VIEW } from "../views/performance.js";
import { SEARCH_VIEW } from "../views/search.js";
import { SUMMARY_VIEW } from "../views/summary.js";

export const VIEWS = [
  EXAMPLES_VIEW,
  DATA_VIEW,
  IMPORTANCE_VIEW,
  DEPENDENCE_VIEW,
  SUMMARY_VIEW,
  PERFORMANCE_VIEW,
  COHORTS_VIEW,
  SEARCH_VIEW,
  MEMBERS_VIEW,
  LOCAL_IMPORTANCE_VIEW,
  WHATIF_VIEW,
  ICE_VIEW,
];
