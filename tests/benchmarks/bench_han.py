"""A hierarchical attention network beside other explainers of texts: python -m tests.benchmarks.bench_han [--write PAGE].

Documentation strings of scipy and scikit-learn, cut to 110 words; the label is the package, the model TF-IDF with a logistic
regression. Each network is trained on the same 1,200 texts with another seed. Faithfulness is measured by
`measure_faithfulness` on the same 40 new texts for all explainers. Networks start from random word vectors, without GloVe's.
"""

import argparse
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl_explain import HANTextExplainer, SamplingOptions, TextExplainer, measure_faithfulness
from tests.benchmarks.docstrings import docstrings

N_TRAIN, N_NEW = 1200, 40
HEADER = "| {} |\n| --- | --- | --- | --- | --- |"


def timed(make):
    """Return what a function makes, and its wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = make()
    return made, time.perf_counter() - wall, time.process_time() - cpu


def line(*cells):
    return "| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.3f}" for cell in cells) + " |"


def ranked(name, measured, ranking, cost):
    of = measured.to_frame().loc[ranking]
    error = of["comprehensiveness_error"]
    return line(name, f"{of['comprehensiveness']:.3f} ({error:.3f})", of["sufficiency"], of["deletion_auc"], cost)


def networks(model, train, new, seeds):
    """Return lines of training and of faithfulness, one per seed, and the ratios of signed importance to attention."""
    trained, faithful, ratios = [], [], []
    for seed in seeds:
        made, wall, cpu = timed(lambda seed=seed: HANTextExplainer(model, train, random_state=seed, progress=False))
        fidelity, own = made.fidelity, made.faithfulness.comprehensiveness
        trained.append(
            line(
                f"{seed}", f"{fidelity.r2:.3f}, {fidelity.agreement:.1%}", f"{wall:.0f} ({cpu:.0f})",
                f"{own['signed']:.3f} / {own['attention']:.3f}", own["signed"] / own["attention"],
            )
        )  # fmt: skip
        for tuned in (True, False):
            made._fine_tune = tuned  # the same network, tuned on each text or not
            explanation, wall, cpu = timed(lambda made=made: made.explain_local(new))
            measured = measure_faithfulness(explanation, model, progress=False)
            what, cost = f"HAN, seed {seed}, {'tuned' if tuned else 'not tuned'}", f"{cpu / len(new):.2f} s"
            faithful += [ranked(f"{what}, signed", measured, "explanation", cost)]
            faithful += [ranked(f"{what}, attention", measured, "attention", cost)]
            ratios.append(measured.comprehensiveness["explanation"] / measured.comprehensiveness["attention"])
    return trained, faithful, ratios


def others(model, new):
    """Return lines of the explainers that ask the model itself, and of the rankings beside them."""
    lines = []
    few = SamplingOptions(nsamples=500)
    for name, given in (
        ("`TextExplainer`", {}),
        ("`TextExplainer`, LIME, 500 samples", {"method": "lime", "sampling": few}),
    ):
        made = TextExplainer(model, output="probability", progress=False, **given)
        explanation, _, cpu = timed(lambda made=made: made.explain_local(new))
        measured = measure_faithfulness(explanation, model, progress=False)
        lines.append(ranked(name, measured, "explanation", f"{cpu / len(new):.2f} s"))
    lines += [ranked(name, measured, name, "") for name in ("leave one out", "random")]
    return lines


def page(seeds):
    """Return the page with all tables."""
    loads = [f"{os.getloadavg()[0]:.1f}"]
    texts, labels = docstrings(N_TRAIN + N_NEW)
    train, new = texts[:N_TRAIN], texts[N_TRAIN:]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0, max_iter=500)).fit(train, labels[:N_TRAIN])
    trained, faithful, ratios = networks(model, train, new, seeds)
    beside = others(model, new)
    loads.append(f"{os.getloadavg()[0]:.1f}")
    heads = "seed | R2, same class on held-out texts | seconds, wall (CPU) | signed / attention | ratio"
    measures = "ranking | comprehensiveness (standard error) | sufficiency | deletion AUC | CPU per text"
    return "\n".join(
        [
            "# Benchmark of the hierarchical attention network",
            "",
            f"Made by `python -m tests.benchmarks.bench_han`: {os.cpu_count()} cores, load {loads[0]} at the start and "
            f"{loads[1]} at the end, Python {platform.python_version()}, torch {torch.__version__}.",
            "",
            *(__doc__ or "").strip().splitlines()[2:],
            "",
            f"## Training on {N_TRAIN:,} texts",
            "",
            "The time includes the faithfulness of 20 held-out texts, for each of which the network is tuned. It computes on "
            "one thread.",
            "",
            HEADER.format(heads),
            *trained,
            "",
            f"## Faithfulness on {N_NEW} new texts",
            "",
            "Removing or keeping a fifth of the distinct words, in units of the probability of the predicted class.",
            "",
            HEADER.format(measures),
            *faithful,
            *beside,
            "",
            f"Signed importance has {np.mean(ratios):.1f} times the comprehensiveness of attention (from {min(ratios):.1f} to "
            f"{max(ratios):.1f}).",
            "",
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="number of networks")
    parser.add_argument("--write", type=Path, help="file that takes the page")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    made = page(range(given.seeds))
    print(made)
    if given.write:
        given.write.write_text(made)


if __name__ == "__main__":
    main()
