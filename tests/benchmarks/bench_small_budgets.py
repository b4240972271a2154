"""Error against evaluations of sampled values: python -m tests.benchmarks.bench_small_budgets [SEEDS] [--picture PATH].

From 2 p + 2 evaluations up, for models with p columns of which nothing but predictions is known: boosted trees and multilayer
perceptrons with 20 background rows, and TF-IDF with a logistic regression on texts of p distinct words, where absent words
are removed. Two rows or four texts; several seeds, ten times as many for texts, whose evaluations are fast; the same numbers
of evaluations for all explainers, same process, interleaved. An evaluation is the value of a coalition. Errors are root mean
squares relative to the values: against exact values for trees, otherwise against the mean of very many permutations.
"""

import argparse
import inspect
import logging
import warnings

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.stats
import shap
import sklearn.ensemble
import sklearn.linear_model
import sklearn.metrics
from lightgbm import LGBMRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor

from automl_explain import KernelExplainer, SamplingOptions, TreeExplainer

COLUMNS = (10, 50, 200)
N_BACKGROUND, N_ROWS = 20, 2
TIMES = (3, 4, 6, 8, 12, 16, 32)
REFERENCE = 500
"""Permutations per background row in a reference."""
EXPLAINERS = ("automl-explain", "shap permutation", "shap kernel")


def table(n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, n_columns))
    n_used = max(6, n_columns // 3)
    y = X[:, :n_used] @ rng.normal(size=n_used) + 2.0 * X[:, 0] * X[:, 1]
    y += 2.0 * np.sin(X[:, 2] * X[:, 3]) * X[:, 4] + 3.0 * (X[:, 1] > 0) * (X[:, 2] > 0) * (X[:, 5] > 0)
    return X, y, X[:N_BACKGROUND], X[100 : 100 + N_ROWS]


def by_permutations(predict, background, row):
    """The mean over many antithetic permutations, by its definition."""
    rng, n_columns, total = np.random.default_rng(99), len(row), np.zeros(len(row))
    n_each = REFERENCE if len(background) > 1 else 40 * REFERENCE
    for other in background:
        for _ in range(n_each):
            order = rng.permutation(n_columns)
            for one in (order, order[::-1]):
                present = np.argsort(one)[None] < np.arange(n_columns + 1)[:, None]
                total[one] += np.diff(predict(np.where(present, row, other)))
    return total / (2 * n_each * len(background))


def trees(n_columns):
    X, y, background, rows = table(n_columns)
    model = LGBMRegressor(n_estimators=100, verbose=-1, n_jobs=1).fit(X, y)
    exact = TreeExplainer(model, background).explain_local(rows).local_importance_values
    return [(model.predict, background, row, values) for row, values in zip(rows, exact, strict=True)]


def networks(n_columns):
    X, y, background, rows = table(n_columns)
    model = MLPRegressor(hidden_layer_sizes=(32,), max_iter=100, random_state=0).fit(X, y)
    (first, last), (shift, constant) = model.coefs_, model.intercepts_

    def predict(Z):
        return (np.maximum(Z @ first + shift, 0.0) @ last + constant)[:, 0]

    return [(predict, background, row, by_permutations(predict, background, row)) for row in rows]


def texts(n_columns):
    modules = (sklearn.ensemble, sklearn.linear_model, sklearn.metrics, scipy.stats, scipy.signal, scipy.linalg)
    found = [
        (inspect.getdoc(part)[: 8 * n_columns + 200], module.__name__.startswith("sklearn"))
        for module in modules
        for part in vars(module).values()
        if callable(part) and len(inspect.getdoc(part) or "") > 80
    ]
    documents, labels = zip(*found, strict=True)
    counts = TfidfVectorizer().fit_transform(documents)
    model = LogisticRegression(C=30.0).fit(counts, labels)
    nearest = np.argsort(np.abs(np.diff(counts.indptr) - n_columns), kind="stable")[: 2 * N_ROWS]
    cases = []
    for document in (counts[i] for i in nearest):
        squares, weighted = document.data**2, document.data * model.coef_[0, document.indices]

        def predict(present, squares=squares, weighted=weighted):
            length = np.sqrt(np.maximum(present @ squares, 1e-300))
            return 1.0 / (1.0 + np.exp(-model.intercept_[0] - present @ weighted / length))

        empty, whole = np.zeros((1, document.nnz)), np.ones(document.nnz)
        cases.append((predict, empty, whole, by_permutations(predict, empty, whole)))
    return cases


FAMILIES = {"boosted trees": trees, "networks": networks, "texts": texts}


def ours(predict, background, row, n, seed):
    sampling = SamplingOptions(nsamples=n, background_size=len(background))
    explainer = KernelExplainer(predict, background, sampling=sampling, random_state=seed, progress=False)
    explanation = explainer.explain_local(row[None])
    return explanation.local_importance_values[0], explanation.standard_errors


def permutation_peer(predict, background, row, n, seed):
    masker = shap.maskers.Independent(background, max_samples=len(background))
    return shap.PermutationExplainer(predict, masker, seed=seed)(row[None], max_evals=n, silent=True).values[0], None


def kernel_peer(predict, background, row, n, seed):
    np.random.seed(seed)  # shap draws from the global state
    explainer = shap.KernelExplainer(predict, background)
    return explainer.shap_values(row[None], nsamples=n, l1_reg=False, silent=True)[0], None


def measured(cases, times, n_seeds):
    """Return the relative error of each explainer, and the share of values within 1.96 standard errors."""
    explain = dict(zip(EXPLAINERS, (ours, permutation_peer, kernel_peer), strict=True))
    squares, within = dict.fromkeys(EXPLAINERS, 0.0), []
    for seed in range(n_seeds):
        for predict, background, row, truth in cases:
            n = 2 * len(row) + 2 if times == 2 else times * len(row)
            for who in EXPLAINERS:
                values, errors = explain[who](predict, background, row, n, seed)
                squares[who] += np.mean((values - truth) ** 2)
                if errors is not None:
                    within.append(np.mean(np.abs(values - truth) <= 1.96 * errors + 1e-9))
    size = n_seeds * sum(np.mean(truth**2) for *_, truth in cases)
    return [np.sqrt(squares[who] / size) for who in EXPLAINERS], np.mean(within) if within else 1.0


def draw(curves, path):
    import matplotlib.pyplot as plt
    from matplotlib.ticker import ScalarFormatter

    figure, axes = plt.subplots(len(COLUMNS), len(FAMILIES), figsize=(10, 8.5), sharex=True, squeeze=False)
    for axis, ((name, n_columns), points) in zip(axes.T.ravel(), curves.items(), strict=True):
        for i, (who, color) in enumerate(zip(EXPLAINERS, ("#0b6e4f", "#c8553d", "#5b7db1"), strict=True)):
            axis.plot(
                [times for times, _ in points], [errors[i] for _, errors in points], "o-", ms=3, color=color, label=who
            )
        axis.set(xscale="log", yscale="log", title=f"{name}, p = {n_columns}", xticks=(2, 4, 8, 16, 32))
        axis.set_ylim(top=min(axis.get_ylim()[1], 5.0))
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("evaluations per column")
    for axis in axes[:, 0]:
        axis.set_ylabel("relative error")
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", nargs="?", type=int, default=3)
    parser.add_argument("--picture", help="also draw the curves into this file")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("shap").setLevel(logging.ERROR)
    curves = {}
    print("| model | p | evaluations | " + " | ".join(EXPLAINERS) + " | within 1.96 standard errors |")
    print("| --- " * (4 + len(EXPLAINERS)) + "|")
    for name, make in FAMILIES.items():
        for n_columns in COLUMNS:
            cases = make(n_columns)
            for times in (2, *TIMES):
                errors, within = measured(cases, times, given.seeds * (10 if make is texts else 1))
                curves.setdefault((name, n_columns), []).append((times, errors))
                budget = "2 p + 2" if times == 2 else f"{times} p"
                row = " | ".join(f"{error:.3g}" for error in errors)
                print(f"| {name} | {n_columns} | {budget} | {row} | {within:.0%} |", flush=True)
    if given.picture:
        draw(curves, given.picture)


if __name__ == "__main__":
    main()
