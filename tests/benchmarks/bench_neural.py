"""Neural networks against shap and captum: python -m tests.benchmarks.bench_neural [--write docs/performance/neural.md].

Same network, rows and background, in one process and on one thread, in turns; the best of several turns. Errors are relative
L2 distances from the values of all coalitions. Gaps are the largest distance of a sum of values from the output, relative to
the range of the outputs.
"""

import argparse
import os
import platform
import time
import warnings
from functools import partial
from pathlib import Path

import captum.attr
import numpy as np
import shap
import torch
from sklearn.datasets import make_friedman1
from torch import nn

from automl_explain import DeepExplainer, SamplingOptions
from tests.networks import FAMILIES, make

N_ROWS, TURNS = 20, 5


def best_of(ask, n_rows=N_ROWS, turns=TURNS):
    """Return the last answer, and the least wall and CPU time of a row in milliseconds."""
    times = []
    for _ in range(turns):
        cpu, wall = time.process_time(), time.perf_counter()
        answer = ask()
        times.append(((time.perf_counter() - wall) * 1e3 / n_rows, (time.process_time() - cpu) * 1e3 / n_rows))
    return answer, *np.min(times, axis=0)


def error(values, exact):
    return np.linalg.norm(values - exact) / np.linalg.norm(exact)


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def outcome(ask):
    """Return what a function gives, or the name of the error that it raises."""
    try:
        return ask()
    except Exception as raised:
        return type(raised).__name__


# ------------------------------------------------------------------------------------------------- families


def tensors(arrays, rows):
    taken = [torch.as_tensor(array[rows]) for array in arrays]
    return taken[0] if len(taken) == 1 else taken


def shap_sums(module, background, rows, n_outputs):
    values = shap.DeepExplainer(module, background).shap_values(rows, check_additivity=False)
    parts = values if isinstance(values, list) else [values]
    return sum(part.reshape(len(part), -1, n_outputs).sum(1) for part in parts)


def captum_sums(module, background, rows, n_outputs):
    rows, background = (tuple(each) if isinstance(each, list) else (each,) for each in (rows, background))
    attribution, sums = captum.attr.DeepLiftShap(module), []
    for k in range(n_outputs):
        parts = attribution.attribute(rows, background, target=k)
        sums.append(sum(part.detach().flatten(1).sum(1) for part in parts).numpy())
    return np.stack(sums, axis=1)


def family(name):
    """Return the line of one family."""
    module, arrays = make(name)
    background, rows = tensors(arrays, slice(0, 12)), tensors(arrays, slice(20, 25))
    with torch.no_grad():
        wanted, theirs = (
            module(*(each if isinstance(each, list) else [each])).double().numpy() for each in (rows, background)
        )

    def gap(sums):
        return f"{np.abs(sums - (wanted - theirs.mean(0))).max() / np.ptp(wanted):.1e}"

    def ours(method):
        found = DeepExplainer(module, background, method=method, progress=False).explain_local(rows)
        raw = next((note for note in found.notes if "missed the outputs" in note), "")
        missed = f" (raw {raw.split('up to ')[1].split()[0]})" if raw else ""
        return gap(found.local_importance_values.sum(axis=-1).T) + missed

    def peer(sums):
        return gap(sums(make(name)[0], background, rows, wanted.shape[1]))

    methods = [outcome(partial(ours, method)) for method in ("coalitions", "rescale", "path")]
    return [name, *methods, *(outcome(partial(peer, sums)) for sums in (shap_sums, captum_sums))]


def families():
    """Return the table of the gaps of all families of networks."""
    header = ["family", "coalitions", "rescale", "path", "shap DeepExplainer", "captum DeepLiftShap"]
    return "Gaps of all families", table(header, map(family, FAMILIES))


# ------------------------------------------------------------------------------------------------- accuracy


ACTIVATIONS = {
    "ReLU": lambda width: (nn.ReLU(),),
    "tanh": lambda width: (nn.Tanh(),),
    "GELU": lambda width: (nn.GELU(),),
    "LayerNorm, ReLU": lambda width: (nn.LayerNorm(width), nn.ReLU()),
}


def trained(between, X, y):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Linear(X.shape[1], 64), *between(64), nn.Linear(64, 32), *between(32), nn.Linear(32, 1)
        )
        optimiser = torch.optim.Adam(module.parameters(), 1e-2)
        rows, target = torch.as_tensor(X), torch.as_tensor(y)[:, None]
        for _ in range(300):
            optimiser.zero_grad()
            nn.functional.mse_loss(module(rows), target).backward()
            optimiser.step()
    return module.eval()


def friedman(p):
    X, y = make_friedman1(600, p, random_state=0)
    return ((X - 0.5) * 3).astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)


def peer_values(explainer, rows, **options):
    return explainer.shap_values(torch.as_tensor(rows), **options)[..., 0]


def captum_values(module, background, rows):
    made = captum.attr.DeepLiftShap(module).attribute(torch.as_tensor(rows), torch.as_tensor(background), target=0)
    return made.detach().numpy()


def own(module, background, method, **options):
    explainer = DeepExplainer(module, background, method=method, progress=False, n_jobs=1, **options)
    return lambda rows: explainer.explain_local(rows).local_importance_values


def tabular():
    """Return the table of errors and times of networks of tables, against all coalitions."""
    lines = []
    for p in (10, 12):
        X, y = friedman(p)
        background, rows = X[:50], X[500 : 500 + N_ROWS]
        for name, between in ACTIVATIONS.items():
            module = trained(between, X, y)
            exact = own(module, background, "coalitions", sampling=SamplingOptions(nsamples=2**p))(rows)
            deep = shap.DeepExplainer(module, torch.as_tensor(background))
            gradients = shap.GradientExplainer(module, torch.as_tensor(background))
            few = own(module, background, "coalitions", sampling=SamplingOptions(nsamples=4 * p))
            more = own(module, background, "coalitions", sampling=SamplingOptions(nsamples=10 * p))
            along = own(module, background, "path")
            asked = {
                "ours, 4 p": partial(few, rows),
                "ours, 10 p": partial(more, rows),
                "path": partial(along, rows),
                "shap Deep": partial(peer_values, deep, rows, check_additivity=False),
                "shap Gradient": partial(peer_values, gradients, rows, nsamples=200),
                "captum": partial(captum_values, module, background, rows),
            }
            if name != "LayerNorm, ReLU":
                asked["rescale"] = partial(own(module, background, "rescale"), rows)
            cells = {}
            for way, ask in asked.items():
                ask()
                values, wall, cpu = best_of(ask)
                cells[way] = f"{error(values, exact):.3f} at {wall:.1f} ({cpu:.1f})"
            ways = ["ours, 4 p", "ours, 10 p", "rescale", "path", "shap Deep", "shap Gradient", "captum"]
            lines.append([f"{name}, p={p}", *(cells.get(way, "no rule") for way in ways)])
    header = ["network", "4 p coalitions", "10 p coalitions", "rescale", "path", "shap DeepExplainer",
              "shap GradientExplainer", "captum DeepLiftShap"]  # fmt: skip
    return "Errors of tabular networks, at milliseconds a row (CPU)", table(header, lines)


def wide():
    """Return the error and the time of a row of a wide table."""
    X, y = friedman(60)
    lines = []
    for n_background in (10, 50):
        background, rows = X[:n_background], X[500 : 500 + N_ROWS]
        module = trained(ACTIVATIONS["ReLU"], X, y)
        reference = own(module, background, "coalitions", sampling=SamplingOptions(nsamples=12_000))(rows)
        for nsamples in (250, 500, 1000, 2000):
            ask = own(module, background, "coalitions", sampling=SamplingOptions(nsamples=nsamples))
            values, wall, cpu = best_of(partial(ask, rows), turns=2)
            lines.append([f"B={n_background}", nsamples, f"{error(values, reference):.3f}", f"{wall:.1f} ({cpu:.1f})"])
        rescale = own(module, background, "rescale")
        rescale(rows)
        values, wall, cpu = best_of(partial(rescale, rows))
        lines.append([f"B={n_background}", "rescale", f"{error(values, reference):.3f}", f"{wall:.1f} ({cpu:.1f})"])
    header = ["background", "coalitions", "error", "ms a row (CPU)"]
    return "60 columns, ReLU network, against 12,000 coalitions", table(header, lines)


# -------------------------------------------------------------------------------------------------- rescale


def convolutional():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * 25, 3),
        ).eval()  # fmt: skip


def rescaled():
    """Return the table of the rescale rule against shap's, where shap's is right."""
    X, y = friedman(12)
    images = np.random.default_rng(0).normal(size=(70, 1, 24, 24)).astype(np.float32)
    cases = {f"{name} network, p=12": (trained(ACTIVATIONS[name], X, y), X[:50], X[500 : 500 + N_ROWS])
             for name in ("ReLU", "tanh", "GELU")}  # fmt: skip
    cases["convolutions with max-pooling, 24 x 24, 3 outputs"] = (convolutional(), images[:50], images[50:])
    lines = []
    for name, (module, background, rows) in cases.items():
        peer = shap.DeepExplainer(module, torch.as_tensor(background))
        explainer = DeepExplainer(module, background, method="rescale", progress=False)
        fits = explainer.explain_local(rows[:1]).coalition_r2
        ours, theirs = [], []
        for _ in range(TURNS):
            values, *spent = best_of(partial(explainer.explain_local, rows), turns=1)
            ours.append(spent)
            ask = partial(peer.shap_values, torch.as_tensor(rows), check_additivity=False)
            shown, *spent = best_of(ask, turns=1)
            theirs.append(spent)
        (wall, cpu), (peer_wall, peer_cpu) = np.min(ours, axis=0), np.min(theirs, axis=0)
        own_values = values.local_importance_values.reshape(-1, *shown.shape[:-1])
        gap = np.abs(own_values - np.moveaxis(shown, -1, 0)).max() / np.abs(shown).max()
        lines.append([
            name, f"{gap:.1e}", f"{wall:.2f} ({cpu:.2f})", f"{peer_wall:.2f} ({peer_cpu:.2f})", f"{peer_wall / wall:.1f}x",
            f"{fits:.2f}",
        ])  # fmt: skip
    header = ["network", "largest difference", "ours, ms a row (CPU)", "shap, ms a row (CPU)", "ratio", "coalition_r2"]
    return "The rescale rule, where shap's DeepExplainer is right", table(header, lines)


SECTIONS = (families, tabular, wide, rescaled)
"""Functions that return a title and a table, in the order of the page."""


def page(sections):
    load, python = f"load {os.getloadavg()[0]:.1f} at the start", f"Python {platform.python_version()}"
    machine = f"{os.cpu_count()} cores, one thread, {load}, {python}"
    versions = f"torch {torch.__version__}, shap {shap.__version__}, captum {captum.__version__}"
    parts = [
        f"# Benchmarks of neural networks\n\nMade by `python -m tests.benchmarks.bench_neural`: {machine}; {versions}."
    ]
    parts.append(" ".join(__doc__.split("\n\n")[1].split("\n")).strip())
    for section in sections:
        title, made = section()
        parts.append(f"## {title}\n\n{made}")
        print(f"\n{parts[-1]}", flush=True)
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(section.__name__ for section in SECTIONS)}")
    parser.add_argument("--write", type=Path, help="file that takes the page")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    made = page([section for section in SECTIONS if not given.sections or section.__name__ in given.sections])
    if given.write:
        given.write.write_text(made)


if __name__ == "__main__":
    main()
