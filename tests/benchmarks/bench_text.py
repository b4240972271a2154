"""Texts: how faithful, how exact and how fast `TextExplainer` is beside LIME and shap, in one process.

    python -m tests.benchmarks.bench_text --reference 5000  # figures of docs/performance/text.md: about four minutes
    python -m tests.benchmarks.bench_text --part methods    # comprehensiveness, deletion, error and time: two minutes
    python -m tests.benchmarks.bench_text --part budgets    # error beside permutations at several budgets: one minute
    python -m tests.benchmarks.bench_text --part linear     # closed forms of linear pipelines beside LIME: half a minute
    python -m tests.benchmarks.bench_text --texts 4         # fewer texts

The texts are the documentation strings of scipy and scikit-learn; the label is the package. The models are a pipeline of
TfidfVectorizer and LogisticRegression, and the same as a function of which only the predictions are known.

Comprehensiveness: by how much the probability of the predicted class falls when the fifth of the words with the largest
values are removed. Deletion: the mean of that probability while one word after the other is removed, most important first.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import re
import time
import warnings
from functools import partial

import numpy as np

SIZE = 75
"""Distinct words of a test text, about."""


def docstrings(package):
    """Documentation strings of the public classes and functions of a package."""
    found = {}
    root = importlib.import_module(package)
    for info in pkgutil.walk_packages(root.__path__, f"{package}."):
        if any(part.startswith("_") or part in ("tests", "conftest") for part in info.name.split(".")):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                module = importlib.import_module(info.name)
            except Exception:  # optional parts of the packages
                continue
        for name, thing in vars(module).items():
            if name.startswith("_") or not (inspect.isclass(thing) or callable(thing)):
                continue
            if str(getattr(thing, "__module__", "")).startswith(package):
                text = inspect.getdoc(thing) or ""
                if len(text) > 200:
                    found[text] = None
    return list(found)


def prose(text):
    """The first paragraphs of a documentation string, up to about `SIZE` distinct words, without the package's name."""
    words, seen = [], set()
    for word in re.findall(r"[A-Za-z]{2,}", text):
        if word.lower() in ("scipy", "sklearn", "scikit"):
            continue
        words.append(word)
        seen.add(word.lower())
        if len(seen) >= SIZE:
            break
    return " ".join(words)


def corpus():
    texts, labels = [], []
    for label, package in enumerate(("scipy", "sklearn")):
        for text in docstrings(package):
            texts.append(prose(text))
            labels.append(label)
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[j] for j in order], np.array(labels)[order]


def remove(text, words):
    return " ".join(word for word in text.split() if word.lower() not in words)


def faithfulness(predict, text, values):
    """Comprehensiveness at a fifth of the words, and the deletion mean, of values {word: value}."""
    ranked = sorted(values, key=values.get, reverse=True)
    whole = predict([text])[0]
    label = int(whole.argmax())
    curve = predict([remove(text, set(ranked[:size])) for size in range(len(ranked) + 1)])[:, label]
    fifth = max(1, round(0.2 * len(ranked)))
    return whole[label] - curve[fifth], curve.mean()


class Clock:
    """CPU and wall seconds of calls."""

    def __init__(self):
        self.cpu, self.wall = [], []

    def __call__(self, call):
        cpu, wall = time.process_time(), time.perf_counter()
        made = call()
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)
        return made


def ours(model, budget=None, output="probability"):
    from automl_explain import SamplingOptions, TextExplainer

    sampling = SamplingOptions(nsamples=budget) if budget else None
    explainer = TextExplainer(model, output=output, sampling=sampling, progress=False)

    def explain(text, label):
        document = explainer.explain_local(text.lower()).documents[0]
        found = {}
        for word, value in zip(document.words, document.values[label], strict=True):
            found[word.lower()] = found.get(word.lower(), 0.0) + value
        return found

    return explain


def lime(predict, budget):
    from lime.lime_text import LimeTextExplainer

    explainer = LimeTextExplainer(random_state=0, split_expression=r"\W+", bow=True, mask_string="")

    def explain(text, label):
        made = explainer.explain_instance(text.lower(), predict, labels=(label,), num_features=1000, num_samples=budget)
        return dict(made.as_list(label=label))

    return explain


def word_masker(text):
    """Distinct words of a text, and a function from masks to texts."""
    words = list(dict.fromkeys(text.lower().split()))

    def texts(masks):
        return [remove(text, {word for word, kept in zip(words, mask, strict=True) if not kept}) for mask in masks]

    return words, texts


def partition(predict, budget):
    import shap

    def explain(text, label):
        explainer = shap.Explainer(predict, shap.maskers.Text(r"\W+"), seed=0)
        made = explainer([text.lower()], max_evals=budget, silent=True)
        found = {}
        for word, value in zip(made.data[0], made.values[0][:, label], strict=True):
            if word.strip():
                found[word.strip()] = found.get(word.strip(), 0.0) + float(value)
        return found

    return explain


def permutation(predict, budget):
    import shap

    def explain(text, label):
        words, texts = word_masker(text)
        whole = np.ones((1, len(words)))
        explainer = shap.PermutationExplainer(
            lambda masks: predict(texts(masks > 0.5))[:, label], np.zeros((1, len(words))), seed=0
        )
        made = explainer(whole, max_evals=max(budget, 2 * len(words) + 1), silent=True)
        return dict(zip(words, made.values[0].tolist(), strict=True))

    return explain


def leave_one_out(predict, _):
    def explain(text, label):
        words, texts = word_masker(text)
        made = predict([text, *texts(~np.eye(len(words), dtype=bool))])[:, label]
        return dict(zip(words, (made[0] - made[1:]).tolist(), strict=True))

    return explain


def random_values(predict, _):
    rng = np.random.default_rng(0)
    return lambda text, label: {word: rng.random() for word in word_masker(text)[0]}


def root_mean_square_error(values, reference):
    return float(np.sqrt(np.mean([(values.get(word, 0.0) - value) ** 2 for word, value in reference.items()])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=14)
    parser.add_argument("--part", choices=("methods", "budgets", "linear"), action="append", help="only this part")
    parser.add_argument("--reference", type=int, default=12_000, help="coalitions of the reference values")
    options = parser.parse_args()
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, labels = corpus()
    n_train = int(0.8 * len(texts))
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0)).fit(texts[:n_train], labels[:n_train])
    predict = pipeline.predict_proba
    accuracy = pipeline.score(texts[n_train:], labels[n_train:])
    tests = [text for text in texts[n_train:] if len(set(text.lower().split())) >= SIZE - 5][: options.texts]
    sizes = [len(set(text.lower().split())) for text in tests]
    print(f"{len(texts):,} documents, accuracy {accuracy:.3f}; {len(tests)} texts of {np.mean(sizes):.0f} words; "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    parts = {
        "methods": partial(methods, pipeline, predict, tests, options.reference),
        "budgets": partial(errors_by_budget, pipeline, predict, tests, options.reference),
        "linear": partial(linear, texts, labels, n_train, tests),
    }
    for name in options.part or parts:
        parts[name]()


def methods(pipeline, predict, tests, reference_size):
    """Faithfulness, error and time of all methods."""
    ways = {
        "reference": ours(pipeline, reference_size),
        "ours, pipeline": ours(pipeline, output="auto"),
        "ours, probability 500": ours(pipeline, 500),
        "ours, function 500": ours(lambda given: predict(given), 500),
        "ours, function 1000": ours(lambda given: predict(given), 1000),
        "LIME 500": lime(predict, 500),
        "LIME 2000": lime(predict, 2000),
        "shap Partition 500": partition(predict, 500),
        "shap Permutation 500": permutation(predict, 500),
        "leave one out": leave_one_out(predict, 0),
        "random": random_values(predict, 0),
    }
    clocks, scores = {name: Clock() for name in ways}, {name: [] for name in ways}
    for text in tests:
        label = int(predict([text])[0].argmax())
        reference = None
        for name, explain in ways.items():
            values = clocks[name](lambda explain=explain, text=text, label=label: explain(text, label))
            reference = reference or values
            scores[name].append((*faithfulness(predict, text, values), root_mean_square_error(values, reference)))
    print(f"\n{'method':24s} {'comprehens.':>11s} {'deletion':>9s} {'error':>8s} {'CPU ms':>8s} {'wall ms':>8s}")
    for name, rows in scores.items():
        mean = np.mean(rows, axis=0)
        cpu, wall = (1000 * np.median(part) for part in (clocks[name].cpu, clocks[name].wall))
        print(f"{name:24s} {mean[0]:11.3f} {mean[1]:9.3f} {mean[2]:8.4f} {cpu:8.1f} {wall:8.1f}")


def errors_by_budget(pipeline, predict, tests, reference):
    """Root mean square error of a function's values beside antithetic permutations of shap, at several budgets."""
    print(f"\n{'evaluations per word':24s} {'ours':>8s} {'shap':>8s}")
    exact = ours(pipeline, reference)
    known = [exact(text, int(predict([text])[0].argmax())) for text in tests]
    for share in (4, 8, 16):
        found = []
        for text, values in zip(tests, known, strict=True):
            label, n_words = int(predict([text])[0].argmax()), len(set(text.lower().split()))
            budget = share * n_words + 1
            made = [way(predict, budget)(text, label) for way in (_function, permutation)]
            found.append([root_mean_square_error(one, values) for one in made])
        print(f"{share:24d} {np.mean(found, axis=0)[0]:8.4f} {np.mean(found, axis=0)[1]:8.4f}")


def _function(predict, budget):
    return ours(lambda given: predict(given), budget)


def linear(texts, labels, n_train, tests):
    """The closed forms of linear models of counts and of normalised TF-IDF, beside LIME with 2,000 samples."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from automl_explain import TextExplainer

    print(f"\n{'linear pipeline':24s} {'ours, ms CPU':>13s} {'in a batch':>11s} {'LIME 2000':>10s} {'times':>6s}")
    for name, vectorizer in (("CountVectorizer", CountVectorizer()), ("TfidfVectorizer", TfidfVectorizer())):
        pipeline = make_pipeline(vectorizer, LogisticRegression(max_iter=1000)).fit(texts[:n_train], labels[:n_train])
        explainer, peer = TextExplainer(pipeline), lime(pipeline.predict_proba, 2000)
        explainer.explain_local(tests)
        mine, batch, theirs = Clock(), Clock(), Clock()
        for text in tests:
            mine(partial(explainer.explain_local, text))
            theirs(partial(peer, text, 1))
            batch(partial(explainer.explain_local, tests))
        one, each, other = (1000 * np.median(part.cpu) for part in (mine, batch, theirs))
        print(f"{name:24s} {one:13.2f} {each / len(tests):11.2f} {other:10.0f} {other / one:6.0f}")


if __name__ == "__main__":
    main()
