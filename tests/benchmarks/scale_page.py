"""The page of `bench_scale`: what its sections measured, and what follows for larger tables and clusters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "performance" / "scale.md"
ENGINES = {"processes": "processes without an engine", "dask": "Dask", "ray": "Ray", "spark": "Spark"}


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def count(number: float) -> str:
    return f"{number:,.0f}"


def about(found: dict[str, Any]) -> str:
    facts = found["about"]
    return f"{facts['cores']} cores, load {facts['load']} at the start, Python {facts['python']}"


def page(folder: Path) -> None:
    """Write the page from the files of the sections that were measured."""
    found = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    sections = [section(found) for needed, section in SECTIONS if all(name in found for name in needed)]
    PAGE.write_text("\n\n".join(sections) + "\n")


def _head(found: dict[str, Any]) -> str:
    return (
        "# Tables larger than memory, and clusters\n\nMade by `python -m tests.benchmarks.bench_scale data stream kills files "
        "processes dask ray spark runs page`. LightGBM, 100 trees of 31 leaves, 20 columns of float64, background of 100 rows; "
        "Parquet in, Parquet out. What the figures mean for larger tables is in the guide: "
        "[Large tables and clusters](../guide/scale.md)."
    )


def _stream(found: dict[str, Any]) -> str:
    rows = [_streamed(name, found["stream"][name]) for name in ("regression", "classification")]
    heads = [
        "model",
        "rows a second",
        "in memory",
        "share",
        "MB above the model",
        "bytes a row written",
        "largest difference",
    ]
    return (
        f"## One machine\n\n{count(found['data']['rows'])} rows through `explain_files`, beside `explain_local` on "
        f"{count(1_000_000)} rows in memory, before and after, in processes of their own. {about(found['stream'])}. The memory "
        f"is the highest of the process above that with the model loaded.\n\n{table(heads, rows)}"
    )


def _files(found: dict[str, Any]) -> str:
    forms = found["files"]
    return (
        f"A million rows of CSV ({forms['CSV']['bytes a row read']:.0f} bytes a row): {count(forms['CSV']['rate'])} rows a "
        f"second. Values as float32 take {forms['float32']['bytes a row']:.0f} bytes a row."
    )


def _kills(found: dict[str, Any]) -> str:
    kills = found["kills"]
    same = "the same, byte by byte" if kills["same files"] else "DIFFERENT"
    return (
        f"## Killed and continued\n\nThe regression's job was killed by SIGKILL {kills['kills']} times, "
        f"{', '.join(map(str, kills['after seconds']))} seconds after each start, and started again. The files were {same}."
    )


def _clusters(found: dict[str, Any]) -> str:
    heads = ["engine", "rows a second, 1 worker", "2 workers", "ratio", "global, 1 worker", "2 workers", "ratio", "difference",
             "of the importance"]  # fmt: skip
    rows = [_engine(ENGINES[name], found[name]) for name in ENGINES if name in found]
    loads = [f"{ENGINES[name]} {found[name]['about']['load']}" for name in ENGINES if name in found]
    return (
        "## Clusters on this machine\n\nThe classification of a million rows in eight files, read and written by the workers; "
        "each worker has one thread. Global importance reads the rows and writes none. Differences are from the values in "
        "memory, over all rows. Two workers share two cores with the driver, the scheduler and, for Spark, its Java; how two "
        "processes without an engine compare to one says what the cores allow. Load at "
        f"the start: {', '.join(loads)}."
        f"\n\n{table(heads, rows)}\n\nThe model travels as a bundle of "
        f"{count(found['data']['bundle bytes']['classification'])} bytes, once to each worker."
    )


def _streamed(name: str, one: dict[str, Any]) -> list[str]:
    memory = " and ".join(count(rate) for rate in one["in memory"])
    return [name, count(one["rate"]), memory, f"{one['share']:.2f}", count(one["MB"]), f"{one['bytes a row']:.0f}",
            f"{one['largest difference']:.0e}"]  # fmt: skip


def _engine(name: str, found: dict[str, Any]) -> list[str]:
    made = [name]
    for kind in ("rate", "global rate"):
        one, two = found["1"][kind], found["2"][kind]
        made += [count(one), count(two), f"{two / one:.2f}"]
    return [*made, f"{found['2']['difference']:.0e}", f"{found['2']['global difference']:.0e}"]


def _runs(every: dict[str, Any]) -> str:
    found = every["runs"]
    heads = ["backend", "runs a second", "statuses"]
    rows = [[str(name), f"{one['rate']:.1f}", one["statuses"]] for name, one in found.items() if name != "about"]
    return (
        f"## Runs of a search\n\n{found['about']['runs']} LightGBM models of 100 trees with 31 leaves, captured by a "
        f"`TrialExplainer` and explained on 2,000 rows against 200. {about(found)}. The driver reads a model, sends it, and "
        f"stores what comes back: {1e3 * found['about']['driver seconds']:.0f} ms of its processor for each run, and "
        f"{count(found['about']['payload bytes'])} bytes sent. "
        f"{count(found['about']['bytes kept'])} bytes are kept.\n\n{table(heads, rows)}"
    )


SECTIONS: list[tuple[tuple[str, ...], Callable[[dict[str, Any]], str]]] = [
    ((), _head),
    (("data", "stream"), _stream),
    (("files",), _files),
    (("kills",), _kills),
    (("data", "dask"), _clusters),
    (("runs",), _runs),
]
"""Sections that are needed -> what the page says of them."""
