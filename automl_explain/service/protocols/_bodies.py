"""From the bytes of a body to the document that a protocol reads: JSON, CSV, JSON followed by binary tensors; and back."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from automl_explain.explainers.scoring.columns._schema import Column
from automl_explain.explainers.tables._formats import MISSING
from automl_explain.service._problems import RequestError, wrong_columns
from automl_explain.service.protocols._tables import TableReader, read_json

JSON, CSV, BINARY = "application/json", "text/csv", "application/octet-stream"
JSON_LENGTH = "Inference-Header-Content-Length"
"""Header with the bytes of the JSON before binary tensors."""
TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True)
class Body:
    """The body of a request.

    Parameters
    ----------
    content : bytes
    json_length : str
        The header `JSON_LENGTH`; empty without it.
    """

    content: bytes
    json_length: str = ""


@dataclass(frozen=True)
class Reply:
    """The body of an answer.

    Parameters
    ----------
    content : bytes
    media : str
        Its Content-Type.
    json_length : int or None
        Bytes of JSON before binary tensors; None: it is JSON as a whole.
    """

    content: bytes
    media: str = JSON
    json_length: int | None = None


Parse = Callable[[Body, TableReader], Any]
"""From a body to the document that a protocol reads."""


def json_document(body: Body, reader: TableReader) -> Any:
    """Return the document of a body of JSON."""
    return read_json(body.content)


def json_reply(document: dict[str, Any]) -> Reply:
    """Return a document as JSON."""
    return Reply(json.dumps(document, allow_nan=False).encode())


# --------------------------------------------------------------------------- CSV


def csv_document(body: Body, reader: TableReader) -> dict[str, Any]:
    """Return the table of a body of CSV with a header, as the document that MLflow's protocol has for it.

    Raises
    ------
    RequestError
        400 if it is no CSV in UTF-8, 422 if columns are missing, unknown or there twice.
    """
    try:
        rows = [
            row for row in csv.reader(io.StringIO(body.content.decode("utf-8-sig"), newline=""), strict=True) if row
        ]
    except (ValueError, csv.Error) as error:
        raise RequestError(400, f"The body must be CSV in UTF-8: {str(error)[:200]}.") from error
    if not rows:
        raise RequestError(422, "The body must be CSV with a header. Got nothing.")
    names = rows[0]
    if twice := {name: "is there twice" for name in names if names.count(name) > 1}:
        raise wrong_columns(twice)
    reader.check_names(names)
    columns = {column.name: column for column in reader.model.columns}
    read = [_reader_of(columns[name]) for name in names]
    data = [
        [take(cell) for take, cell in zip(read, row, strict=True)] if len(row) == len(names) else row
        for row in rows[1:]
    ]
    return {"dataframe_split": {"columns": names, "data": data}}


def _reader_of(column: Column) -> Callable[[str], Any]:
    """Return how the texts of a column are read; a text that is none of its cells stays, and is refused with the others."""
    known = {str(value): value for value in column.categories or ()}
    numbers = {float(value): value for value in known.values() if isinstance(value, int | float)}

    def read(text: str) -> Any:
        if text in known:
            return known[text]
        bare = text.strip()
        if bare in known or bare in MISSING:
            return known.get(bare)
        if column.kind == "date":
            return bare
        if column.kind == "number" and bare.lower() in TRUTHS and column.dtype.startswith("bool"):
            return TRUTHS[bare.lower()]
        try:
            number = float(bare) if "_" not in bare else math.nan
        except ValueError:
            return text
        if column.kind == "category":
            return numbers.get(number, text)
        return number if number == number else text

    return read


# --------------------------------------------------------------- binary tensors

NUMBERS = {
    "BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
    **{f"INT{8 * n}": f"<i{n}" for n in (1, 2, 4, 8)}, **{f"UINT{8 * n}": f"<u{n}" for n in (1, 2, 4, 8)},
}  # fmt: skip
"""Type of a tensor -> numpy's type of its elements, in the order of bytes that the protocol has."""
SIZE = "binary_data_size"
"""Parameter of a tensor: the number of its bytes after the JSON."""


def tensors_document(body: Body, reader: TableReader) -> Any:
    """Return the document of a body of JSON that binary tensors follow, each with its elements as "data".

    Raises
    ------
    RequestError
        400 if the header is no length or the JSON is none; 422 if a tensor has another size.
    """
    if not body.json_length:
        return read_json(body.content)
    length = int(body.json_length) if body.json_length.isdecimal() and len(body.json_length) < 20 else -1
    if not 0 <= length <= len(body.content):
        raise RequestError(400, f"{JSON_LENGTH} must be the number of bytes of JSON at the start of the body.")
    document, rest = read_json(body.content[:length]), memoryview(body.content)[length:]
    tensors = document.get("inputs") if isinstance(document, dict) else None
    at = 0
    for tensor in tensors if isinstance(tensors, list) else ():
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.get(SIZE) if isinstance(parameters, dict) else None
        if size is None:
            continue
        if type(size) is not int or not 0 <= size <= len(rest) - at:
            raise RequestError(422, f"{SIZE} must be the number of bytes of the tensor behind the JSON.")
        if "data" in tensor:
            raise RequestError(422, f'A tensor has either "data" or {SIZE}, not both.')
        tensor["data"] = _elements(tensor, rest[at : at + size])
        at += size
    if at != len(rest):
        raise RequestError(422, f"The body has {len(rest)} bytes behind the JSON; its tensors have {at}.")
    return document


def _elements(tensor: dict[str, Any], content: memoryview) -> list[Any]:
    """Return the elements of a binary tensor; NaN is a missing cell, as null is in JSON."""
    kind, name = tensor.get("datatype"), str(tensor.get("name"))
    if kind == "BYTES":
        return _texts(name, content)
    if not isinstance(kind, str) or kind not in NUMBERS:
        raise wrong_columns({name: f"must have a datatype among BYTES, {', '.join(NUMBERS)}"})
    dtype = np.dtype(NUMBERS[kind])
    if len(content) % dtype.itemsize:
        raise wrong_columns({name: f"has {len(content)} bytes, which are no elements of {kind}"})
    if kind == "BOOL" and not set(content) <= {0, 1}:
        raise wrong_columns({name: "holds bytes that are no booleans, which are 0 or 1"})
    found: list[Any] = np.frombuffer(content, dtype).tolist()
    return found if dtype.kind != "f" else [None if cell != cell else cell for cell in found]


def _texts(name: str, content: memoryview) -> list[str]:
    found, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "little")
        if at + 4 + size > len(content):
            raise wrong_columns(
                {name: "has texts that do not end within its bytes; each begins with its length in 4 bytes"}
            )
        try:
            found.append(bytes(content[at + 4 : at + 4 + size]).decode())
        except ValueError as error:
            raise wrong_columns({name: "holds texts that are not UTF-8"}) from error
        at += 4 + size
    return found


def tensor_bytes(array: npt.NDArray[Any]) -> bytes:
    """Return the elements of a tensor of an answer as bytes."""
    if array.dtype.kind in "fiub":
        return array.astype(array.dtype.newbyteorder("<")).tobytes()
    texts = [str(cell).encode() for cell in array.ravel().tolist()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def tensors_reply(document: dict[str, Any]) -> Reply:
    """Return a document whose tensors may have bytes as "data": these follow the JSON."""
    tail = []
    for tensor in document["outputs"]:
        if isinstance(tensor["data"], bytes):
            tail.append(tensor.pop("data"))
            tensor["parameters"] = {SIZE: len(tail[-1])}
    head = json.dumps(document, allow_nan=False).encode()
    return Reply(head) if not tail else Reply(head + b"".join(tail), BINARY, len(head))
