"""Right calls of the public interface, in each of which a test gives one argument a wrong value at a time."""

import contextlib
import io
import itertools
import pickle
from decimal import Decimal
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

import automl_explain as ax
from automl_explain.integrations.flaml import AutoML
from automl_explain.integrations.optuna import TrialExplainer
from automl_explain.integrations.sklearn_search import ExplainingScorer

mpl.use("agg")

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(40, 3)), columns=["age", "debt", "score"])
LABELS = np.tile([0, 1], 20)
TREE = DecisionTreeClassifier(max_depth=2, random_state=0).fit(FRAME, LABELS)
FOREST = RandomForestClassifier(2, max_depth=2, random_state=0).fit(FRAME, LABELS)
LOGISTIC = LogisticRegression().fit(FRAME, LABELS)
VOTE = VotingClassifier([("tree", TREE), ("line", LOGISTIC)], voting="soft").fit(FRAME, LABELS)
TEXTS = [
    f"{word} and {other}"
    for word in ("good", "new", "fine", "bad", "old")
    for other in ("cheap", "dear", "slow", "fast")
]
READER = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS[:20])
IMAGES = RNG.random((2, 8, 8))
SEER = LinearRegression().fit(RNG.random((20, 64)), RNG.random(20))
with torch.random.fork_rng(devices=[]):
    torch.manual_seed(0)
    NETWORK = torch.nn.Sequential(torch.nn.Linear(3, 2)).double()
FEW = ax.SamplingOptions(nsamples=10, background_size=5)
OF_TREE = ax.explain_model(TREE, FRAME[:10], FRAME[:5], members=False, progress=False)
OF_LINE = ax.explain_model(LinearRegression().fit(FRAME, RNG.random(40)), FRAME[:10], FRAME[:5], progress=False)
OF_VOTE = ax.explain_model(VOTE, FRAME[:10], FRAME[:5], members=True, progress=False)


class OwnError(Exception):
    """An error of a function that the user passes, which may come through."""


def fails(*args, **settings):
    raise OwnError


def values():
    """Return values that hardly any argument takes, by name; new ones for each call."""
    itself = []
    itself.append(itself)
    return {
        "None": None, "zero": 0, "negative": -1, "half": 1.5, "nan": np.nan, "infinite": np.inf, "huge": 10**12,
        "huge float": 1e12, "long": 2**70, "true": True, "complex": 1j, "decimal": Decimal("1.5"), "text": "strange",
        "empty text": "", "NUL": "a\0b", "long text": "x" * 10_000, "surrogate": "\ud800", "bytes": b"strange",
        "nothing": [], "numbers": [1, 2], "twice": ["age", "age"], "mixed": [1, "a", None], "ragged": [[1, 2], [3]],
        "itself": itself, "no mapping": {}, "mapping": {"strange": 1}, "numbered": {0: "a"}, "set": {1, "a"},
        "tuple": (1, 2), "array": np.arange(3), "objects": np.array(["a", None], dtype=object), "matrix": np.ones((2, 3)),
        "cube": np.ones((2, 2, 2)), "no rows": np.zeros((0, 3)), "nans": np.full((40, 3), np.nan), "scalar": np.array(1.5),
        "record": np.zeros(2, dtype="i4,f8"), "sparse": sparse.eye_array(3, format="csr"),
        "frame": pd.DataFrame({"strange": [1, 2]}),
        "no frame": pd.DataFrame(), "series": pd.Series([1, "a"]), "date": pd.Timestamp("2024-01-01"), "NaT": pd.NaT,
        "NA": pd.NA, "function": len, "fails": fails, "class": dict, "object": object(), "generator": (i for i in range(3)),
        "endless": itertools.count(), "range": range(10**12), "path": Path("strange"), "module": np,
        "error": ValueError("strange"), "folder": "/", "device": "/dev/zero",
    }  # fmt: skip


def explained(make, call="explain_local", **more):
    """Return a function that makes an explainer and explains with it."""

    def explains(*, X=FRAME[:5], **arguments):
        inner = {name: arguments.pop(name) for name in more if name in arguments}
        return getattr(make(**arguments), call)(X, **inner)

    return explains


def searched(folder):
    """Return a history with a search of scikit-learn that is explained."""
    options = {"progress": False, "keep_labels": True}
    scorer = ExplainingScorer("accuracy", FRAME, history=folder / "history", explainability_options=options)
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, scoring=scorer, cv=2)
    scorer.explain(search.fit(FRAME, LABELS))
    return ax.RunHistory(folder / "history"), scorer


COMMON = {"features": None, "classes": None, "output": "auto", "random_state": 0, "progress": False}
OF_TABLES = {
    **COMMON, "feature_space": None, "transformations": None, "weights": None, "model_task": None, "explain_subset": None,
    "n_jobs": 1,
}  # fmt: skip
GLOBAL = {"sampling_policy": None, "include_local": True, "batch_size": None}


def explainers():
    """Yield calls of explainers, with the names under which they are shown."""
    yield "describe", ax.describe, {"model": TREE, "examples": FRAME}
    yield "explain_model", ax.explain_model, {
        "fitted_model": TREE, "X_train": FRAME[:10], "X_test": FRAME[:5], "best_run": None, "y_train": None,
        "members": False, "y_test": None, "data": "auto", "text_detail": None, "sampling": None, "n_jobs": None,
        **COMMON, "feature_space": "engineered",
    }  # fmt: skip
    sampled = {**OF_TABLES, "sampling": FEW}
    for made, model in (
        (ax.TabularExplainer, VOTE),
        (ax.TreeExplainer, TREE),
        (ax.KernelExplainer, LOGISTIC.predict_proba),
    ):
        yield (
            made.__name__,
            explained(made),
            {"X": FRAME[:3], "model": model, "initialization_examples": FRAME[:10], **sampled},
        )
    tabular = ax.TabularExplainer(TREE, FRAME[:10])
    yield "explain_global", tabular.explain_global, {"X": FRAME[:5], **GLOBAL}
    yield "explain_members", ax.TabularExplainer(VOTE, FRAME[:10]).explain_members, {"X": FRAME[:3]}
    yield "interaction_values", ax.TreeExplainer(TREE, FRAME[:10]).interaction_values, {"X": FRAME[:3]}
    linear = {name: value for name, value in OF_TABLES.items() if name not in ("random_state", "n_jobs", "progress")}
    yield "LinearExplainer", explained(ax.LinearExplainer), {
        "X": FRAME[:3], "model": LOGISTIC, "initialization_examples": FRAME[:10], **linear,
    }  # fmt: skip
    yield "MimicExplainer", explained(ax.MimicExplainer), {
        "X": FRAME[:3], "model": TREE, "initialization_examples": FRAME, "explainable_model": ax.LinearExplainableModel,
        "augment_data": True, "max_num_of_augmentations": 2, "explainable_model_args": {}, **OF_TABLES,
    }  # fmt: skip
    for made, some in (
        (ax.LinearExplainableModel, {"alpha": 1.0}), (ax.SGDExplainableModel, {"alpha": 1.0, "max_iter": 10}),
        (ax.DecisionTreeExplainableModel, {"max_depth": 2, "max_leaf_nodes": 8, "min_samples_leaf": 5}),
        (ax.LGBMExplainableModel, {"n_estimators": 2, "num_leaves": 4, "learning_rate": 0.1, "min_child_samples": 5}),
    ):  # fmt: skip

        def surrogate(made=made, **arguments):
            mimic = ax.MimicExplainer(TREE, FRAME, made, augment_data=False, explainable_model_args=arguments)
            return mimic.explain_local(FRAME[:2])

        yield made.__name__, surrogate, some
    without = {name: value for name, value in OF_TABLES.items() if name not in ("feature_space", "n_jobs")}
    yield "LIMEExplainer", explained(ax.LIMEExplainer), {
        "X": FRAME[:2], "model": TREE, "initialization_examples": FRAME, "discretizer": "quartile", "nsamples": 50,
        "kernel_width": None, "sample_around_instance": False, "categorical_features": (), **without,
    }  # fmt: skip
    permuted = {name: value for name, value in OF_TABLES.items() if name not in ("feature_space", "output", "weights")}
    yield "PFIExplainer", explained(ax.PFIExplainer, "explain_global", true_labels=0, sample_weight=0, sampling_policy=0), {
        "X": FRAME, "model": TREE, "metric": None, "is_error_metric": None, "n_repeats": 2, "true_labels": LABELS,
        "sample_weight": None, "sampling_policy": None, **permuted,
    }  # fmt: skip
    yield "DeepExplainer", explained(ax.DeepExplainer), {
        "X": FRAME[:2].to_numpy(), "model": NETWORK, "initialization_examples": FRAME[:10].to_numpy(), "method": "auto",
        "players": None, "device": "auto", **sampled, "batch_size": None,
    }  # fmt: skip
    yield "TextExplainer", explained(ax.TextExplainer), {
        "X": TEXTS[:2], "model": READER, "method": "auto", "initialization_examples": None, "level": "word", "tokenizer": None,
        "absent": "", "occurrences": False, "output": "auto", "classes": None, "sampling": FEW, "random_state": 0, "n_jobs": 1,
        "progress": False,
    }  # fmt: skip
    yield "HANTextExplainer", explained(ax.HANTextExplainer), {
        "X": TEXTS[:2], "model": READER, "initialization_examples": TEXTS, "embedding": None, "importance": "signed",
        "fine_tune": True, "classes": None, "tokenizer": None, "device": "auto", "epochs": 1, "random_state": 0,
        "progress": False,
    }  # fmt: skip
    yield "ImageExplainer", explained(ax.ImageExplainer), {
        "X": IMAGES, "model": SEER, "segments": None, "n_segments": 4, "absent": "blur", "level": "segment",
        "method": "auto", "layer": None, "channel_axis": "auto", "image_shape": None, "preprocess": None, "output": "auto",
        "classes": None, "top_classes": 2, "device": "auto", "batch_size": None, "sampling": FEW, "random_state": 0,
        "n_jobs": 1, "progress": False,
    }  # fmt: skip
    yield "measure_faithfulness", ax.measure_faithfulness, {
        "explanation": OF_TREE.explanation, "model": TREE, "data": FRAME[:5], "absent": FRAME[:5], "share": 0.2, "n_random": 2,
        "max_examples": 3, "random_state": 0, "progress": False,
    }  # fmt: skip
    yield "SamplingOptions", ax.SamplingOptions, {
        "nsamples": None, "max_evaluations": None, "tolerance": None, "time_budget": None, "background_size": None,
        "background_summary": "representative",
    }  # fmt: skip
    for name, right in vars(FEW).items():
        yield (
            f"sampling {name}",
            lambda **given: ax.KernelExplainer(
                TREE, FRAME[:10], sampling=ax.SamplingOptions(**{"nsamples": 9} | given)
            ).explain_local(FRAME[:2]),
            {name: right},
        )


def results(folder):
    """Yield calls of explanations and of what is made of them."""
    explanation, members, texts = (
        OF_TREE.explanation,
        OF_VOTE.members,
        ax.TextExplainer(READER).explain_local(TEXTS[:2]),
    )
    image = ax.ImageExplainer(SEER, n_segments=4).explain_local(IMAGES)
    scored = ax.scoring_explainer(TREE, FRAME[:10])
    bundle = ax.save(scored, folder / "bundle")
    for of, name in (
        (explanation, "get_feature_importance_dict"), *((explanation, f"get_ranked_{what}_{part}") for what in
        ("global", "local", "per_class") for part in ("names", "values")), *((texts, f"get_ranked_{what}") for what in
        ("global_names", "per_class_values")),
    ):  # fmt: skip
        yield f"{type(of).__name__}.{name}", getattr(of, name), {"top_k": None}
    for of in (explanation, texts, image):
        yield f"{type(of).__name__}.examples_html", of.examples_html, {"most": 2}
        yield f"{type(of).__name__}.save", of.save, {"path": folder / "other"}
        of.save(folder / type(of).__name__)
        yield f"{type(of).__name__}.load", type(of).load, {"path": folder / type(of).__name__}
    yield "get_raw_explanation", explanation.get_raw_explanation, {"feature_map": None}
    yield "global_importance", explanation.global_importance, {
        "sample_weight": None, "confidence": 0.9, "n_resamples": 10, "random_state": 0,
    }  # fmt: skip
    yield "GlobalImportance.to_frame", explanation.global_importance(n_resamples=5).to_frame, {"top_k": None}
    yield "select", explanation.select, {"features": None, "rows": None, "why": ""}
    yield "validate_against", explanation.validate_against, {"reference": explanation, "top_k": None}
    yield "member", members.get_member_explanation, {"member": "tree"}
    yield "MemberExplanation.select", members.select, {"features": None, "rows": None}
    for name in ("by_position", "mean_pixels", "of_class", "select", "to_pixels"):
        right = {"by_position": {"grid": (2, 2)}, "mean_pixels": {"label": None}, "of_class": {"label": "output"},
                 "select": {"images": [0]}, "to_pixels": {"spread": True}}[name]  # fmt: skip
        yield f"ImageExplanation.{name}", getattr(image, name), right
    yield "directions", OF_TREE.directions, {"class_": None, "top_k": None}
    yield "performance", OF_TREE.performance, {"y": LABELS[:5]}
    yield "row", OF_TREE.row, {"row": 0, "class_": None}
    yield "row by label", OF_TREE.row, {"label": 0}
    yield "ModelExplanation.save", OF_TREE.save, {"path": folder / "other"}
    row, performance = OF_TREE.row(0), OF_TREE.performance(LABELS[:5])
    yield "row.as_text", row.as_text, {"top_k": 2, "width": 80}
    yield "row.as_dict", row.as_dict, {"top_k": 2}
    yield "row.reasons", row.reasons, {"top_k": 2}
    for name, right in (("as_dict", {"n": 2}), ("as_text", {"width": 80}), ("best", {"n": 2}), ("worst", {"n": 2})):
        yield f"performance.{name}", getattr(performance, name), right
    yield "between", ax.ExplanationDiff.between, {"before": explanation, "after": explanation}
    diff = ax.ExplanationDiff.between(explanation, explanation)
    yield "diff.as_text", diff.as_text, {"top_k": 2}
    yield "diff.exceeds", diff.exceeds, {"min_correlation": 0.5, "max_change": 0.5}
    yield "PartialImportance.add", ax.PartialImportance().add, {"explanation": explanation}
    yield "PartialImportance.merge", ax.PartialImportance().merge, {"other": ax.PartialImportance()}
    yield "SamplingPolicy", ax.SamplingPolicy, {"max_rows": 2, "random_state": 0}
    yield "choose_rows", ax.SamplingPolicy(2).choose_rows, {"total": 5}
    yield "FeatureMap.pool", ax.FeatureMap(("a",), np.zeros(2, np.intp)).pool, {"values": np.ones((2, 2))}
    yield from plots(explanation, texts, image)
    yield from scoring(folder, scored, bundle)


def plots(explanation, texts, image):
    """Yield calls of plots."""
    shown = {"explanation": explanation, "ax": None, "class_": None, "top_k": 3}
    yield "plot_global_importance", ax.plot_global_importance, {**shown, "stacked": None, "confidence": None}
    yield "plot_summary", ax.plot_summary, shown
    yield "plot_local", ax.plot_local, {**shown, "row": 0}
    yield "plot_member_shares", ax.plot_member_shares, {**shown, "explanation": OF_VOTE.members}
    yield "plot_text", ax.plot_text, {**shown, "explanation": texts, "text": 0}
    yield "plot_dependence", ax.plot_dependence, {
        "explanation": explanation, "feature": "age", "ax": None, "class_": None, "color_by": "auto",
    }  # fmt: skip
    yield (
        "importance_by_category",
        ax.importance_by_category,
        {"explanation": explanation, "feature": "age", "class_": None},
    )
    yield "plot_interactions", ax.plot_interactions, {
        "values": np.ones((2, 3, 3)), "features": None, "ax": None, "class_": None, "top_k": 2,
    }  # fmt: skip
    yield (
        "plot_image",
        ax.plot_image,
        {"explanation": image, "image": None, "classes": None, "outlines": True, "ax": None},
    )
    yield "plot_residuals", ax.plot_residuals, {"performance": OF_LINE.performance(RNG.random(5)), "ax": None}


def scoring(folder, scored, bundle):
    """Yield calls of scoring explainers and bundles, and of what serves and shows them."""
    rows = FRAME[:3]
    yield "scoring_explainer", ax.scoring_explainer, {
        "explainer": TREE, "background": FRAME[:10], "examples": None, "feature_space": "raw",
    }  # fmt: skip
    yield "TreeScoringExplainer", ax.TreeScoringExplainer, {"explainer": ax.TreeExplainer(TREE, rows), "examples": None}
    yield "explain", scored.explain, {"X": rows, "get_raw": False}
    yield "explain_local", scored.explain_local, {"X": rows, "with_rows": True}
    for name in ("predict", "predict_proba", "score"):
        yield name, getattr(scored, name), {"X": rows}
    yield "with_importance", scored.with_importance, {"explanation": OF_TREE.explanation}
    yield "save", ax.save, {
        "scoring_explainer": scored, "directory": folder / "again", "exist_ok": True, "model": None, "allow_pickle": False,
        "facts": None,
    }  # fmt: skip
    yield "load", ax.load, {"directory": bundle, "model": None, "allow_pickle": False, "max_bytes": 1 << 30}
    yield "inspect_bundle", ax.inspect_bundle, {"directory": bundle}
    yield "load_model", ax.load_model, {"path": folder / "model.pkl", "trusted": (), "allow_pickle": True}
    yield "ScoreFile", ax.ScoreFile, {"bundle": bundle, "name": "model", "max_rows": 10, "allow_pickle": False}
    yield "ScoreFile.run", ax.ScoreFile(bundle).run, {"raw_data": rows.to_json(orient="split")}
    yield "export_service", ax.export_service, {
        "bundle": bundle, "directory": folder / "service", "exist_ok": True, "wheel": None, "allow_pickle": False,
    }  # fmt: skip
    yield "create_app", ax.create_app, {"bundles": scored, "token": None, "limits": None}
    yield "ServiceLimits", ax.ServiceLimits, {
        "max_body": 100, "max_rows": 10, "max_waiting": 2, "deadline": 1.0, "block_rows": 2, "threads": 1, "half_life": 10,
    }  # fmt: skip
    yield "RowColumns", ax.RowColumns, {
        "columns": (), "features": None, "top_k": None, "output_class": None, "dtype": "float64", "as_list": False,
    }  # fmt: skip
    for name, right in vars(ax.RowColumns()).items():
        yield f"columns {name}", lambda **given: ax.RowColumns(**given).of(scored, rows), {name: right}
    yield "explain_files", ax.explain_files, {
        "explainer": scored, "data": folder / "rows.csv", "directory": folder / "explained", "columns": None, "where": (),
        "part_rows": 10, "progress": False,
    }  # fmt: skip
    yield "ExplanationDashboard", ax.ExplanationDashboard, {
        "explanation": OF_TREE, "model": None, "X_test": None, "true_labels": None, "background": None, "title": None,
        "max_rows": None, "random_state": 0,
    }  # fmt: skip
    yield "dashboard.save", ax.ExplanationDashboard(OF_TREE).save, {"path": folder / "page.html"}


def searches(folder):
    """Yield calls of searches, of their history and of what is made of their runs."""
    history, scorer = searched(folder)
    run, search = scorer.best_run, scorer.best_run.search
    history_of = {"history": folder / "tried"}
    yield "RunHistory", ax.RunHistory, {"directory": folder / "tried"}
    for name, right in {
        "explanation": {"run_id": run.id, "explanation_id": None}, "explanations": {"run_id": run.id}, "named": {"name": "a"},
        "owners": {"search": search}, "part_losses": {"search": search}, "read": {"history": history}, "run": {"run_id": run.id},
        "runs": {"search": search}, "search": {"search": search}, "to_write": {"history": history},
        "set_status": {"run_id": "none", "status": "failed", "why": ""},
        "start_search": {"engine": "own", "task": "binary", "facts": {}, "search": None},
        "store": {"run_id": run.id, "explanation": OF_TREE.explanation, "comment": "", "seconds": None, "part_losses": (),
                  "share_rows": False},
        "add_runs": {"search": history.start_search("own", "binary", {}), "runs": [], "complete": False},
        "remove_search": {"search": history.start_search("own", "binary", {})},
    }.items():  # fmt: skip
        yield f"history.{name}", getattr(history, name), right
    client = ax.ExplanationClient.from_run(run)
    yield "from_run", ax.ExplanationClient.from_run, {"run": run, "history": history}
    yield (
        "download",
        client.download_model_explanation,
        {"explanation_id": None, "top_k": None, "comment": None, "raw": None},
    )
    yield "list", client.list_model_explanations, {"comment": None}
    yield "upload", client.upload_model_explanation, {"explanation": OF_TREE, "top_k": None, "comment": None}
    yield "retrieve_model_explanation", ax.retrieve_model_explanation, {"run": run.id, "history": history}
    yield "resume_search", ax.resume_search, {"search": search, "history": history, "time_budget": 1.0}
    found = history.runs(search)
    yield "from_runs", ax.SearchExplanation.from_runs, {"runs": found, "tolerance": None, "top_k": 2, "progress": False}
    yield "search.as_text", ax.SearchExplanation.from_runs(found).as_text, {"top_k": 2}
    yield "plot_search_importance", ax.plot_search_importance, {"search": found, "ax": None, "top_k": 2}
    yield "plot_importance_history", ax.plot_importance_history, {"search": found, "ax": None, "top_k": 2}
    yield "write_report", ax.write_report, {
        "path": folder / "r.html", "runs": found, "title": None, "top_k": 2, "rows": 1, "dashboard": None,
    }  # fmt: skip
    yield "save_plots", ax.save_plots, {"directory": folder / "plots", "explanation": OF_TREE, "top_k": 2}
    options = dict(vars(ax.ExplainabilityOptions()))
    yield "ExplainabilityOptions", ax.ExplainabilityOptions, options
    yield "options.read", ax.ExplainabilityOptions.read, {"options": None}
    yield "options.seconds", ax.ExplainabilityOptions().seconds, {"search_seconds": 1.0}
    settings = {
        "task": None, "model_explainability": True, "engine": "auto", "time_budget": 1.0, "max_iter": 2, "metric": "auto",
        "estimators": ["lgbm"], "cv": None, "ensemble": False, "objective": None, "seed": 0, "explainability_options": None,
        **history_of,
    }  # fmt: skip
    yield "AutoMLConfig", ax.AutoMLConfig, {"X": FRAME, "y": LABELS, "X_valid": None, "y_valid": None, **settings}
    yield "from_data", ax.AutoMLConfig.from_data, {
        "data": folder / "rows.csv", "target": "age", "validation": None, "drop": (), **settings,
    }  # fmt: skip
    yield "from_file", ax.AutoMLConfig.from_file, {"path": folder / "config.yaml"}
    yield "Experiment", ax.Experiment, {"name": "a"}

    def scorer_of(search=None, **given):
        options = {"progress": False, "time_budget": 1.0}
        made = ExplainingScorer(
            **{"explainability_options": options, "history": history, "X_train": FRAME, "scoring": "accuracy"} | given
        )
        grid = GridSearchCV(TREE, {"max_depth": [1]}, scoring=made, cv=2)
        return made.explain(grid.fit(FRAME, LABELS) if search is None else search)

    yield "ExplainingScorer", scorer_of, {
        "X_train": FRAME, "explainability_options": None, **history_of, "features": None, "facts": None,
        "search": None,
    }  # fmt: skip
    yield "TrialExplainer", TrialExplainer, {
        "X_train": FRAME, "X_valid": None, "y_valid": None, "explainability_options": None, **history_of, "features": None,
        "target": None, "facts": None,
    }  # fmt: skip

    def flaml(explainability_options=None, history=folder / "tried", model_explainability=True):
        automl = AutoML(
            model_explainability=model_explainability, history=history, explainability_options=explainability_options
        )
        automl.fit(FRAME, LABELS, task="classification", max_iter=1, estimator_list=["lgbm"], verbose=0)

    yield "AutoML", flaml, {
        "explainability_options": None, **history_of, "model_explainability": True,
    }  # fmt: skip  # FLAML itself checks the rest


def calls(folder):
    """Return all calls by name, each a function and its right arguments."""
    FRAME.to_csv(folder / "rows.csv", index=False)
    (folder / "model.pkl").write_bytes(pickle.dumps(TREE))
    (folder / "config.yaml").write_text("data: rows.csv\ntarget: age\n")
    every = [*explainers(), *results(folder), *searches(folder)]
    return {name: (function, arguments) for name, function, arguments in every}


def outcome(function, arguments):
    """Call a function, and say how it ended: "right", "typed", or the error that has no type of the library."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            function(**arguments)
    except (ax.AutoMLExplainError, OwnError, FileNotFoundError):  # a file that is not there is said as Python says it
        return "typed"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:150]}"
    return "right"
