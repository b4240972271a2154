"""Rankings are measured by removing players: compared with the definition, in plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from automl_explain import Faithfulness, InvalidInputError
from automl_explain.explainers.deletion._curves import (
    LEAVE_ONE_OUT,
    RANDOM,
    DeletionSettings,
    measure_rankings,
)
from automl_explain.explainers.deletion._faithfulness import faithfulness_of

WEIGHTS = np.array([0.5, -0.2, 0.05, 0.3, 0.0, 0.15, -0.1])


def game(present):
    """A game with an interaction between the first two players; the second output is the larger one."""
    output = 1.0 + present @ WEIGHTS + 0.3 * present[:, 0] * present[:, 1]
    return np.stack([0.1 * output, output], axis=1)


def by_hand(order, share, steps=20):
    n = len(order)

    def output(removed):
        present = np.ones((1, n), bool)
        present[0, removed] = False
        return game(present)[0, 1]

    first = max(1, round(share * n))
    counts = sorted({round(n * step / min(n, steps)) for step in range(min(n, steps) + 1)})
    curve = [output(order[:count]) for count in counts]
    area = sum((a + b) / 2 * (v - u) / n for a, b, u, v in zip(curve, curve[1:], counts, counts[1:], strict=False))
    return output([]) - output(order[:first]), output([]) - output(order[first:]), area


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 1.0])
def test_measures_are_those_of_the_definition(share):
    scores = np.stack([-WEIGHTS, WEIGHTS])
    found = measure_rankings(game, {"explanation": scores}, np.random.default_rng(0), DeletionSettings(share))
    np.testing.assert_allclose(found["explanation"], by_hand(np.argsort(-WEIGHTS, kind="stable"), share), atol=1e-12)
    without = [game(np.arange(7)[None] != player)[0, 1] for player in range(7)]
    np.testing.assert_allclose(found[LEAVE_ONE_OUT], by_hand(np.argsort(without, kind="stable"), share), atol=1e-12)


def test_random_orders_lie_between_the_best_and_the_worst():
    scores = {"best": np.stack([WEIGHTS, WEIGHTS]), "worst": np.stack([-WEIGHTS, -WEIGHTS])}
    found = measure_rankings(game, scores, np.random.default_rng(0), DeletionSettings(n_random=200))
    assert found["worst"][0] < found[RANDOM][0] < found["best"][0]
    assert found["best"][2] < found[RANDOM][2] < found["worst"][2]


def test_a_regression_below_its_base_is_measured_downwards():
    falls = measure_rankings(
        lambda present: -(present @ np.abs(WEIGHTS))[:, None],
        {"explanation": -np.abs(WEIGHTS)[None]},
        np.random.default_rng(0),
        DeletionSettings(),
    )
    assert falls["explanation"][0] == pytest.approx(0.5), "the player that lowers the output most is removed first"
    assert falls["explanation"][1] == pytest.approx(np.abs(WEIGHTS).sum() - 0.5)


def test_many_players_are_not_left_out_one_at_a_time():
    settings = DeletionSettings(n_random=2, most_players=5)
    few = measure_rankings(game, {"explanation": WEIGHTS[None]}, np.random.default_rng(0), DeletionSettings())
    many = measure_rankings(game, {"explanation": WEIGHTS[None]}, np.random.default_rng(0), settings)
    assert LEAVE_ONE_OUT not in many
    both = faithfulness_of([few, many], 0.2, "probability")
    assert both.rankings == ("explanation", RANDOM)
    assert "leave one out" in both.notes[0]


def test_the_result_reads_well_and_comes_back_from_json():
    values = np.array([[[0.5, 0.1, 0.2], [0.3, 0.1, 0.4]], [[0.1, 0.4, 0.6], [0.1, 0.2, 0.6]]])
    result = Faithfulness(("explanation", "random"), values, 0.2, "probability", ("a note",))
    assert result.comprehensiveness == {"explanation": pytest.approx(0.4), "random": pytest.approx(0.1)}
    frame = result.to_frame()
    assert frame.loc["explanation", "deletion_auc"] == pytest.approx(0.3)
    assert frame.loc["explanation", "comprehensiveness_error"] == pytest.approx(0.1)
    assert result.to_frame(per_example=True).loc[("random", 1), "sufficiency"] == 0.2
    assert "2 examples, in probability, 20% of the players" in repr(result)
    assert "a note" in repr(result)
    again = Faithfulness.from_dict(result.to_dict())
    np.testing.assert_array_equal(again.values, values)
    assert (again.rankings, again.share, again.unit, again.notes) == (result.rankings, 0.2, "probability", ("a note",))
    with pytest.raises(InvalidInputError, match="1 ranking must have the shape"):
        Faithfulness(("explanation",), values, 0.2, "probability")
