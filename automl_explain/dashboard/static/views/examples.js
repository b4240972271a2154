// Examples: explained texts and images, as the library's templates show them in notebooks.

import { element } from "../elements/dom.js";

const UNWANTED = "script, iframe, object, embed, link, meta, base, form";

export const EXAMPLES_VIEW = {
  id: "examples",
  title: "Examples",
  group: "global",
  absent: (data) => !data.examples,
  about: "The texts or images that were explained, with what raises and what lowers the output.",
  draw: drawExamples,
};

// The markup comes from templates that escape all data. It is parsed in a document of its own, in which no script runs,
// and shown in a shadow tree, so that its styles stay inside.
function drawExamples(container, { data }) {
  const parsed = new DOMParser().parseFromString(data.examples, "text/html");
  parsed.querySelectorAll(UNWANTED).forEach((unwanted) => unwanted.remove());
  for (const one of parsed.querySelectorAll("*")) {
    for (const { name, value } of [...one.attributes]) {
      if (name.startsWith("on") || /^\s*javascript:/i.test(value)) one.removeAttribute(name);
    }
  }
  const host = element("div", { class: "axd-examples" });
  const inside = host.attachShadow({ mode: "open" });
  inside.append(...[...parsed.head.children, ...parsed.body.childNodes].map((node) => document.adoptNode(node)));
  container.append(host);
}
