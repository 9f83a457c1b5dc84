import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy.optimize import isotonic_regression

from latentmech.report import confusion, layer_curve
from latentmech.report.figures.levels import spread
from latentmech.report.figures.style import OKABE_ITO, png

LEVELS = ["embed", *map(str, range(30))]
CURVE = list(np.sin(np.arange(31) / 10))


def texts(axes):
    return [text.get_text().replace("\n", " ") for text in axes.texts]


def test_every_curve_band_and_line_is_named_and_the_best_point_is_marked():
    figure = layer_curve(
        LEVELS,
        {"probe": CURVE, "random init": [0.1] * 31},
        {"probe": ([v - 0.1 for v in CURVE], CURVE), "control": ([0.2] * 31, [0.3] * 31)},
        {"look-up": 0.861},
        "accuracy",
        "Levels",
    )
    (axes,) = figure.axes
    assert {"probe", "random init", "control", "look-up 0.861", "best: 15 (1)"} == set(texts(axes))
    assert (axes.get_ylabel(), axes.get_title("left")) == ("accuracy", "Levels")
    assert to_hex(axes.lines[0].get_color(), False).upper() == OKABE_ITO[0]
    assert len(axes.collections) == 2, "the interval of the probe and the control"


def test_a_far_reference_does_not_flatten_the_curve_but_is_named():
    (axes,) = layer_curve(LEVELS, {"probe": [0.9 + v / 100 for v in CURVE]}, None, {"majority": 0.17}).axes
    assert axes.get_ylim()[0] > 0.8
    assert "majority 0.17 ↓" in texts(axes)


def test_the_caller_may_choose_the_marked_level_or_none():
    assert "best: embed (0)" in texts(layer_curve(LEVELS, {"probe": CURVE}, best="embed").axes[0])
    assert texts(layer_curve(LEVELS, {"probe": CURVE}, best="").axes[0]) == ["probe"]


def test_many_levels_share_the_axis_without_collisions():
    (axes,) = layer_curve(LEVELS, {"probe": CURVE}).axes
    shown = [tick.get_text() for tick in axes.get_xticklabels()]
    assert shown[:3] == ["embed", "2", "4"]
    assert len(shown) < 20


def test_a_long_title_stays_within_the_picture():
    figure = layer_curve(LEVELS, {"probe": CURVE}, title="The effect of a direction of one model in another " * 3)
    figure.draw_without_rendering()
    drawn = figure.axes[0]._left_title.get_window_extent()
    assert drawn.x1 <= figure.bbox.x1 and drawn.y1 <= figure.bbox.y1


@pytest.mark.parametrize("values", [[float("nan")] * 3, [0.5, float("nan"), 0.5]])
def test_gaps_and_flat_curves_are_drawn(values):
    assert png(layer_curve(["embed", "0", "1"], {"probe": values}), dpi=30).startswith(b"\x89PNG")


def test_labels_that_collide_are_moved_apart_and_others_stay():
    centres = spread([0.1, 0.5, 0.51, 0.52], [0.05] * 4)
    assert centres[0] == 0.1
    assert min(np.diff(centres)) >= 0.05 - 1e-9
    assert np.mean(centres[1:]) == pytest.approx(0.51)


def test_labels_are_moved_by_least_squares():
    wanted, heights = [0.1, 0.12, 0.13, 0.5, 0.55, 0.9], np.array([0.05, 0.1, 0.05, 0.1, 0.1, 0.05])
    stacked = np.cumsum(heights) - heights / 2
    found = spread(wanted, heights.tolist())
    np.testing.assert_allclose(found, isotonic_regression(wanted - stacked).x + stacked, rtol=1e-12)
    assert spread([], []) == []


def test_confusion_shows_shares_of_the_true_class():
    axes, bar = confusion([[30, 10], [0, 0]], ["NOUN", "VERB"], "Test").axes
    np.testing.assert_allclose(axes.images[0].get_array().filled(np.nan), [[0.75, 0.25], [np.nan, np.nan]])
    assert texts(axes) == ["75", "25"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["NOUN  (40)", "VERB  (0)"]
    assert "share" in bar.get_ylabel()


def test_importing_the_room_imports_neither_wandb_nor_pyplot():
    code = "import sys, latentmech.report; print({'wandb', 'matplotlib.pyplot'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
