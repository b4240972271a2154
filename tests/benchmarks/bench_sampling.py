"""Error against seconds of sampled Shapley values: python -m tests.benchmarks.bench_sampling [SEEDS [CASE ...]].

Five rows, one background, ten seeds, two for the slower peers; every explainer with the same numbers of coalitions, same
process, interleaved. Errors are root mean squares over features against enumeration of all 2^14 coalitions. The last column
is how many seconds the peer needs for the error that ours has there, read off its own curve (log-log), over our seconds, and
inf where ours has none, since all coalitions that matter were fewer than those asked for; the line behind compares the time
of all coalitions, which has no error, with the peer's largest sample.
"""

import argparse
import importlib.util
import logging
import time
import warnings

import numpy as np
import shap
from sklearn.datasets import make_classification
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from automl_explain import SamplingOptions, TabularExplainer
from tests.benchmarks.adult import adult
from tests.benchmarks.bench_ensembles import flaml_like_stack

N_COLUMNS, N_BACKGROUND, N_ROWS = 14, 20, 5
SIZES = (256, 512, 1024, 2048)
SLOW_PEERS, SLOW_SEEDS = ("shap permutation", "lightshap"), 2


def cases():
    X, y = make_classification(1500, N_COLUMNS, n_informative=10, n_redundant=2, random_state=0)
    for name, model in (
        ("SVC rbf", SVC()),
        ("MLP", MLPClassifier((32,), max_iter=200, random_state=0)),
        ("nearest neighbours", KNeighborsClassifier(15)),
        ("FLAML-like stack", flaml_like_stack()),
    ):
        model.fit(X, y)
        function = model.decision_function if isinstance(model, SVC) else lambda Z, m=model: m.predict_proba(Z)[:, 1]
        yield name, X, function, model if "stack" in name else function
    X, y, _ = adult()
    codes = X.apply(lambda column: column.astype("category").cat.codes if column.dtype.kind not in "if" else column)
    rows = codes.to_numpy(np.float64)[:3000, :N_COLUMNS]
    stack = flaml_like_stack().fit(rows, np.asarray(y)[:3000])
    yield "Adult, FLAML-like stack", rows, lambda Z: stack.predict_proba(Z)[:, 1], stack


def ours(model, background, rows, size, seed):
    explainer = TabularExplainer(
        model,
        background,
        sampling=SamplingOptions(nsamples=size, background_size=N_BACKGROUND),
        random_state=seed,
        progress=False,
    )
    started = time.perf_counter()
    values = explainer.explain_local(rows).local_importance_values
    return values.reshape(-1, len(rows), N_COLUMNS)[-1], time.perf_counter() - started


def kernel_peer(predict, background, rows, size, seed):
    np.random.seed(seed)  # shap draws from the global state
    return shap.KernelExplainer(predict, background).shap_values(rows, nsamples=size, l1_reg=False, silent=True)


def permutation_peer(predict, background, rows, size, seed):
    masker = shap.maskers.Independent(background, max_samples=N_BACKGROUND)
    return shap.PermutationExplainer(predict, masker, seed=seed)(rows, max_evals=size, silent=True).values


def lightshap_peer(predict, background, rows, size, seed):
    from lightshap import explain_any

    explained = explain_any(
        predict, rows, bg_X=background, method="kernel", how="sampling", max_iter=max(1, size // (2 * N_COLUMNS)),
        tol=0.0, random_state=seed, verbose=False,
    )  # fmt: skip
    return np.asarray(explained.shap_values)


def peers():
    yield "shap kernel", kernel_peer
    yield "shap permutation", permutation_peer
    if importlib.util.find_spec("lightshap") is not None:
        yield "lightshap", lightshap_peer


def measured(explain, truth, *given):
    started = time.perf_counter()
    values = explain(*given)
    values, seconds = values if isinstance(values, tuple) else (values, time.perf_counter() - started)
    return np.sqrt(np.mean((values - truth) ** 2)), seconds


def seconds_for(error, curve):
    """Seconds at which a curve of (error, seconds) reaches an error; beyond its ends by its own slope."""
    errors, seconds = (np.log(np.array(part)) for part in zip(*curve, strict=True))
    slope, start = np.polyfit(errors, seconds, 1)
    return float(np.exp(start + slope * np.log(error)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "seeds", nargs="?", type=int, default=10, help="seeds of each explainer, two for the slower peers"
    )
    parser.add_argument("case", nargs="*", help="words: only the cases whose names hold one of them are run")
    given = parser.parse_args()
    n_seeds, words = given.seeds, given.case
    warnings.simplefilter("ignore")
    logging.getLogger("shap").setLevel(logging.ERROR)
    for name, X, predict, model in cases():
        if words and not any(word in name for word in words):
            continue
        background, rows = X[:N_BACKGROUND], X[-N_ROWS:]
        ours(model, background, rows, 256, 0)
        truth, _ = ours(predict, background, rows, 2**N_COLUMNS, 0)
        explainers = [("ours", ours), *peers()]
        for _, explain in explainers[1:]:
            explain(predict, background, rows[:1], 256, 0)  # imports and compilers do not count
        curves = {who: [] for who, _ in explainers}
        for size in SIZES:
            found = {who: [] for who, _ in explainers}
            for seed in range(n_seeds):
                for who, explain in explainers:
                    if who in SLOW_PEERS and seed >= SLOW_SEEDS:
                        continue
                    found[who].append(
                        measured(explain, truth, model if explain is ours else predict, background, rows, size, seed)
                    )
            for who, values in found.items():
                curves[who].append(tuple(np.median(np.array(values), axis=0)))
        print(f"\n{name}\n{'coalitions':>12}" + "".join(f"{who + ': error':>28}{'s':>8}" for who, _ in explainers))
        for i, size in enumerate(SIZES):
            print(
                f"{size:>12}" + "".join(f"{curves[who][i][0]:28.2e}{curves[who][i][1]:8.3f}" for who, _ in explainers)
            )
        for who, _ in explainers[1:]:
            ratios = [seconds_for(error, curves[who]) / seconds for error, seconds in curves["ours"]]
            print(f"  times {who} at equal error: " + ", ".join(f"{ratio:.1f}" for ratio in ratios), flush=True)
        seconds = np.median([ours(model, background, rows, 2**N_COLUMNS, seed)[1] for seed in range(n_seeds)])
        faster = ", ".join(f"{curves[who][-1][1] / seconds:.1f} times {who}" for who, _ in explainers[1:])
        print(
            f"  every coalition, no error: {seconds:.3f} s; with {SIZES[-1]} coalitions of the peer: {faster}",
            flush=True,
        )


if __name__ == "__main__":
    main()
