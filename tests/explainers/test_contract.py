"""The contract of all public methods of all explainers.

An explainer joins the contract with one line in `EXPLAINERS`, a method with one line in `METHODS`.
"""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl_explain import (
    AdditivityError,
    ColumnMismatchError,
    DecisionTreeExplainableModel,
    DeepExplainer,
    InvalidInputError,
    KernelExplainer,
    LGBMExplainableModel,
    LIMEExplainer,
    LinearExplainableModel,
    LinearExplainer,
    MimicExplainer,
    PFIExplainer,
    SamplingOptions,
    SGDExplainableModel,
    TabularExplainer,
    TreeExplainer,
)
from automl_explain.explainers._errors import UnsupportedModelError
from automl_explain.explainers.methods._explainer import ShapleyExplainer
from automl_explain.explainers.model._structures import Opaque

NAMES = ["age", "income", "debt", "score", "visits"]
RNG = np.random.default_rng(7)
TABLE = RNG.normal(size=(90, 5)) * [1.0, 10.0, 0.1, 3.0, 1.0] + [40.0, 100.0, 0.0, 5.0, 2.0]
TABLE[RNG.random(TABLE.shape) < 0.25] = 0.0
LABELS = (TABLE[:, 0] / 40 + TABLE[:, 1] / 100 * (TABLE[:, 3] > 4) + TABLE[:, 4] > 2.5).astype(int)
FRAME = pd.DataFrame(TABLE, columns=NAMES)
BACKGROUND, ROWS = slice(0, 20), slice(60, 66)
SWAPPED = [3, 0, 4, 2, 1]
FEW = SamplingOptions(nsamples=24, background_size=20)

FOREST = RandomForestClassifier(6, max_depth=3, random_state=0)
BOOSTER = LGBMClassifier(n_estimators=6, num_leaves=6, verbose=-1, n_jobs=1)
LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression())
VOTE = VotingClassifier([("forest", FOREST), ("logistic", LogisticRegression(max_iter=2000))], voting="soft")
STACK = StackingClassifier([("forest", FOREST), ("bayes", GaussianNB())], BOOSTER, cv=3)

ARRAYS = {name: model.fit(TABLE, LABELS) for name, model in {
    "forest": RandomForestClassifier(**FOREST.get_params()), "booster": LGBMClassifier(**BOOSTER.get_params()),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()), "vote": VotingClassifier(VOTE.estimators, voting="soft"),
    "stack": StackingClassifier(STACK.estimators, BOOSTER, cv=3), "neighbours": KNeighborsClassifier(7, algorithm="brute"),
}.items()}  # fmt: skip
"""Models that were trained on arrays, so that only the explainer may know names."""


class NetworkModel(torch.nn.Module):
    """A network in float64 that can be copied and fitted as the other models can; its weights are always the same."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            self.layers = torch.nn.Sequential(
                torch.nn.Linear(5, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2), torch.nn.Softmax(1)
            ).double()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layers(rows / 40.0)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {}

    def fit(self, X: Any, y: Any) -> Any:
        return self


ARRAYS["network"] = NetworkModel()


@dataclass(frozen=True)
class Member:
    """An explainer in the contract.

    Parameters
    ----------
    make : callable
        From a background and further parameters to the explainer.
    methods : tuple of str
        Its public methods, of those in `METHODS`.
    model : str
        The model of `ARRAYS` that it explains.
    sparse : bool
        Whether it takes sparse tables.
    same_sparse : bool
        Whether its values of a sparse table are those of a dense one; linear surrogates scale sparse columns otherwise.
    exact : bool
        Whether rows with weight 2 count exactly as rows that are there twice.
    background : bool
        Whether it has a background.
    """

    make: Callable[..., Any]
    methods: tuple[str, ...]
    model: str
    sparse: bool = True
    same_sparse: bool = True
    exact: bool = True
    background: bool = True
    options: dict[str, Any] = field(default_factory=dict)


def _mimic(surrogate: type) -> Callable[..., Any]:
    return lambda model, background, **given: MimicExplainer(model, background, surrogate, **given)


def _pfi(model: Any, background: Any, **given: Any) -> PFIExplainer:
    return PFIExplainer(model, **given)


BOTH, WITH_MEMBERS = ("local", "global"), ("local", "global", "members")
EXPLAINERS: dict[str, Member] = {
    "tabular, trees": Member(TabularExplainer, BOTH, "forest"),
    "tabular, pipeline": Member(TabularExplainer, BOTH, "logistic", sparse=False),
    "tabular, vote": Member(TabularExplainer, WITH_MEMBERS, "vote"),
    "tabular, stack": Member(TabularExplainer, WITH_MEMBERS, "stack", sparse=False),
    "tabular, black box": Member(TabularExplainer, BOTH, "neighbours", options={"sampling": FEW}),
    "tree": Member(TreeExplainer, (*BOTH, "interactions"), "booster"),
    "tree, paths": Member(
        lambda model, background, **given: TreeExplainer(model, **given), (*BOTH, "interactions"), "booster",
        background=False,
    ),
    "linear": Member(LinearExplainer, BOTH, "logistic", sparse=False),
    "kernel": Member(KernelExplainer, BOTH, "forest", options={"sampling": FEW}),
    "tabular, network": Member(TabularExplainer, BOTH, "network"),
    "deep, path": Member(DeepExplainer, BOTH, "network", options={"method": "path"}),
    "deep, rescale": Member(DeepExplainer, BOTH, "network", options={"method": "rescale", "output": "log_odds"}),
    "mimic, lgbm": Member(_mimic(LGBMExplainableModel), BOTH, "neighbours", exact=False),
    "mimic, linear": Member(_mimic(LinearExplainableModel), BOTH, "neighbours", same_sparse=False, exact=False),
    "mimic, sgd": Member(_mimic(SGDExplainableModel), BOTH, "neighbours", same_sparse=False, exact=False),
    "mimic, tree": Member(_mimic(DecisionTreeExplainableModel), BOTH, "neighbours", exact=False),
    "lime": Member(LIMEExplainer, BOTH, "forest", sparse=False, exact=False, options={"nsamples": 200}),
    "pfi": Member(_pfi, ("global",), "forest", background=False),
}  # fmt: skip


def _global(explainer: Any, X: Any) -> np.ndarray:
    labels = {"true_labels": LABELS[ROWS]} if isinstance(explainer, PFIExplainer) else {}
    return np.asarray(explainer.explain_global(X, **labels).global_importance_values)


METHODS: dict[str, Callable[[Any, Any], np.ndarray]] = {
    "local": lambda explainer, X: explainer.explain_local(X).local_importance_values,
    "global": _global,
    "members": lambda explainer, X: explainer.explain_members(X).local_member_values,
    "interactions": lambda explainer, X: explainer.interaction_values(X),
}
PAIRS = [(name, method) for name, member in EXPLAINERS.items() for method in member.methods]
by_pair = pytest.mark.parametrize(("name", "method"), PAIRS, ids=lambda value: value)
by_name = pytest.mark.parametrize("name", EXPLAINERS)


def make(name: str, background: Any = None, model: Any = None, **given: Any) -> Any:
    member = EXPLAINERS[name]
    background = TABLE[BACKGROUND] if background is None else background
    return member.make(ARRAYS[member.model] if model is None else model, background, **member.options, **given)


def ask(name: str, method: str, X: Any, background: Any = None, **given: Any) -> np.ndarray:
    return METHODS[method](make(name, background, **given), X)


def one_explanation(explainer: Any, X: Any = TABLE[ROWS]) -> Any:
    if isinstance(explainer, PFIExplainer):
        return explainer.explain_global(X, true_labels=LABELS[ROWS])
    return explainer.explain_local(X)


# ---------------------------------------------------------------------------------------------- reading tables


# Array-trained estimators of scikit-learn warn of frames where no background says what they were trained on.
@pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning")
@by_pair
def test_names_given_beside_an_array_are_those_of_a_frame_in_another_order(name, method):
    expected = ask(name, method, TABLE[ROWS], features=NAMES)
    np.testing.assert_allclose(ask(name, method, FRAME.iloc[ROWS, SWAPPED], features=NAMES), expected, atol=1e-9)


@by_pair
def test_columns_in_another_order_are_brought_into_that_of_the_background(name, method):
    if EXPLAINERS[name].model == "network":
        pytest.skip("a network does not know its columns: the background has them in its order")
    fitted = _on_frames(name)
    expected = METHODS[method](make(name, FRAME[BACKGROUND], fitted), FRAME[ROWS])
    found = METHODS[method](make(name, FRAME.iloc[BACKGROUND, SWAPPED], fitted), FRAME.iloc[ROWS, SWAPPED[::-1]])
    np.testing.assert_allclose(found, expected, atol=1e-9)


def _on_frames(name: str) -> Any:
    return clone(ARRAYS[EXPLAINERS[name].model]).fit(FRAME, LABELS)


@by_pair
def test_a_missing_column_is_named_with_a_guess(name, method):
    explainer = make(name, FRAME[BACKGROUND], _on_frames(name))
    with pytest.raises(ColumnMismatchError, match="lacks 1 of the training data's columns.*Did you mean 'income'"):
        METHODS[method](explainer, FRAME[ROWS].rename(columns={"income": "incme"}))


@by_pair
def test_another_number_of_columns_is_refused(name, method):
    with pytest.raises(ColumnMismatchError, match="X must have 5 columns"):
        ask(name, method, TABLE[ROWS][:, :4])


@pytest.mark.parametrize("form", ["series", "one-dimensional array", "list"])
@by_pair
def test_a_single_row_is_a_table_of_one(name, method, form):
    if name == "pfi":
        pytest.skip("a score needs several rows")
    fitted = _on_frames(name)
    explainer = make(name, FRAME[BACKGROUND], fitted)
    row = {"series": FRAME.iloc[63], "one-dimensional array": TABLE[63], "list": TABLE[63].tolist()}[form]
    np.testing.assert_allclose(
        METHODS[method](explainer, row), METHODS[method](explainer, FRAME.iloc[63:64]), atol=1e-12
    )


@by_pair
def test_a_sparse_table_has_the_values_of_a_dense_one_or_is_refused(name, method):
    background, rows = sparse.csr_matrix(TABLE[BACKGROUND]), sparse.csr_matrix(TABLE[ROWS])
    if not EXPLAINERS[name].same_sparse:
        assert one_explanation(make(name, background), rows).additivity_error < 1e-9
    elif EXPLAINERS[name].sparse:
        np.testing.assert_allclose(ask(name, method, rows, background), ask(name, method, TABLE[ROWS]), atol=1e-9)
    else:
        with pytest.raises(InvalidInputError, match="sparse|cannot take"):
            ask(name, method, rows, background)


@by_pair
def test_values_that_the_model_refuses_are_told_of_the_table(name, method):
    if EXPLAINERS[name].model not in ("logistic", "neighbours"):
        pytest.skip("the model takes missing values")
    rows = TABLE[ROWS].copy()
    rows[2, 1] = np.nan
    if name.startswith("mimic"):
        assert np.isfinite(ask(name, method, rows)).all(), "the surrogate answers, and it takes missing values"
        return
    with pytest.raises(InvalidInputError, match="cannot take the values of X: .*NaN"):
        ask(name, method, rows)


@pytest.mark.falls_back
@pytest.mark.parametrize("error", [ValueError, TypeError])
@by_name
def test_an_error_of_our_own_is_not_blamed_on_the_table(name, error, monkeypatch):
    explainer = make(name)
    place = {"lime": "_fit", "pfi": "_measure"}.get(name)

    def fails(*given: Any, **named: Any) -> Any:
        raise error("a fault within")

    monkeypatch.setattr(explainer if place else explainer._engine, place or "attribute", fails)
    falls_back = isinstance(explainer, ShapleyExplainer) and explainer._question is not None
    if falls_back and not isinstance(explainer.model.structure, Opaque):
        if explainer._question.background is None:
            with pytest.raises(
                UnsupportedModelError, match=r"a fault within.*fault of automl-explain.*initialization_examples"
            ):
                one_explanation(explainer)
            return
        notes = one_explanation(explainer).notes
        assert any("a fault within" in note and "explained from predictions" in note for note in notes)
        return
    with pytest.raises(error) as raised:
        one_explanation(explainer)
    assert str(raised.value) == "a fault within"


# -------------------------------------------------------------------------------------- weights, subsets, words


@by_name
def test_a_row_of_weight_two_counts_as_two_rows(name):
    member = EXPLAINERS[name]
    weights = np.where(np.arange(20) < 8, 2.0, 1.0)
    if not member.background:
        signature = inspect.signature(type(make(name)).__init__)
        if "weights" in signature.parameters:
            with pytest.raises(InvalidInputError, match="Got no background"):
                make(name, weights=weights)
        return
    twice = TABLE[np.repeat(np.arange(20), weights.astype(int))]
    options = {"sampling": SamplingOptions(nsamples=200, background_size=28)} if "sampling" in member.options else {}
    weighted = member.make(ARRAYS[member.model], TABLE[BACKGROUND], **{**member.options, **options}, weights=weights)
    repeated = member.make(ARRAYS[member.model], twice, **{**member.options, **options})
    plain = member.make(ARRAYS[member.model], TABLE[BACKGROUND], **{**member.options, **options})
    found, expected, without = (one.explain_local(TABLE[ROWS]) for one in (weighted, repeated, plain))
    if member.exact:
        np.testing.assert_allclose(found.local_importance_values, expected.local_importance_values, atol=1e-9)
        np.testing.assert_allclose(found.expected_values, expected.expected_values, atol=1e-9)
    else:
        gap = np.abs(found.local_importance_values - without.local_importance_values).max()
        assert gap > 1e-4, "the weights were not used"


@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(20), np.zeros(20), np.full(20, np.nan)])
@by_name
def test_weights_that_are_none_are_refused(name, weights):
    if not EXPLAINERS[name].background:
        pytest.skip("no background")
    with pytest.raises(InvalidInputError, match="'weights' parameter must give a finite, non-negative number"):
        make(name, weights=weights)


@by_name
def test_a_subset_has_the_values_among_all_features(name):
    whole = one_explanation(make(name, features=NAMES))
    some = one_explanation(make(name, features=NAMES, explain_subset=["debt", "age"]))
    assert some.features == ("debt", "age")
    np.testing.assert_allclose(some.global_importance_values, whole.global_importance_values[[2, 0]], atol=1e-12)
    selected = whole.select(features=["debt", "age"])
    np.testing.assert_array_equal(some.global_importance_values, selected.global_importance_values)
    if some.local_importance_values is not None:
        np.testing.assert_array_equal(some.local_importance_values, selected.local_importance_values)
    with pytest.raises(InvalidInputError, match="Did you mean 'debt'"):
        one_explanation(make(name, features=NAMES, explain_subset=["dept"]))


@by_name
def test_notes_are_sentences_and_say_which_rows_were_drawn(name):
    explainer = make(name)
    labels = {"true_labels": LABELS[:40]} if name == "pfi" else {}
    explanation = explainer.explain_global(TABLE[:40], sampling_policy=30, **labels)
    assert all(isinstance(note, str) and note for note in explanation.notes)
    assert "rows: 30 of 40, drawn with seed 0" in explanation.notes
    assert isinstance(explanation.method, str)
    assert explanation.reason


@by_name
def test_global_values_are_the_same_without_local_ones(name):
    if name == "pfi":
        pytest.skip("has no local values")
    explainer = make(name)
    kept = explainer.explain_global(TABLE[ROWS])
    batched = explainer.explain_global(TABLE[ROWS], include_local=False, batch_size=4)
    assert batched.local_importance_values is None
    np.testing.assert_allclose(batched.global_importance_values, kept.global_importance_values, atol=1e-9)
    np.testing.assert_allclose(batched.per_class_values, kept.per_class_values, atol=1e-9)


@by_name
def test_classes_are_shown_by_their_names_and_counted(name):
    explanation = one_explanation(make(name, classes=["no", "yes"]))
    if name != "pfi":
        assert explanation.classes == ("no", "yes")
    with pytest.raises(InvalidInputError, match="must name 2 classes"):
        one_explanation(make(name, classes=["no", "yes", "maybe"]))


@by_name
def test_classes_may_be_named_by_label_but_not_be_the_labels_in_another_order(name):
    explanation = one_explanation(make(name, classes={1: "yes", 0: "no"}))
    if name != "pfi":
        assert explanation.classes == ("no", "yes")
        assert one_explanation(make(name, classes={0: 1, 1: 0})).classes == (1, 0)
        assert one_explanation(make(name, classes=[0, 1])).classes == (0, 1)
    for swapped in ([1, 0], ["1", "0"], np.array([1, 0]), [True, False]):
        with pytest.raises(InvalidInputError, match=r"labels in another order.*pass a mapping \{label: name\}"):
            one_explanation(make(name, classes=swapped))
    with pytest.raises(InvalidInputError, match="must map the model's labels, .* Got the label 2"):
        one_explanation(make(name, classes={0: "no", 2: "yes"}))
    with pytest.raises(InvalidInputError, match="must name 2 classes"):
        one_explanation(make(name, classes={0: "no"}))


@by_name
def test_a_task_that_the_model_contradicts_is_refused(name):
    with pytest.raises(InvalidInputError, match="'model_task' parameter must not contradict the model"):
        one_explanation(make(name, model_task="regression"))


@by_name
def test_transformations_before_the_model_are_those_of_a_pipeline(name):
    scale = ColumnTransformer([("all", StandardScaler(), NAMES)], verbose_feature_names_out=False).fit(FRAME)
    model = clone(ARRAYS[EXPLAINERS[name].model]).fit(scale.transform(FRAME), LABELS)
    given = one_explanation(make(name, FRAME[BACKGROUND], model, transformations=scale), FRAME[ROWS])
    whole = make_pipeline(scale, model)
    space = {} if name in ("lime", "pfi") else {"feature_space": "raw"}
    expected = one_explanation(make(name, FRAME[BACKGROUND], whole, **space), FRAME[ROWS])
    assert given.features == expected.features == tuple(NAMES)
    np.testing.assert_allclose(given.global_importance_values, expected.global_importance_values, atol=1e-9)


SHARED = {
    "features": None, "classes": None, "output": "auto", "feature_space": None, "transformations": None, "weights": None,
    "model_task": None, "explain_subset": None, "sampling": None, "random_state": 0, "n_jobs": None, "progress": None,
}  # fmt: skip
"""Words that mean the same on every explainer that has them, with their default."""
OWN = {
    MimicExplainer: {"explainable_model", "augment_data", "max_num_of_augmentations", "explainable_model_args"},
    LIMEExplainer: {"discretizer", "nsamples", "kernel_width", "sample_around_instance", "categorical_features"},
    DeepExplainer: {"method", "players", "device", "batch_size"},
    PFIExplainer: {"metric", "is_error_metric", "n_repeats"},
}
"""What only one explainer asks for."""


@pytest.mark.parametrize(
    "kind",
    [TabularExplainer, KernelExplainer, LinearExplainer, TreeExplainer, MimicExplainer, LIMEExplainer, PFIExplainer],
)
def test_explainers_share_their_words(kind):
    parameters = dict(inspect.signature(kind).parameters)
    for required in ("model", "initialization_examples"):
        parameters.pop(required, None)
    names = [name for name in parameters if name not in OWN.get(kind, set())]
    assert set(names) <= set(SHARED)
    assert names == [name for name in SHARED if name in names], "the same order everywhere"
    assert {name: parameters[name].default for name in names} == {name: SHARED[name] for name in names}
    for name in parameters:
        assert name in (kind.__doc__ or "") or kind is KernelExplainer, f"{name} is not documented"
    # eight that say what is explained, and three that say how it is computed, beside the sampling options
    assert len(names) - ("sampling" in names) <= 11


# ------------------------------------------------------------------------------------- state, pickles, threads


@by_pair
def test_nothing_that_the_caller_owns_is_changed(name, method):
    background, rows, features = TABLE[BACKGROUND].copy(), TABLE[ROWS].copy(), list(NAMES)
    before = np.random.get_state()[1].copy(), list(warnings.filters), np.geterr()
    explainer = make(name, background, features=features)
    METHODS[method](explainer, rows)
    np.testing.assert_array_equal(background, TABLE[BACKGROUND])
    np.testing.assert_array_equal(rows, TABLE[ROWS])
    assert features == NAMES
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert (list(warnings.filters), np.geterr()) == before[1:]


@by_pair
def test_asking_twice_gives_the_same_values(name, method):
    explainer = make(name)
    first = METHODS[method](explainer, TABLE[ROWS])
    METHODS[method](explainer, TABLE[50:56])
    np.testing.assert_array_equal(METHODS[method](explainer, TABLE[ROWS]), first)


@by_pair
def test_an_explainer_comes_back_from_a_pickle(name, method):
    explainer = make(name)
    expected = METHODS[method](explainer, TABLE[ROWS])
    copy = pickle.loads(pickle.dumps(explainer))
    np.testing.assert_array_equal(METHODS[method](copy, TABLE[ROWS]), expected)


@by_name
def test_an_explanation_comes_back_from_a_pickle(name):
    explanation = one_explanation(make(name))
    copy = pickle.loads(pickle.dumps(explanation))
    np.testing.assert_array_equal(copy.global_importance_values, explanation.global_importance_values)
    assert copy.notes == explanation.notes


@by_pair
def test_two_threads_at_once_get_the_values_of_one(name, method):
    explainer = make(name)
    tables = [TABLE[60:66], TABLE[66:72]]
    expected = [METHODS[method](explainer, table) for table in tables]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            found = list(pool.map(lambda table: METHODS[method](explainer, table), tables))
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_array_equal(one, other)


def test_only_explainers_of_ensembles_have_members():
    kinds = (TreeExplainer, LinearExplainer, MimicExplainer, LIMEExplainer, PFIExplainer)
    assert not [kind.__name__ for kind in kinds if hasattr(kind, "explain_members")]
    assert [kind.__name__ for kind in (TabularExplainer, KernelExplainer) if hasattr(kind, "explain_members")]


def test_interactions_that_do_not_add_up_are_refused(monkeypatch):
    explainer = make("tree")
    right = explainer._engine.interactions
    monkeypatch.setattr(explainer._engine, "interactions", lambda rows: right(rows) + 0.1)
    with pytest.raises(AdditivityError, match="miss the prediction by up to 2.5 in log_odds"):
        explainer.interaction_values(TABLE[ROWS])
