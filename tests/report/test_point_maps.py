import json
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex

from latentmech.report import OKABE_ITO, PointMap, map_page, point_maps
from latentmech.report.figures.points import GREY, MAX_CLASSES, class_styles

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 2], [10, 30, 20])


def one_map(n_axes, name="block 3"):
    coordinates = RNG.normal(size=(60, n_axes))
    return PointMap(name=name, coordinates=coordinates, kind="t-SNE", said=("trust 0.9", "by chance 0.1"))


def test_every_class_has_its_own_colour_and_shape_and_the_rest_is_grey():
    styles = list(class_styles(np.repeat(np.arange(30), np.arange(30, 0, -1)), [f"c{i}" for i in range(30)]))
    assert len(styles) == MAX_CLASSES
    assert len({(style.colour, style.shape) for style in styles}) == MAX_CLASSES
    assert {style.colour for style in styles[:-1]} == set(OKABE_ITO)
    assert (styles[-1].name, styles[-1].colour) == ("11 other classes", GREY)
    assert sum(len(style.members) for style in styles) == 30 * 31 / 2


def test_a_column_for_every_map_and_a_row_for_every_colouring():
    mixed = RNG.permutation(LABELS)
    maps = [one_map(2), one_map(2, "block 7")]
    figure = point_maps(maps, {"pos": LABELS, "shuffled": mixed}, ["A", "B", "C"], "Title")
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles[1] == "block 7, pos\ntrust 0.9" and titles[2] == "block 3, shuffled\nby chance 0.1"
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("t-SNE axis 1", "t-SNE axis 2")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["B (30)", "C (20)", "A (10)"]
    largest = figure.axes[2].collections[0]
    np.testing.assert_allclose(largest.get_offsets(), maps[0].coordinates[mixed == 1])
    assert to_hex(largest.get_facecolor()[0]).upper() == OKABE_ITO[0]


def test_maps_in_three_dimensions_have_three_named_axes():
    (axes,) = point_maps([one_map(3)], {"pos": LABELS}, ["A", "B", "C"], "Title").axes
    assert axes.get_zlabel() == "t-SNE axis 3"


def test_a_box_on_the_page_has_the_datas_proportions_and_never_leaves_the_picture():
    long, plane = (replace(one_map(3), coordinates=RNG.normal(size=(60, 3)) * [8, 4, 0]) for _ in range(2))
    plane.coordinates[:, 1] = 0
    page = map_page([long, plane], {"pos": LABELS}, ["A", "B", "C"], ["text"] * 60, title="Title", intro="")
    boxes = [json.loads(box) for box in re.findall(r'"aspectratio":(\{[^}]*\})', page)]
    boxes += [json.loads(box) for box in re.findall(r'"scene\.aspectratio":(\{[^}]*\})', page)]
    assert '"aspectmode":"manual"' in page
    across = float(np.ptp(long.coordinates[:, 1]) / np.ptp(long.coordinates[:, 0]))
    first = {"x": 1, "y": pytest.approx(across, abs=1e-3), "z": 0.05}
    assert boxes == [first, first, {"x": 1, "y": 0.05, "z": 0.05}], "as it opens, and for every button"


def test_the_page_escapes_what_it_shows():
    texts = ["<script>alert(1)</script>"] * 60
    page = map_page([one_map(2)], {"<i>pos": LABELS}, ["<b>A", "B", "C"], texts, title="<u>Title", intro="<s>intro")
    assert "<script>alert" not in page and "<u>" not in page and "<s>" not in page
    assert "\\u003cb\\u003eA" not in page and "&lt;b" in page
