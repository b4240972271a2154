"""Tables larger than memory, and clusters: memory, throughput, resuming, and the values of every engine.

``python -m tests.benchmarks.bench_scale data stream kills files processes dask ray spark runs page``

Names of sections, each of which keeps what it measured in a file beside the data; `page` writes `docs/performance/scale.md`
from these files. LightGBM of 100 trees with 31 leaves over 20 columns, background of 100 rows, rows in Parquet.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from lightgbm import LGBMClassifier, LGBMRegressor
from pyarrow import parquet as pq

from automl_explain import PartialImportance, RowColumns, TabularExplainer, explain_files, load, save, scoring_explainer
from tests.benchmarks.scale_page import page

COLUMNS = [f"c{j}" for j in range(20)]
VALUES = [f"value of {name}" for name in COLUMNS]
KINDS = {"regression": LGBMRegressor, "classification": LGBMClassifier}
IN_MEMORY, ON_CLUSTERS = 1_000_000, 1_000_000
"""Rows that the in-memory engine, and each engine of clusters, explains."""
FILES = 8
"""Files of the table for the engines of clusters: the partitions that they start from."""
KILLS = 8
RUNS = 60
ABOUT_RUNS = ("driver seconds", "payload bytes", "bytes kept")


def rows_of(n_rows: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(n_rows, len(COLUMNS))), columns=COLUMNS)


def status(name: str) -> float:
    """Memory of this process, in MB: VmRSS now, VmHWM at its highest."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = call()
    return time.perf_counter() - started, found


# -------------------------------------------------------------------------------------------------- in processes of their own


def in_memory(folder: Path, kind: str) -> dict[str, float]:
    """Rows a second of `explain_local` on rows in memory, the best of two calls."""
    scorer = load(folder / kind)
    rows = rows_of(IN_MEMORY, 1)
    scorer.explain_local(rows[:50_000])
    return {"rate": IN_MEMORY / min(timed(lambda: scorer.explain_local(rows))[0] for _ in range(2))}


def streamed(folder: Path, kind: str, data: str, out: str, dtype: str) -> dict[str, float]:
    scorer = load(folder / kind)
    scorer.explain_local(rows_of(100, 1))
    before = status("VmRSS")
    columns = RowColumns(dtype=dtype)  # type: ignore[arg-type]
    seconds, done = timed(lambda: explain_files(scorer, folder / data, folder / out, columns=columns, progress=False))
    size = sum(path.stat().st_size for path in done.values)
    return {
        "rate": done.num_rows / seconds,
        "MB": status("VmHWM") - before,
        "model MB": before,
        "bytes a row": size / done.num_rows,
    }


def child(folder: Path, name: str, *arguments: str) -> Any:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.benchmarks.bench_scale",
        "--folder",
        str(folder),
        "--call",
        name,
    ]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


# -------------------------------------------------------------------------------------------------- sections


def data(folder: Path, n_rows: int) -> dict[str, Any]:
    """Write the table and the models."""
    train = rows_of(100_000, 0)
    signal_ = train.c0 * train.c1 + np.sin(3 * train.c2) + 0.3 * train.c3
    sizes = {}
    for kind, cls in KINDS.items():
        target = signal_ if kind == "regression" else signal_ > 0
        model = cls(n_estimators=100, num_leaves=31, verbose=-1, n_jobs=2).fit(train, target)
        explainer = scoring_explainer(TabularExplainer(model, train[:100]))
        save(explainer, folder / kind, exist_ok=True)
        sizes[kind] = len(save(explainer, folder / f"{kind}.zip", exist_ok=True).read_bytes())
    schema = pa.Schema.from_pandas(train[:1], preserve_index=False)
    with pq.ParquetWriter(folder / "rows.parquet", schema, use_dictionary=False) as writer:
        for number, start in enumerate(range(0, n_rows, 500_000)):
            rows = rows_of(min(500_000, n_rows - start), 100 + number)
            writer.write_table(pa.Table.from_pandas(rows, schema=schema, preserve_index=False), row_group_size=100_000)
    (folder / "parts").mkdir(exist_ok=True)
    some = rows_of(ON_CLUSTERS, 7).assign(id=np.arange(ON_CLUSTERS))
    for number, part in enumerate(np.array_split(np.arange(ON_CLUSTERS), FILES)):
        some.iloc[part].to_parquet(folder / "parts" / f"{number:02}.parquet", index=False)
    some[:IN_MEMORY].to_csv(folder / "rows.csv", index=False)
    size = (folder / "rows.parquet").stat().st_size
    return {"rows": n_rows, "bytes a row": size / n_rows, "bundle bytes": sizes}


def stream(folder: Path) -> dict[str, Any]:
    """Memory and throughput of the stream between two measurements of the in-memory engine."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        before = child(folder, "in_memory", kind)
        shutil.rmtree(folder / f"out-{kind}", ignore_errors=True)
        one = child(folder, "streamed", kind, "rows.parquet", f"out-{kind}", "float64")
        after = child(folder, "in_memory", kind)
        one["in memory"] = [before["rate"], after["rate"]]
        one["share"] = one["rate"] / max(one["in memory"])
        one["largest difference"] = largest_difference(folder, kind)
        found[kind] = one
    return found


def largest_difference(folder: Path, kind: str) -> float:
    """Between the stream's values and those of the table in memory, over the first million rows."""
    scorer, worst = load(folder / kind), 0.0
    for rows, values in zip(
        pq.ParquetFile(folder / "rows.parquet").iter_batches(100_000),
        pq.ParquetFile(folder / f"out-{kind}" / "values" / "part-00000.parquet").iter_batches(100_000, columns=VALUES),
        strict=False,
    ):
        if len(rows) == len(values):
            worst = max(worst, difference(scorer, rows.to_pandas(), values.to_pandas().to_numpy()))
    return worst


def difference(scorer: Any, rows: pd.DataFrame, values: Any) -> float:
    whole = scorer.explain_local(rows)
    expected = whole.local_importance_values
    if whole.is_classification:
        expected = expected[whole.predictions.argmax(axis=1), np.arange(len(rows))]
    return float(np.abs(values - expected).max())


def kills(folder: Path) -> dict[str, Any]:
    """Kill the stream at random moments, go on, and compare the files with those of a job that nobody killed."""
    shutil.rmtree(folder / "killed", ignore_errors=True)
    rng, n_killed, moments = random.Random(int(time.time())), 0, []
    command = [sys.executable, "-m", "tests.benchmarks.bench_scale", "--folder", str(folder), "--call", "streamed"]
    command += ["regression", "rows.parquet", "killed", "float64"]
    while True:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            moment = rng.uniform(3, 20)
            process.wait(moment if n_killed < KILLS else None)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            n_killed += 1
            moments.append(round(moment, 1))
    assert process.returncode == 0
    same = files_of(folder / "killed") == files_of(folder / "out-regression")
    shutil.rmtree(folder / "killed")
    return {"kills": n_killed, "after seconds": moments, "same files": same}


def files_of(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def files(folder: Path) -> dict[str, Any]:
    """Throughput and size of other forms of a million rows."""
    found = {}
    for name, source, dtype in (("CSV", "rows.csv", "float64"), ("float32", "parts/00.parquet", "float32")):
        shutil.rmtree(folder / "form", ignore_errors=True)
        found[name] = child(folder, "streamed", "regression", source, "form", dtype)
    found["CSV"]["bytes a row read"] = (folder / "rows.csv").stat().st_size / IN_MEMORY
    return found


def engine_section(name: str) -> Callable[[Path], dict[str, Any]]:
    """Rows a second of an engine with one worker and with two, each writing Parquet; the values of all rows."""

    def measure(folder: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for n_workers in (1, 2):
            found[str(n_workers)] = child(folder, "cluster", name, str(n_workers))
        found["speed-up"] = found["2"]["rate"] / found["1"]["rate"]
        return found

    return measure


def cluster(folder: Path, name: str, n_workers: str) -> dict[str, float]:
    from tests.benchmarks.scale_engines import ENGINES

    scorer = load(folder / "classification")
    engine = ENGINES[name](int(n_workers), folder)
    try:
        out = folder / "out-cluster"
        engine.write(scorer, few_rows(folder), out)  # starts all workers and warms them
        shutil.rmtree(out, ignore_errors=True)
        seconds, _ = timed(lambda: engine.write(scorer, folder / "parts", out))
        whole_seconds, whole = timed(lambda: engine.whole(scorer, folder / "parts"))
    finally:
        engine.stop()
    found = {"rate": ON_CLUSTERS / seconds, "global rate": ON_CLUSTERS / whole_seconds}
    if n_workers == "2":
        made = pd.read_parquet(out, columns=["id", *VALUES]).sort_values("id", ignore_index=True)
        assert len(made) == ON_CLUSTERS
        found |= differences(scorer, made[VALUES].to_numpy(), whole)
    shutil.rmtree(out)
    return found


def few_rows(folder: Path) -> Path:
    """Return a folder of as many files as the table has, of few rows: a single file would warm one worker only."""
    few = folder / "few"
    few.mkdir(exist_ok=True)
    for path in (folder / "parts").glob("*.parquet"):
        pd.read_parquet(path)[:2_000].to_parquet(few / path.name, index=False)
    return few


def differences(scorer: Any, values: Any, whole: Any) -> dict[str, float]:
    """Largest differences of the values of all rows, and of the merged importance, from those of the table in memory."""
    rows, alone, worst = rows_of(ON_CLUSTERS, 7), PartialImportance(), 0.0
    for start in range(0, ON_CLUSTERS, 100_000):
        some = slice(start, start + 100_000)
        explanation = scorer.explain_local(rows[some])
        best = explanation.predictions.argmax(axis=1)
        expected = explanation.local_importance_values[best, np.arange(len(best))]
        worst = max(worst, float(np.abs(values[some] - expected).max()))
        alone.add(explanation)
    expected = alone.explanation().global_importance_values
    return {"difference": worst, "global difference": float(np.abs(whole.global_importance_values - expected).max())}


def runs(folder: Path) -> dict[str, Any]:
    """Runs of a study explained in threads of this process, and by two workers of each engine."""
    found: dict[str, Any] = {}
    for backend in ("none", "dask", "ray", "spark"):
        found[backend] = child(folder, "study", backend)
    measured = {name: found["dask"].pop(name) for name in ABOUT_RUNS}
    for one in found.values():
        for name in ABOUT_RUNS:
            one.pop(name, None)
    return found | {"about": measured | {"runs": RUNS}}


def study(folder: Path, backend: str) -> dict[str, Any]:
    import optuna

    from automl_explain.integrations.optuna import TrialExplainer
    from automl_explain.integrations.searches.workers import _workers
    from tests.benchmarks.scale_engines import ENGINES

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    X = rows_of(12_000, 0)
    y = X.c0 * X.c1 + np.sin(3 * X.c2)
    model = LGBMRegressor(n_estimators=100, num_leaves=31, verbose=-1, n_jobs=2).fit(X[:10_000], y[:10_000])
    engine = ENGINES[backend](2, folder) if backend != "none" else None
    options = {"backend": backend if engine else None, "time_budget": 600, "progress": False}
    sent: list[int] = []
    dumps = _workers.cloudpickle.dumps
    _workers.cloudpickle.dumps = lambda what: sent.append(len(made := dumps(what))) or made
    with tempfile.TemporaryDirectory() as place:
        explainer = TrialExplainer(X[:10_000], X[10_000:], history=place, explainability_options=options)

        def objective(trial: Any) -> float:
            with explainer.trial(trial) as seen:
                seen.capture(copy.deepcopy(model))  # a trial makes a model of its own
                return float(trial.number)

        for n_trials in (4, RUNS):  # the first ones start and warm the workers
            optuna.create_study().optimize(objective, n_trials=n_trials)
            used = time.process_time()
            seconds, explained = timed(explainer.explain)
            used = time.process_time() - used
        kept = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file()) / (RUNS + 4)
    if engine:
        engine.stop()
    statuses = ", ".join(f"{count} {status}" for status, count in Counter(run.status for run in explained).items())
    return {
        "rate": RUNS / seconds, "statuses": statuses, "driver seconds": used / RUNS,
        "payload bytes": float(np.median(sent)) if sent else 0.0, "bytes kept": kept,
    }  # fmt: skip


SECTIONS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "stream": stream, "kills": kills, "files": files, "runs": runs,
    **{name: engine_section(name) for name in ("processes", "dask", "ray", "spark")},
}  # fmt: skip
CALLS = {"in_memory": in_memory, "streamed": streamed, "cluster": cluster, "study": study}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"data, {', '.join(SECTIONS)}, page")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/automl-explain-scale"))
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--call", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    if options.call:
        name, *arguments = options.call
        print(json.dumps(CALLS[name](options.folder, *arguments)))
        return
    for name in options.sections:
        if name == "page":
            page(options.folder)
            continue
        load_before = os.getloadavg()[0]
        seconds, found = timed(
            lambda name=name: data(options.folder, options.rows) if name == "data" else SECTIONS[name](options.folder)
        )
        about = {"load": round(load_before, 1), "seconds": round(seconds, 1), "cores": os.cpu_count()}
        about["python"] = platform.python_version()
        found["about"] = found.get("about", {}) | about
        (options.folder / f"{name}.json").write_text(json.dumps(found))
        print(name, json.dumps(found, indent=1), flush=True)


if __name__ == "__main__":
    main()
