"""Tables as arrays and JSON: each column, index and label comes back with its values and its type, or is refused.

A column is a JSON description, whose `as` names the coding, and arrays without object dtype, whose names begin with the name
of the column. `_CODINGS` lists the codings. Three of them are only read: ``number``, which is also written, ``time`` and
``category``, with which protocol 2 of explanations stored all columns.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl_explain.explainers._errors import InvalidInputError, MissingExtraError
from automl_explain.explainers.tables._cell_coding import decode_cell, encode_cell, pandas_zone, period_name, zone_name

Facts: TypeAlias = dict[str, Any]
Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


class Coding(NamedTuple):
    """One coding of columns.

    Parameters
    ----------
    fits : callable
        Whether a dtype is coded this way.
    encode : callable
        From a series to its facts and its arrays, named by what follows the name of the column.
    decode : callable
        From facts and arrays to the column.
    """

    fits: Callable[[Any], bool]
    encode: Callable[[pd.Series], tuple[Facts, Arrays]]
    decode: Callable[[Facts, Arrays], Any]


def encode_column(series: pd.Series, name: str, arrays: Arrays) -> Facts:
    """Return the facts of a column, and put its arrays among `arrays`.

    Raises
    ------
    InvalidInputError
        If the column has a type, or holds cells, that cannot be stored.
    """
    for how, coding in _CODINGS.items():
        if coding.fits(series.dtype):
            try:
                facts, parts = coding.encode(series)
            except InvalidInputError as error:
                raise InvalidInputError(f"Column {series.name!r} cannot be stored: {error}") from error
            arrays |= {f"{name}{part}": array for part, array in parts.items()}
            return {"as": how, **facts}
    raise InvalidInputError(
        f"Column {series.name!r} has the type {series.dtype}, which cannot be stored in a file. Convert it to numbers, text or "
        "dates."
    )


def decode_column(facts: Facts, name: str, arrays: Arrays) -> Any:
    """Return a column from its facts and arrays."""
    own = {
        part.removeprefix(name): array for part, array in arrays.items() if part == name or part.startswith(f"{name}.")
    }
    return _CODINGS[facts["as"]].decode(facts, own)


def encode_index(index: pd.Index, name: str, arrays: Arrays) -> Facts:
    """Return the facts of an index or of column labels, and put its arrays among `arrays`."""
    names = [encode_cell(label) for label in index.names]
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "names": names}
    several = isinstance(index, pd.MultiIndex)
    levels = index.levels if several else [index]
    facts: Facts = {
        "levels": [encode_column(_series(level), f"{name}.{j}", arrays) for j, level in enumerate(levels)],
        "names": names,
        "multi": several,
    }
    if several:
        arrays |= {f"{name}.codes.{j}": np.asarray(codes) for j, codes in enumerate(index.codes)}
    freq = None if isinstance(index, pd.PeriodIndex) else getattr(index, "freqstr", None)
    return facts if freq is None else {**facts, "freq": freq}


def decode_index(facts: Facts, name: str, arrays: Arrays) -> pd.Index:
    """Return an index from its facts and arrays."""
    names = [decode_cell(label) for label in facts["names"]]
    if "range" in facts:
        return pd.RangeIndex(*facts["range"], name=names[0])
    levels = [
        pd.Index(
            decode_column(level, f"{name}.{j}", arrays), copy=False, dtype=object if level["as"] == "object" else None
        )
        for j, level in enumerate(facts["levels"])
    ]
    if facts["multi"]:
        codes = [arrays[f"{name}.codes.{j}"] for j in range(len(levels))]
        return pd.MultiIndex(levels, codes, names=names)
    index = levels[0].set_names(names)
    if "freq" in facts:
        index.freq = facts["freq"]
    return index


def encode_objects(cells: npt.NDArray[Any]) -> tuple[Facts, Arrays]:
    """Return an array of Python objects as codes of its distinct cells."""
    flat = cells.ravel()
    if pd.api.types.infer_dtype(flat, skipna=False) == "string" and all(type(cell) is str for cell in flat):
        codes, distinct = pd.factorize(flat)
        return {"labels": distinct.tolist()}, {"": codes}
    codes, texts = pd.factorize(np.array([json.dumps(encode_cell(cell)) for cell in flat], dtype=object))
    return {"labels": [json.loads(text) for text in texts]}, {"": codes}


def decode_objects(facts: Facts, arrays: Arrays) -> npt.NDArray[Any]:
    """Return the array of objects, one-dimensional; cells that can be changed are not shared."""
    labels, plain = facts["labels"], not any(isinstance(label, list) for label in facts["labels"])
    _check_codes(arrays[""], len(labels), smallest=0)
    found = np.empty(len(arrays[""]), dtype=object)
    if plain:
        known = np.empty(len(labels), dtype=object)
        known[:] = labels
        return known[arrays[""]] if len(labels) else found
    for row, code in enumerate(arrays[""].tolist()):
        found[row] = decode_cell(labels[code])
    return found


def _check_codes(codes: npt.NDArray[Any], n_labels: int, smallest: int) -> None:
    if (
        codes.ndim != 1
        or codes.dtype.kind != "i"
        or (len(codes) and not smallest <= codes.min() <= codes.max() < n_labels)
    ):
        raise InvalidInputError("A column holds codes of labels that it does not have.")


def _series(index: pd.Index) -> pd.Series:
    return pd.Series(index, name=index.name, dtype=object if index.dtype == object else None)


def _number(series: pd.Series) -> tuple[Facts, Arrays]:
    return {}, {"": series.to_numpy()}


def _times(series: pd.Series) -> tuple[Facts, Arrays]:
    cells = series.to_numpy()
    return {"dtype": cells.dtype.str}, {"": cells.view(np.int64)}


def _zoned(series: pd.Series) -> tuple[Facts, Arrays]:
    dtype, plain = series.dtype, series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    zone = zone_name(dtype.tz)
    return {"unit": dtype.unit, "zone": zone}, {"": plain.view(np.int64)}


def _read_zoned(facts: Facts, arrays: Arrays) -> pd.Series:
    times = pd.Series(arrays[""].view(f"datetime64[{facts['unit']}]"))
    return times.dt.tz_localize("UTC").dt.tz_convert(pandas_zone(facts["zone"]))


def _masked(series: pd.Series) -> tuple[Facts, Arrays]:
    plain = series.dtype.numpy_dtype
    return {"dtype": str(series.dtype)}, {
        "": series.to_numpy(dtype=plain, na_value=plain.type(0)), ".missing": series.isna().to_numpy(bool) & _hidden(series),
    }  # fmt: skip


def _hidden(series: pd.Series) -> npt.NDArray[np.bool_]:
    """Return which cells of a nullable column are missing, not NaN."""
    return (
        np.array([cell is pd.NA for cell in series.array]) if series.dtype.kind == "f" else series.isna().to_numpy(bool)
    )


def _read_masked(facts: Facts, arrays: Arrays) -> Any:
    of_kind = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}
    return of_kind.get(arrays[""].dtype.kind, pd.arrays.IntegerArray)(arrays[""], arrays[".missing"])


def _texts(series: pd.Series) -> tuple[Facts, Arrays]:
    codes, distinct = pd.factorize(series)
    dtype = series.dtype
    return {"labels": list(map(str, distinct)), "storage": dtype.storage, "nan": dtype.na_value is not pd.NA}, {
        "": codes
    }


def _read_texts(facts: Facts, arrays: Arrays) -> Any:
    options = {"na_value": np.nan} if facts["nan"] else {}
    try:
        dtype = pd.StringDtype(facts["storage"], **options)
    except ImportError:  # pyarrow is not installed here
        dtype = pd.StringDtype("python", **options)
    _check_codes(arrays[""], len(facts["labels"]), smallest=-1)
    missing = np.array([*facts["labels"], None], dtype=object)
    return pd.array(missing[arrays[""]], dtype=dtype)


def _categories(series: pd.Series) -> tuple[Facts, Arrays]:
    arrays: Arrays = {"": series.cat.codes.to_numpy()}
    labels = encode_column(_series(series.cat.categories), ".labels", arrays)
    return {"labels": labels, "ordered": bool(series.cat.ordered)}, arrays


def _read_categories(facts: Facts, arrays: Arrays) -> pd.Categorical:
    labels = facts["labels"]
    known = pd.Index(decode_column(labels, ".labels", arrays), dtype=object if labels["as"] == "object" else None)
    return pd.Categorical.from_codes(arrays[""], categories=known, ordered=facts["ordered"])


def _periods(series: pd.Series) -> tuple[Facts, Arrays]:
    return {"freq": period_name(series.dtype)}, {"": series.array.asi8}


def _read_periods(facts: Facts, arrays: Arrays) -> Any:
    return pd.arrays.PeriodArray(arrays[""], dtype=pd.PeriodDtype(facts["freq"]))


def _intervals(series: pd.Series) -> tuple[Facts, Arrays]:
    arrays: Arrays = {}
    ends = {end: encode_column(pd.Series(getattr(series.array, end)), f".{end}", arrays) for end in ("left", "right")}
    return {**ends, "closed": series.dtype.closed}, arrays


def _read_intervals(facts: Facts, arrays: Arrays) -> Any:
    ends = (pd.Index(decode_column(facts[end], f".{end}", arrays)) for end in ("left", "right"))
    return pd.arrays.IntervalArray.from_arrays(*ends, closed=facts["closed"])


def _sparse(series: pd.Series) -> tuple[Facts, Arrays]:
    arrays: Arrays = {}
    dense = encode_column(pd.Series(np.asarray(series.array)), ".dense", arrays)
    return {"dense": dense, "fill": encode_cell(series.dtype.fill_value), "subtype": series.dtype.subtype.str}, arrays


def _read_sparse(facts: Facts, arrays: Arrays) -> Any:
    dense = np.asarray(decode_column(facts["dense"], ".dense", arrays))
    return pd.arrays.SparseArray(dense, dtype=pd.SparseDtype(np.dtype(facts["subtype"]), decode_cell(facts["fill"])))


def _arrow(series: pd.Series) -> tuple[Facts, Arrays]:
    import pyarrow as pa

    table = pa.table({"column": series.array.__arrow_array__()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return {}, {"": np.frombuffer(sink.getvalue(), dtype=np.uint8)}


def _read_arrow(facts: Facts, arrays: Arrays) -> Any:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError(
            "The explanation holds Arrow columns, which are read through pyarrow: pip install 'automl-explain[arrow]'"
        ) from error
    table = pa.ipc.open_stream(arrays[""].tobytes()).read_all()
    table.validate(full=True)  # compiled code follows its offsets
    return pd.arrays.ArrowExtensionArray(table["column"])


def _old_categories(facts: Facts, arrays: Arrays) -> pd.Categorical:
    return pd.Categorical.from_codes(arrays[""], categories=facts["labels"])


def _refuse(series: pd.Series) -> tuple[Facts, Arrays]:
    raise AssertionError("read only")


def _is_numpy(kinds: str) -> Callable[[Any], bool]:
    return lambda dtype: isinstance(dtype, np.dtype) and dtype.kind in kinds


def _is_a(*names: str) -> Callable[[Any], bool]:
    return lambda dtype: any(kind.__name__ in names for kind in type(dtype).__mro__)


_CODINGS: dict[str, Coding] = {
    "number": Coding(_is_numpy("biufc"), _number, lambda facts, arrays: arrays[""]),
    "object": Coding(_is_numpy("O"), lambda series: encode_objects(series.to_numpy()), decode_objects),
    "times": Coding(_is_numpy("Mm"), _times, lambda facts, arrays: arrays[""].view(facts["dtype"])),
    "zoned": Coding(_is_a("DatetimeTZDtype"), _zoned, _read_zoned),
    "masked": Coding(_is_a("BaseMaskedDtype"), _masked, _read_masked),
    "text": Coding(_is_a("StringDtype"), _texts, _read_texts),
    "categories": Coding(_is_a("CategoricalDtype"), _categories, _read_categories),
    "period": Coding(_is_a("PeriodDtype"), _periods, _read_periods),
    "interval": Coding(_is_a("IntervalDtype"), _intervals, _read_intervals),
    "sparse": Coding(_is_a("SparseDtype"), _sparse, _read_sparse),
    "arrow": Coding(_is_a("ArrowDtype"), _arrow, _read_arrow),
    "time": Coding(
        lambda dtype: False, _refuse, lambda facts, arrays: pd.Series(arrays[""].view(f"datetime64[{facts['unit']}]"))
    ),
    "category": Coding(lambda dtype: False, _refuse, _old_categories),
}
"""Name of a coding -> the coding; the first that fits is used."""
