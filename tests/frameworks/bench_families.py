"""Families of Keras models against shap, on the backend of this process: python -m tests.frameworks.bench_families."""

import time
import warnings
from functools import partial

import keras
import numpy as np
import shap

from automl_explain import DeepExplainer, SamplingOptions
from tests.benchmarks.bench_neural import outcome, table
from tests.frameworks.keras_models import FAMILIES, made, outputs_of, part_of

SAMPLING = SamplingOptions(nsamples=500, background_size=12)


def shap_sums(model, background, rows):
    explainer = shap.DeepExplainer(model, background)
    started = time.perf_counter()
    values = np.asarray(explainer.shap_values(rows, check_additivity=False))
    seconds = time.perf_counter() - started
    return values.reshape(len(rows), -1, values.shape[-1]).sum(axis=1), seconds


def family(name, *, peers):
    """Return cells of one family, ours or shap's: gaps relative to the range of the outputs, at milliseconds a row."""
    model, examples = made(name)
    background, rows = part_of(examples, slice(12)), part_of(examples, slice(18, 23))
    wanted, theirs = outputs_of(model, rows), outputs_of(model, background)
    steps = wanted - theirs.mean(axis=0)

    def cell(sums, seconds, more=""):
        return f"{np.abs(sums - steps).max() / np.ptp(wanted):.1e}{more} at {seconds * 1e3 / len(wanted):.1f}"

    def ours(method):
        explainer = DeepExplainer(model, background, method=method, progress=False, sampling=SAMPLING)
        explainer.explain_local(rows)
        started = time.perf_counter()
        found = explainer.explain_local(rows)
        seconds = time.perf_counter() - started
        raw = next((note for note in found.notes if "missed the outputs" in note), "")
        values = found.local_importance_values
        sums = values.sum(axis=-1).T[:, -wanted.shape[1] :] if values.ndim == 3 else values.sum(axis=-1)[:, None]
        return cell(sums, seconds, f" (raw {raw.split('up to ')[1].split()[0]})" if raw else "")

    def peer():
        given = [background, rows]
        if isinstance(background, dict):
            given = [[part[one.name] for one in model.inputs] for part in given]
        return cell(*shap_sums(model, *given))

    return (
        [outcome(peer)] if peers else [outcome(partial(ours, method)) for method in ("coalitions", "rescale", "path")]
    )


def main():
    warnings.simplefilter("ignore")
    header = ["family", "coalitions", "rescale", "path", "shap DeepExplainer"]
    mine = [family(name, peers=False) for name in FAMILIES]
    theirs = [
        family(name, peers=True) for name in FAMILIES
    ]  # last: shap leaves TensorFlow's gradients changed if it fails
    lines = [[name, *own, *other] for name, own, other in zip(FAMILIES, mine, theirs, strict=True)]
    print(f"keras {keras.__version__} on {keras.backend.backend()}\n\n" + table(header, lines))


if __name__ == "__main__":
    main()
