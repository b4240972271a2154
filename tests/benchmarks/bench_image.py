"""Images against shap, LIME and captum.

    python -m tests.benchmarks.bench_image --images 8 --turns 3 --write docs/performance/image.md  # two minutes at rest
    python -m tests.benchmarks.bench_image --part methods   # errors, deletion and times beside shap, LIME and captum: 30 s
    python -m tests.benchmarks.bench_image --part overhead  # what an explanation takes beyond forward passes: 20 s
    python -m tests.benchmarks.bench_image --part memory    # of 100 images: 20 s

One process and one thread, in turns. The network tells faces from other pictures: it is trained on half of scikit-image's
`lfw_subset`, scaled to 48 x 48 pixels. The images explained are those of the other half whose probability falls most when the
whole image is blurred, since blurring the others changes nothing. Every method gets the same superpixels and the same blurred
image for what is absent, where it can: shap's Partition divides images into rectangles of its own. `ImageExplainer` is made
once, as for many images; shap's masker belongs to an image. Errors are relative L2 distances from all coalitions of the
superpixels. Deletion AUC is the mean probability of the predicted class while the pixels are blurred, those with the largest
values first, in 20 steps; lower is better.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
import warnings
from functools import partial
from itertools import product
from math import comb
from pathlib import Path

import captum.attr
import numpy as np
import shap
import torch
from lime import lime_image
from scipy import ndimage
from skimage.segmentation import slic

from automl_explain import ImageExplainer, SamplingOptions
from tests.benchmarks.image_networks import astronaut, residual_network, scaled_faces, trained

N_SEGMENTS, STEPS = 18, 20
OVERHEAD, MEMORY_MB, ERROR, SPEED = 0.15, 512, 0.03, 10


def outputs_of(network, images):
    with torch.no_grad():
        return network(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))).numpy()


def blurred(image):
    return ndimage.gaussian_filter(image.astype(float), (0, image.shape[1] / 8, image.shape[2] / 8), mode="nearest")


def enumerated(network, image, segments):
    """Return the Shapley values (2, P) of all coalitions."""
    n = int(segments.max()) + 1
    present = np.array(list(product([False, True], repeat=n)))
    absent, outputs = blurred(image).astype(np.float32), []
    for start in range(0, len(present), 512):
        outputs.append(outputs_of(network, np.where(present[start : start + 512][:, None, segments], image, absent)))
    sizes = present.sum(axis=1)
    inside = np.array([1 / (n * comb(n - 1, size - 1)) if size else 0.0 for size in sizes])
    outside = np.array([1 / (n * comb(n - 1, size)) if size < n else 0.0 for size in sizes])
    return np.concatenate(outputs).T.astype(float) @ np.where(present, inside[:, None], -outside[:, None])


# --------------------------------------------------------------------------------------------------- methods


def ours(network, n, image, segments, made={}):  # noqa: B006 - explainers are kept
    key = n, id(network)
    if key not in made:
        options = SamplingOptions(nsamples=n)
        made[key] = ImageExplainer(network, segments=lambda x: made["segments"], sampling=options, progress=False)
    made["segments"] = segments
    return made[key].explain_local(image[None]).local_importance_values[:, 0]


def by_gradients(network, method, image, segments):
    explainer = ImageExplainer(network, segments=segments, method=method, progress=False)
    return explainer.explain_local(image[None]).local_importance_values[:, 0]


def partition(network, n, image, segments):
    """Return shap's values of pixels, summed over the superpixels, and the pixels."""
    masker = shap.maskers.Image(blurred(image)[0][..., None], (48, 48, 1))
    explainer = shap.Explainer(lambda x: outputs_of(network, x.transpose(0, 3, 1, 2)), masker, output_names=["0", "1"])
    found = explainer(image[0][None, ..., None].astype(float), max_evals=n, batch_size=64, silent=True).values[
        0, :, :, 0
    ]
    return np.stack([np.bincount(segments.ravel(), found[..., k].ravel()) for k in range(2)]), found.transpose(2, 0, 1)


def lime(network, n, image, segments):
    rgb = np.repeat(image[0][..., None], 3, axis=2).astype(float)
    absent = np.repeat(blurred(image)[0][..., None], 3, axis=2)

    def predict(batch):
        return outputs_of(network, np.asarray(batch)[..., 0][:, None])

    found = lime_image.LimeImageExplainer(random_state=0).explain_instance(
        rgb, predict, labels=(0, 1), top_labels=None, num_features=99, num_samples=n, batch_size=64,
        segmentation_fn=lambda x: segments, hide_color=absent, random_seed=0,
    )  # fmt: skip
    values = np.zeros((2, int(segments.max()) + 1))
    for label in (0, 1):
        for segment, weight in found.local_exp[label]:
            values[label, segment] = weight
    return values


def kernel_shap(network, n, image, segments, method=captum.attr.KernelShap):
    inputs, absent = torch.from_numpy(image[None]), torch.from_numpy(blurred(image)[None].astype(np.float32))
    mask = torch.from_numpy(segments)[None, None]
    torch.manual_seed(0)
    given = {"perturbations_per_eval": 64} if method is captum.attr.KernelShap else {}
    values = []
    for target in (0, 1):
        found = method(network).attribute(
            inputs, baselines=absent, target=target, feature_mask=mask, n_samples=n, **given
        )
        values.append([found[0, 0].detach().numpy()[segments == s][0] for s in range(int(segments.max()) + 1)])
    return np.array(values, dtype=float)


def sampling(network, n, image, segments):
    permutations = max(1, n // (int(segments.max()) + 1))
    return kernel_shap(network, permutations, image, segments, captum.attr.ShapleyValueSampling)


# -------------------------------------------------------------------------------------------------- measures


def deletion(network, image, pixels, label):
    """Return the mean probability of a class while the most important pixels are blurred first."""
    order = np.argsort(-pixels.ravel(), kind="stable")
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    removed = rank.reshape(pixels.shape) < (np.arange(STEPS + 1) / STEPS * len(order))[:, None, None]
    return outputs_of(network, np.where(removed[:, None], blurred(image).astype(np.float32), image))[:, label].mean()


def spread(values, segments):
    """Return values (P,) shared among the pixels of each superpixel."""
    return (values / np.bincount(segments.ravel()))[segments]


def timed(ask):
    """Return an answer, and its wall and CPU milliseconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = ask()
    return answer, ((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3)


def in_turns(methods, turns):
    """Return the last answers, and the least wall and CPU milliseconds, of functions called in turns."""
    answers, times = {}, {name: [] for name in methods}
    for _ in range(turns):
        for name, ask in methods.items():
            answers[name], taken = timed(ask)
            times[name].append(taken)
    return answers, {name: np.min(times[name], axis=0) for name in methods}


def say(what):
    """Tell on the terminal what is done, since a busy machine takes long."""
    print(f"{time.strftime('%X')} {what}", file=sys.stderr, flush=True)


METHODS = {
    "ImageExplainer 64": partial(ours, n=64),
    "ImageExplainer 128": partial(ours, n=128),
    "ImageExplainer 512": partial(ours, n=512),
    "gradients along a path, summed": partial(by_gradients, method="path"),
    "shap Partition 64": partial(partition, n=64),
    "shap Partition 256": partial(partition, n=256),
    "shap Partition 512": partial(partition, n=512),
    "LIME image 64": partial(lime, n=64),
    "LIME image 512": partial(lime, n=512),
    "captum KernelShap 64": partial(kernel_shap, n=64),
    "captum KernelShap 512": partial(kernel_shap, n=512),
    "captum ShapleyValueSampling 512": partial(sampling, n=512),
}
"""Name with the number of evaluations -> method."""


def compare(turns, n_images):
    """Return a row per method: error, deletion AUC, wall and CPU time of an image."""
    images, labels = scaled_faces()
    network, right = trained(images, labels)
    held = images[1::2]
    before, after = (outputs_of(network, part) for part in (held, np.stack([blurred(one) for one in held])))
    predicted = before.argmax(axis=1)
    falls = np.take_along_axis(before - after, predicted[:, None], axis=1)[:, 0]
    chosen = held[np.argsort(-falls * (predicted == labels[1::2]))[:n_images]]
    found = {name: [] for name in METHODS}
    n_segments = []
    for number, image in enumerate(chosen):
        say(f"image {number + 1} of {len(chosen)}")
        segments = slic(
            image[0].astype(float), N_SEGMENTS, 0.1, channel_axis=None, start_label=0
        )  # so few can be enumerated
        n_segments.append(int(segments.max()) + 1)
        exact, spent = timed(partial(enumerated, network, image, segments))
        label = int(outputs_of(network, image[None])[0].argmax())
        asks = {name: partial(ask, network, image=image, segments=segments) for name, ask in METHODS.items()}
        answers, times = in_turns(asks, turns)
        for name, answer in answers.items():
            values, pixels = answer if isinstance(answer, tuple) else (answer, None)
            shown = spread(values[label], segments) if pixels is None else pixels[label]
            gap = np.linalg.norm(values - exact) / np.linalg.norm(exact)
            found[name].append((gap, deletion(network, image, shown, label), *times[name]))
        found.setdefault("all coalitions", []).append(
            (0.0, deletion(network, image, spread(exact[label], segments), label), *spent)
        )
    assert falls.max() > 0.0
    _, forwards = in_turns({size: partial(forward_passes, network, chosen[:1], size, 64) for size in (16, 32, 64)}, 5)
    least = min(cpu for _, cpu in forwards.values())
    return {name: np.mean(rows, axis=0) for name, rows in found.items()}, right, n_segments, least


def forward_passes(network, image, size, n, *, channels_last=False):
    """Evaluate n copies of an image in batches."""
    batch = torch.from_numpy(np.repeat(image, size, axis=0))
    if channels_last:
        batch = batch.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for _ in range(n // size):
            network(batch)


BATCHES = (4, 8, 16)
"""Sizes of batches of forward passes, the fastest of which an explanation is compared with."""
TIMED = 128
"""Forward passes that are timed; an explanation has four times as many."""


def overhead(width, turns):
    """Return the CPU seconds of 512 forward passes, with channels first and last, and of an explanation with as many."""
    image, network = astronaut(), residual_network(width)
    explainer = ImageExplainer(network, progress=False, sampling=SamplingOptions(nsamples=4 * TIMED))
    explainer.explain_local(image)
    asks = {
        (last, size): partial(forward_passes, network, image, size, TIMED, channels_last=last)
        for last in (False, True)
        for size in BATCHES
    }
    _, times = in_turns({**asks, "explained": lambda: explainer.explain_local(image)}, turns)
    first, last = (4.0 * min(times[key][1] for key in asks if key[0] is is_last) / 1e3 for is_last in (False, True))
    return first, last, times["explained"][1] / 1e3


def memory(n_images, n):
    """Return the megabytes that explaining images of 224 x 224 pixels takes beyond the model, the images and their forward."""
    images = np.repeat(astronaut(), n_images, axis=0)
    images += np.random.default_rng(0).normal(0, 0.02, images.shape).astype(np.float32)
    network = residual_network(8)
    explainer = ImageExplainer(network, progress=False, sampling=SamplingOptions(nsamples=n))
    explainer.explain_local(images[:1])
    Path("/proc/self/clear_refs").write_text("5")  # the largest memory so far is forgotten, as Linux can
    before = kilobytes("VmRSS")
    explanation = explainer.explain_local(images)
    assert len(explanation) == n_images
    return (kilobytes("VmHWM") - before) / 1024


def kilobytes(name):
    """Return a size of this process as Linux counts it: what it has now (VmRSS), or had at most (VmHWM)."""
    return int(
        next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)).split()[1]
    )


def methods_part(turns, n_images):
    """Return lines on methods: a table, and the bars that it tells of."""
    rows, right, n_segments, forward = compare(turns, n_images)
    ours_64, peer = rows["ImageExplainer 64"], rows["shap Partition 256"]
    lines = [
        f"The network is right for {right:.0%} of the other half. Means over {n_images} images of {min(n_segments)} to "
        f"{max(n_segments)} superpixels; the number beside a method is that of its evaluations.", "",
        "| method | error | deletion AUC | ms per image (CPU) |", "| --- | --- | --- | --- |",
        *(f"| {name} | {gap:.3f} | {auc:.3f} | {wall:.0f} ({cpu:.0f}) |" for name, (gap, auc, wall, cpu) in rows.items()),
        "",
        f"- 64 evaluations: error {ours_64[0]:.3f} (bar {ERROR}; {rows['ImageExplainer 128'][0]:.3f} at 128), "
        f"{peer[2] / ours_64[2]:.1f} times as fast as shap Partition 256, {peer[3] / ours_64[3]:.1f} times in CPU time (bar "
        f"{SPEED}). 64 forward passes of the network alone take {forward:.1f} ms of CPU time in the fastest batches of this "
        f"layout, so that no more than {peer[3] / forward:.1f} times can be reached with them. Partition's error with 512 "
        f"evaluations is {rows['shap Partition 512'][0]:.2f}, since it divides images into rectangles of its own. Its first call "
        "in a process takes 1 to 3 seconds more, since it compiles.",
    ]  # fmt: skip
    for n in (64, 512):
        own, *others = (rows[f"{name} {n}"][1] for name in ("ImageExplainer", "shap Partition", "LIME image"))
        lines.append(
            f"- Deletion AUC at {n} evaluations: {own:.3f}; shap Partition {others[0]:.3f}, LIME {others[1]:.3f} (bar: at most "
            "theirs)."
        )
    return lines


def overhead_part(turns, widths):
    lines = []
    for width in widths:
        say(f"forward passes of a network of width {width}")
        first, last, explained = overhead(width, turns)
        lines.append(
            f"- 224 x 224 pixels, 512 evaluations of a ResNet-18 of width {width}: {explained:.2f} s of CPU time explained. The "
            f"forward passes in the fastest batches take {first:.2f} s with channels first, {last:.2f} s with channels last, as "
            f"an explanation makes them: {explained / first - 1:+.1%} and {explained / last - 1:+.1%} (bar {OVERHEAD:+.0%})."
        )
    return lines


def memory_part():
    say("memory of 100 images")
    used = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_image", "--memory"], capture_output=True, text=True, check=True
    ).stdout
    return [
        f"- 100 images of 224 x 224 pixels, 64 evaluations each: {float(used):.0f} MB beyond the model and the images (bar "
        f"{MEMORY_MB})."
    ]


def page(given):
    load = os.getloadavg()[0]
    parts = {
        "methods": lambda: methods_part(given.turns, given.images),
        "overhead": lambda: overhead_part(max(2, given.turns - 1), given.widths),
        "memory": memory_part,
    }
    lines = [line for name in given.part or parts for line in parts[name]()]
    made = f"python -m tests.benchmarks.bench_image --images {given.images} --turns {given.turns}"
    versions = f"torch {torch.__version__}, shap {shap.__version__}, captum {captum.__version__}, lime 0.2.0.1"
    head = (
        f"Made by `{made}`: {os.cpu_count()} cores, one thread, load {load:.1f} at the start, Python "
        f"{platform.python_version()}; {versions}."
    )
    return (
        "\n".join(["# Benchmarks of images", "", head, "", " ".join(__doc__.split("\n\n")[2].split()), "", *lines])
        + "\n"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--images", type=int, default=4, help="images explained; 8 in docs/performance/image.md")
    parser.add_argument("--widths", type=int, nargs="*", default=[16])
    parser.add_argument("--part", choices=("methods", "overhead", "memory"), action="append", help="only this part")
    parser.add_argument("--memory", action="store_true", help="print the megabytes that 100 images take")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if given.memory:
        print(memory(100, 64))
        return
    text = page(given)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
