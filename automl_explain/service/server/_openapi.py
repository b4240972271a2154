"""The description of the routes, from the columns of the served models, and a page that shows it without the network."""

from __future__ import annotations

from typing import Any

from automl_explain.explainers.formatting._html import render
from automl_explain.explainers.scoring.columns._schema import Column
from automl_explain.explainers.tables._moments import EXAMPLES, is_zoned
from automl_explain.service._service import Service
from automl_explain.service.models._served_model import ServedModel
from automl_explain.service.protocols._open_inference import DATATYPES, OUTPUTS

DESCRIPTION = "Predictions with their local importance values. Every answer is whole, or an object with the key error."
SUMMARIES = {
    "/score": "Score and explain rows with the first model",
    "/score/{model}": "Score and explain rows",
    "/v1/models/{model}:predict": "Predict (KServe v1)",
    "/v1/models/{model}:explain": "Predict and explain (KServe v1)",
    "/v2/models/{model}/infer": "Predict and explain (Open Inference v2)",
    "/v2/models/{model}/versions/{version}/infer": "Predict and explain with a version (Open Inference v2)",
    "/invocations": "Predict and explain with the first model (MLflow)",
    "/livez": "Whether the process is well",
    "/readyz": "Whether requests may be sent: a score of each model has succeeded",
    "/ping": "The same, for MLflow's clients",
    "/health": "The same, for MLflow's clients",
    "/version": "Version of automl-explain",
    "/metrics": "Counters for Prometheus",
    "/importance": "Rolling importance of the first model's features, a file for automl-explain diff",
    "/importance/{model}": "Rolling importance of the features, a file for automl-explain diff",
    "/v1/models": "Names of the models (KServe v1)",
    "/v1/models/{model}": "Whether a model is ready (KServe v1)",
    "/v2": "The server (Open Inference v2)",
    "/v2/health/live": "Whether the process is well (Open Inference v2)",
    "/v2/health/ready": "Whether requests may be sent (Open Inference v2)",
    "/v2/models/{model}": "Tensors of a model (Open Inference v2)",
    "/v2/models/{model}/ready": "Whether a model is ready (Open Inference v2)",
    "/v2/models/{model}/versions/{version}": "Tensors of a version (Open Inference v2)",
    "/v2/models/{model}/versions/{version}/ready": "Whether a version is ready (Open Inference v2)",
}
"""Route -> what it does."""
SCORING = {
    400: "The body is not JSON",
    408: "The body did not arrive in time",
    413: "The body or its rows are too many",
    415: "The Content-Type is none of those of the route",
    422: "The rows do not match the model; columns says why",
    429: "Too many requests wait; see Retry-After",
    500: "The model failed",
    503: "The service is not ready",
    504: "The answer took too long",
}
"""Status of a scoring route -> what it means."""
ERROR = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "status": {"type": "integer"},
        "columns": {"type": "object", "additionalProperties": {"type": "string"}},
        "more_columns": {"type": "integer"},
    },
    "required": ["error", "status"],
}


def operation(path: str, protocol: str, service: Service) -> dict[str, Any]:
    """Return the arguments of FastAPI's `add_api_route` that describe a route.

    Parameters
    ----------
    path : str
    protocol : str
        Name of the protocol of its body; empty for routes without a body.
    service : Service
    """
    known = [(name, one.model) for name, one in service.served.items()]
    models = known if "{model}" in path else known[:1]
    said: dict[str, Any] = {"parameters": _parameters(path, models)}
    statuses = {401: "The token is missing or wrong"}
    if protocol:
        statuses |= SCORING
        shapes = [BODIES[protocol](model) for _, model in models]
        schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
        content = {"application/json": {"schema": schema}} | OTHER_BODIES.get(protocol, {})
        said["requestBody"] = {"required": True, "content": content}
    if "{" in path or path.startswith("/importance"):
        statuses[404] = "There is no such model, version or importance"
    if not protocol:
        statuses[503] = "Not well"
    media = {"application/json": {"schema": ERROR}}
    responses: dict[int, Any] = {
        status: {"description": why, "content": media} for status, why in sorted(statuses.items())
    }
    responses[200] = {"description": "The answer", "content": {kind: {} for kind in _answers(path, protocol)}}
    name = path.strip("/").translate(str.maketrans("/:", "__", "{}")) or "root"
    return {
        "summary": SUMMARIES[path],
        "openapi_extra": said,
        "responses": responses,
        "response_model": None,
        "operation_id": name,
    }


ANSWERS = {
    "/metrics": "text/plain",
    "/version": "text/plain",
    "/importance": "application/zip",
    "/importance/{model}": "application/zip",
}
"""Route -> type of an answer that is no JSON."""


def _answers(path: str, protocol: str) -> list[str]:
    return [
        ANSWERS.get(path, "application/json"),
        *(["application/octet-stream"] if protocol == "open_inference" else []),
    ]


def docs_page(description: dict[str, Any]) -> str:
    """Return a page that lists the routes of an OpenAPI description."""
    routes = [
        {"method": method.upper(), "path": path, **facts}
        for path, methods in description["paths"].items()
        for method, facts in methods.items()
    ]
    return render("docs.html", "automl_explain.service", description=description, routes=routes)


def _parameters(path: str, models: list[tuple[str, ServedModel]]) -> list[dict[str, Any]]:
    known = {"model": [name for name, _ in models], "version": [model.version for _, model in models]}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "enum": list(dict.fromkeys(values))},
        }
        for name, values in known.items()
        if f"{{{name}}}" in path
    ]


# --------------------------------------------------------------------- bodies


def _cell(column: Column) -> dict[str, Any]:
    if column.kind == "number":
        return {"type": ["number", "null"] if column.missing else "number"}
    if column.kind == "date":
        said = f"an ISO date, such as {EXAMPLES[is_zoned(column.dtype)]}"
        return {"type": ["string", "null"] if column.missing else "string", "description": said}
    return {"enum": [*(column.categories or ()), *([None] if column.missing else [])]}


def _record(model: ServedModel) -> dict[str, Any]:
    cells = {column.name: _cell(column) for column in model.columns}
    return {"type": "object", "properties": cells, "required": list(cells), "additionalProperties": False}


def _records(model: ServedModel) -> dict[str, Any]:
    return {"type": "array", "items": _record(model), "minItems": 1}


def _split(model: ServedModel) -> dict[str, Any]:
    names = [column.name for column in model.columns]
    cells, count = [_cell(column) for column in model.columns], len(names)
    row = {"type": "array", "prefixItems": cells, "minItems": count, "maxItems": count}
    parts = {"columns": {"const": names}, "data": {"type": "array", "items": row, "minItems": 1}}
    return {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}


def _object(needed: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": needed | others,
        "required": list(needed),
        "additionalProperties": False,
    }


def _score_body(model: ServedModel) -> dict[str, Any]:
    options = {"explain": {"type": "boolean"}, "top_k": {"type": "integer", "minimum": 0}}
    wrapped = [_object({"records": _records(model)}, **options), _object({"split": _split(model)}, **options)]
    return {"anyOf": [_records(model), _record(model), _split(model), *wrapped]}


def _instances(model: ServedModel) -> dict[str, Any]:
    return {"anyOf": [_records(model), _split(model)["properties"]["data"]]}


def _mlflow_body(model: ServedModel) -> dict[str, Any]:
    tables = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _instances}
    params = _object({}, explain={"type": "boolean"})
    return {"anyOf": [_object({key: make(model)}, params=params) for key, make in tables.items()]}


def _tensors(model: ServedModel) -> dict[str, Any]:
    tensor = _object(
        {
            "name": {"enum": [column.name for column in model.columns]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
            "datatype": {"enum": list(DATATYPES)},
            "data": {"type": "array", "items": {"type": ["number", "string", "boolean", "null"]}},
        },
        parameters={"type": "object"},
    )
    outputs = {"type": "array", "items": _object({"name": {"enum": list(OUTPUTS)}}, parameters={"type": "object"})}
    return _object(
        {"inputs": {"type": "array", "items": tensor, "minItems": 1}}, id={"type": "string"}, outputs=outputs
    )


BODIES = {
    "score": _score_body,
    "kserve_predict": lambda model: _object({"instances": _instances(model)}),
    "kserve_explain": lambda model: _object({"instances": _instances(model)}),
    "open_inference": _tensors,
    "mlflow": _mlflow_body,
}
"""Protocol -> schema of its body for a model."""
OTHER_BODIES: dict[str, dict[str, Any]] = {
    "open_inference": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "mlflow": {"text/csv": {"schema": {"type": "string"}}},
}
"""Protocol -> other types of its body: JSON with binary tensors behind it, and rows with a header."""
