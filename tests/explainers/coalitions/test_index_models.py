"""Index models as control variates, against values by definition and against sampling without them."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from automl_explain import KernelExplainer, SamplingOptions, TextExplainer
from automl_explain.explainers.coalitions.sampling._coalition_sampling import make_design
from automl_explain.explainers.coalitions.sampling._estimates import estimates, with_index_models
from automl_explain.explainers.coalitions.sampling._index_models import POWERS, IndexColumns, IndexFit, IndexModel
from automl_explain.explainers.coalitions.sampling._sampling_rules import index_models_suit, walks_suit
from tests.explainers.coalitions.random_games import by_definition, random_game


def index_game(n_players, seed, power, is_logistic=True, scale=1.0):
    rng = np.random.default_rng(seed)
    return IndexModel(np.append(0.3, scale * rng.normal(size=n_players)), power, is_logistic).outputs


def estimated(value, n_players, n_coalitions, seed, is_probability, fit=with_index_models):
    """Return values and standard errors, (P,), of a design with and without index models."""
    design = make_design(n_players, n_coalitions, seed)
    empty, whole = value(np.array([[False], [True]]).repeat(n_players, axis=1))
    known = (value(design.coalitions) - empty)[None, :, None]
    full = np.full((1, 1, 1), whole - empty)
    found = estimates(design, known, full)
    if fit is not None:
        found = fit(design, known, full, np.array([empty]), found, is_probability=is_probability)
    return found[0][0, 0], found[1][0, 0]


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("is_logistic", [True, False])
def test_values_of_a_model_are_those_by_definition(power, is_logistic):
    model = IndexModel(np.append(-0.4, np.linspace(-2, 3, 7)), power, is_logistic)
    np.testing.assert_allclose(model.shapley_values()[0], by_definition(model.outputs, 7), atol=1e-12)


@pytest.mark.parametrize("power", POWERS)
def test_values_of_a_model_of_more_players_have_small_errors_that_are_known(power):
    model = IndexModel(np.append(-0.4, np.linspace(-2, 3, 15)), power, is_logistic=True)
    every = make_design(15, 2**15, 0)
    empty, whole = model.outputs(np.array([[False], [True]]).repeat(15, axis=1))
    exact = every.estimate @ (model.outputs(every.coalitions) - empty) + every.share * (whole - empty)
    values, errors = model.shapley_values()
    assert values.sum() == pytest.approx(whole - empty, abs=1e-12)
    assert np.mean(np.abs(values - exact) < 1.96 * errors) > 0.84
    assert root_mean_square(errors) < 0.03 * root_mean_square(exact)


@pytest.mark.parametrize("is_logistic", [True, False])
@pytest.mark.parametrize("power", POWERS)
def test_a_game_of_this_form_is_found_again(power, is_logistic):
    game = index_game(9, 1, power, is_logistic)
    coalitions = np.random.default_rng(0).random((80, 9)) < 0.5
    fit = IndexFit(IndexColumns.of(coalitions), game(coalitions), is_logistic=is_logistic)
    assert fit.model.power == power
    others = ~coalitions
    np.testing.assert_allclose(fit.model.outputs(others), game(others), atol=0.02)


def test_a_model_without_a_block_is_about_that_fitted_to_the_others():
    rng = np.random.default_rng(3)
    coalitions = rng.random((200, 8)) < 0.5
    outputs = np.clip(index_game(8, 2, 0.5)(coalitions) + rng.normal(0, 0.05, 200), 0.01, 0.99)
    block = np.arange(200) % 8 == 0
    (without,) = IndexFit(IndexColumns.of(coalitions), outputs, is_logistic=True).without([block])
    again = IndexFit(IndexColumns.of(coalitions[~block]), outputs[~block], is_logistic=True).model
    whole = IndexFit(IndexColumns.of(coalitions), outputs, is_logistic=True).model
    assert again.power == whole.power == 0.5
    gap = np.abs(without.coefficients - again.coefficients).max()
    assert gap < 0.15 * np.abs(whole.coefficients - again.coefficients).max()


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("n_coalitions", [40, 120])
def test_games_of_this_form_have_far_smaller_errors(power, n_coalitions):
    with_models, plain = [], []
    for seed in range(3):
        game = index_game(10, seed, power)
        truth = by_definition(game, 10)
        with_models.append(estimated(game, 10, n_coalitions, seed, True)[0] - truth)
        plain.append(estimated(game, 10, n_coalitions, seed, True, fit=None)[0] - truth)
    assert root_mean_square(with_models) < 0.4 * root_mean_square(plain)


@pytest.mark.slow
@pytest.mark.parametrize("n_coalitions", [40, 100])
@pytest.mark.parametrize("kind", ["numbers", "probabilities", "sharp probabilities", "normalised"])
def test_other_games_have_no_larger_errors_and_standard_errors_cover_them(kind, n_coalitions):
    """The expected coverage is 91 %: that of 1.96 standard errors of a normal mean of eight blocks."""
    errors, gaps, plain = [], [], []
    for number in range(8):
        inner = random_game(10, number, order=4)
        game = {
            "numbers": inner,
            "probabilities": lambda z, inner=inner: expit(inner(z)),
            "sharp probabilities": lambda z, inner=inner: expit(5.0 * inner(z)),
            "normalised": lambda z, inner=inner: inner(z) / np.sqrt(np.maximum(z.sum(axis=1), 1)),
        }[kind]
        truth = by_definition(game, 10)
        for seed in range(4):
            values, error = estimated(game, 10, n_coalitions, seed, "probabilities" in kind)
            gaps.append(values - truth)
            errors.append(error)
            plain.append(estimated(game, 10, n_coalitions, seed, False, fit=None)[0] - truth)
    assert root_mean_square(gaps) < 1.05 * root_mean_square(plain)
    assert np.mean(np.abs(gaps) < 1.96 * np.array(errors) + 1e-12) > 0.84


def test_values_add_up_and_those_of_two_classes_mirror_each_other():
    game = random_game(12, 0)
    design = make_design(12, 60, 0)
    every = np.vstack([design.coalitions, np.ones((1, 12), bool), np.zeros((1, 12), bool)])
    one = expit(game(every))
    both = np.stack([one, 1.0 - one])
    known, full = (both[:, :-2] - both[:, -1:])[:, :, None], (both[:, -2] - both[:, -1])[:, None, None]
    values, errors = with_index_models(
        design, known, full, both[:, -1], estimates(design, known, full), is_probability=True
    )
    np.testing.assert_allclose(values.sum(axis=2), full[:, :, 0], atol=1e-12)
    np.testing.assert_allclose(values[0], -values[1], atol=1e-12)
    assert np.array_equal(errors[0], errors[1])


def test_constant_outputs_have_zeros():
    values, errors = estimated(lambda z: np.full(len(z), 0.3), 8, 40, 0, True)
    assert not values.any()
    assert not errors.any()


def test_certain_outputs_give_finite_values():
    values, errors = estimated(lambda z: (z[:, 0] & z[:, 1]).astype(float), 9, 60, 0, True)
    assert np.isfinite(errors).all()
    np.testing.assert_allclose(values, [0.5, 0.5, *np.zeros(7)], atol=0.05)


def test_the_rules_say_when_they_are_fitted():
    assert index_models_suit(30, 1, predicted=True)
    assert not index_models_suit(30, 2, predicted=True)
    assert not index_models_suit(30, 1, predicted=False)
    assert walks_suit(40, 159, 1, indexed=True)
    assert not walks_suit(40, 160, 1, indexed=True)
    assert walks_suit(40, 160, 1)


SENTENCE = "the solver returns a sparse matrix of weights and warns if the model does not converge within few steps"


@pytest.fixture(scope="module")
def predict():
    """Probabilities of a model of normalised counts of words, of which only the predictions are known."""
    words = SENTENCE.split()
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.permutation(words)[: rng.integers(2, 9)]) for _ in range(120)]
    weights = dict(zip(dict.fromkeys(words), np.tile([2.0, -1.0, -2.0, 1.0], 5), strict=False))
    labels = [sum(weights[word] for word in text.split()) + rng.normal() > 0 for text in texts]
    model = make_pipeline(TfidfVectorizer(token_pattern=r"\S+"), LogisticRegression(C=30.0)).fit(texts, labels)
    return lambda texts: model.predict_proba(list(texts))


@pytest.mark.parametrize("per_word", [4, 6, 10])
def test_words_of_a_text_are_nearer_to_all_coalitions_than_by_permutations(predict, per_word):
    text = " ".join(SENTENCE.split()[:12])
    n_words = len(set(text.split()))
    exact = (
        TextExplainer(predict, sampling=SamplingOptions(nsamples=2**n_words)).explain_local(text).documents[0].values[1]
    )
    gaps, permutations = [], []
    for seed in range(5):
        sampling = SamplingOptions(nsamples=per_word * n_words)
        found = TextExplainer(predict, sampling=sampling, random_state=seed).explain_local(text).documents[0]
        gaps.append(found.values[1] - exact)
        assert found.values[1].sum() == pytest.approx(found.outputs[1] - found.base_values[1], abs=1e-9)
        rng, order = np.random.default_rng(seed), []
        for _ in range(max(1, per_word * n_words // (2 * (n_words - 1)))):
            walk = rng.permutation(n_words)
            order += [walk, walk[::-1]]
        permutations.append(_by_walks(predict, text, order) - exact)
    assert root_mean_square(gaps) < 0.6 * root_mean_square(permutations)


def _by_walks(predict, text, orders):
    words = list(dict.fromkeys(text.split()))
    values = np.zeros(len(words))
    for order in orders:
        shown = [[j in order[:size] for j in range(len(words))] for size in range(len(words) + 1)]
        texts = [" ".join(w for w in text.split() if mask[words.index(w)]) for mask in shown]
        values[order] += np.diff(predict(texts)[:, 1]) / len(orders)
    return values


def test_a_background_of_several_rows_has_the_same_values_as_before():
    X = np.random.default_rng(0).normal(size=(40, 14))

    def model(rows):
        return expit(rows[:, :7].prod(axis=1) + rows.sum(axis=1))

    def explained(n_background, n_rows):
        explainer = KernelExplainer(model, X[:n_background], sampling=SamplingOptions(nsamples=100), progress=False)
        return explainer.explain_local(X[20 : 20 + n_rows]).local_importance_values

    np.testing.assert_allclose(explained(1, 3)[:1], explained(1, 1), atol=1e-12)
    assert np.isfinite(explained(2, 2)).all()


def test_nothing_more_is_computed_where_a_model_cannot_have_smaller_standard_errors(monkeypatch):
    """A sum with the product of two players: pairs of coalitions have no error without a model."""
    monkeypatch.setattr(IndexFit, "without", lambda *_: pytest.fail("the model was fitted again"))
    weights = np.arange(10.0)
    values, errors = estimated(lambda z: z @ weights + z[:, 0] * z[:, 1], 10, 60, 0, False)
    np.testing.assert_allclose(values, weights + [0.5, 0.5, *np.zeros(8)], atol=1e-9)
    assert errors.max() < 1e-9


def test_rows_that_are_explained_together_have_the_values_that_each_has_alone():
    games = [index_game(10, seed, power) for seed, power in ((0, 0.0), (1, 0.5), (2, 1.0))]
    design = make_design(10, 60, 0)
    every = np.vstack([design.coalitions, np.ones((1, 10), bool), np.zeros((1, 10), bool)])
    outputs = np.stack([game(every) for game in games], axis=1)
    base = np.array([0.4])  # of all rows, as with one background row
    outputs += base - outputs[-1]
    known, full = (outputs[:-2] - base)[None], (outputs[-2] - base)[None, :, None]

    def found(rows):
        plain = estimates(design, known[..., rows], full[:, rows])
        return with_index_models(design, known[..., rows], full[:, rows], base, plain, is_probability=True)

    together = found([0, 1, 2])
    for row in range(3):
        for whole, alone in zip(together, found([row]), strict=True):
            np.testing.assert_allclose(whole[:, [row]], alone, atol=1e-12)
