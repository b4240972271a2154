"""Documentation strings of scipy and scikit-learn as labelled texts: the label is the package."""

import importlib
import inspect
import pkgutil
import re
import warnings

import numpy as np

PACKAGES = ("scipy", "sklearn")
FEWEST_WORDS, MOST_WORDS = 20, 110


def docstrings(n_texts, seed=0):
    """Return texts, each the first words of a documentation string, and the package of each; drawn at random."""
    found = {}
    for package in PACKAGES:
        for module in _modules(package):
            for thing in _public(module, package):
                text = inspect.getdoc(thing) or ""
                words = list(re.finditer(r"\S+", text))
                if len(words) >= FEWEST_WORDS:
                    found.setdefault(text[: words[min(len(words), MOST_WORDS) - 1].end()], package)
    texts = np.random.default_rng(seed).permutation(sorted(found))[:n_texts].tolist()
    return texts, [found[text] for text in texts]


def _modules(package):
    root = importlib.import_module(package)
    names = [module.name for module in pkgutil.iter_modules(root.__path__) if not module.name.startswith("_")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ["", *(f".{name}" for name in names if name != "conftest")]:
            yield importlib.import_module(package + name)


def _public(module, package):
    """Yield public classes and functions of a module, and the methods of its classes."""
    for name, thing in sorted(vars(module).items()):
        own = str(getattr(thing, "__module__", "")).startswith(package)
        if name.startswith("_") or not own or not (inspect.isclass(thing) or inspect.isroutine(thing)):
            continue
        yield thing
        if inspect.isclass(thing):
            members = sorted(vars(thing).items())
            yield from (each for name, each in members if not name.startswith("_") and inspect.isroutine(each))
