"""Perceptrons and Keras models: python -m tests.benchmarks.bench_frameworks [--write docs/performance/frameworks.md].

scikit-learn's perceptrons in one process and on one thread, in turns with what they are compared with; the best of several
turns. Errors are relative L2 distances from the reference. Keras models in a process per backend: gaps are the largest
distance of a sum of values from the output, relative to the range of the outputs, at milliseconds a row.
"""

import argparse
import os
import platform
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import shap
import sklearn
from sklearn.datasets import make_friedman1
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from automl_explain import SamplingOptions, TabularExplainer
from tests.benchmarks.bench_neural import best_of, error, table

TURNS, BACKGROUND = 7, 50
NETWORKS = {
    "100 ReLU": ((100,), "relu"), "100 tanh": ((100,), "tanh"), "100 logistic": ((100,), "logistic"),
    "64, 32 ReLU": ((64, 32), "relu"), "64, 32 tanh": ((64, 32), "tanh"),
}  # fmt: skip
BACKENDS = {"torch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX"}


def trained(sizes, activation, p):
    X, y = make_friedman1(600, n_features=p, random_state=0)
    X = (X - 0.5) * 3
    settings = {"hidden_layer_sizes": sizes, "activation": activation, "max_iter": 400, "random_state": 0}
    return MLPRegressor(**settings).fit(X, (y - y.mean()) / y.std()), X


def in_turns(*asked):
    """Return the least wall and CPU milliseconds of each function, called in turns."""
    spent = [[best_of(ask, n_rows=1, turns=1)[1:] for ask in asked] for _ in range(TURNS)]
    return np.min(spent, axis=0)


def exact():
    """Return the table of exact values of 12 columns against the predictions of all coalitions."""
    p, lines = 12, []
    coalitions = (np.arange(2**p)[:, None] >> np.arange(p)) & 1 == 1
    for name, (sizes, activation) in NETWORKS.items():
        model, X = trained(sizes, activation, p)
        background, row = X[:BACKGROUND], X[500:501]
        explainer = TabularExplainer(model, background, n_jobs=1, progress=False)
        masker = shap.maskers.Independent(background, BACKGROUND)
        peer = shap.explainers.ExactExplainer(model.predict, masker)
        values = explainer.explain_local(row).local_importance_values
        gap = np.abs(values - peer(row).values).max() / np.abs(values).max()

        def predicted(model=model, row=row, background=background):
            return model.predict(np.where(coalitions[None], row, background[:, None]).reshape(-1, p))

        times = in_turns(partial(explainer.explain_local, row), predicted, partial(peer, row))
        cells = [f"{wall:.0f} ({cpu:.0f})" for wall, cpu in times]
        ratios = [f"{times[other, 1] / times[0, 1]:.1f}x" for other in (1, 2)]
        lines.append([name, *cells, *ratios, f"{gap:.0e}"])
    header = ["hidden units", "ours, ms a row (CPU)", "its predictions of all coalitions", "shap ExactExplainer",
              "predictions / ours, CPU", "shap / ours, CPU", "difference from shap"]  # fmt: skip
    return "MLPRegressor, 12 columns, 50 background rows, all coalitions", table(header, lines)


def wide():
    """Return the table of sampled values of 60 columns."""
    lines = []
    for name in ("100 ReLU", "100 tanh", "64, 32 ReLU"):
        model, X = trained(*NETWORKS[name], 60)
        background, rows = X[:BACKGROUND], X[500:505]

        def ours(nsamples, model=model, background=background, rows=rows):
            options = SamplingOptions(nsamples=nsamples)
            explainer = TabularExplainer(model, background, sampling=options, n_jobs=1, progress=False)
            explainer.explain_local(rows)
            return lambda: explainer.explain_local(rows).local_importance_values

        reference = ours(40_000)()
        for nsamples in (240, 500, 1000, 2000):
            values, wall, cpu = best_of(ours(nsamples), n_rows=len(rows))
            lines.append([name, f"ours, {nsamples}", f"{error(values, reference):.3f}", f"{wall:.1f} ({cpu:.1f})"])
        kernel = shap.KernelExplainer(model.predict, background)
        ask = partial(kernel.shap_values, rows, nsamples=1000, l1_reg=0, silent=True)
        values, wall, cpu = best_of(ask, n_rows=len(rows), turns=2)
        lines.append([name, "shap Kernel, 1000", f"{error(values, reference):.3f}", f"{wall:.1f} ({cpu:.1f})"])
        permutations = shap.PermutationExplainer(
            model.predict, shap.maskers.Independent(background, BACKGROUND), seed=0
        )
        ask = partial(permutations, rows, max_evals=1000, silent=True)
        values, wall, cpu = best_of(lambda ask=ask: ask().values, n_rows=len(rows), turns=2)
        lines.append([name, "shap Permutation, 1000", f"{error(values, reference):.3f}", f"{wall:.1f} ({cpu:.1f})"])
    header = ["hidden units", "coalitions", "error", "ms a row (CPU)"]
    return "MLPRegressor, 60 columns, 50 background rows, against 40,000 coalitions", table(header, lines)


def of_keras(backend):
    """Return the table of Keras models on a backend, made in a process of its own."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.frameworks.bench_families"],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return f"Keras on {BACKENDS[backend]}", made.stdout.strip()


SECTIONS = {"exact": exact, "wide": wide, **{name: partial(of_keras, name) for name in BACKENDS}}
"""Name -> function that returns a title and a table, in the order of the page."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--write", type=Path, help="file that takes the page")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, Python {platform.python_version()}"
    versions = f"scikit-learn {sklearn.__version__}, shap {shap.__version__}"
    made = f"Made by `python -m tests.benchmarks.bench_frameworks`: {machine}; {versions}."
    parts = [
        "# Benchmarks of perceptrons and Keras models",
        made,
        " ".join(__doc__.split("\n\n")[1].split("\n")).strip(),
    ]
    with threadpool_limits(1):
        for name, section in SECTIONS.items():
            if given.sections and name not in given.sections:
                continue
            title, text = section()
            parts.append(f"## {title}\n\n{text}")
            print(f"\n{parts[-1]}", flush=True)
    if given.write:
        given.write.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
