// Who answers edited rows.

import { pageModelMaker } from "../model/scorer.js";
import { httpTransport } from "./http.js";
import { noModel } from "./transport.js";
import { widgetTransport } from "./widget.js";

const MAKERS = {
  page: (data) => (data.model.kind === "none" ? noModel(data.model.reason) : pageModelMaker(data)),
  http: () => httpTransport(),
  widget: (_, calls) => widgetTransport(calls),
};

// The maker of the transport that the payload names; `calls` are those of a widget.
export function makerOf(data, calls = null) {
  return MAKERS[data.transport](data, calls);
}
