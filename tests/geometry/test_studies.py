"""The studies of this file's options on the tiny model, as a user runs them."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import invoke, quick

from latentmech.errors import BadInput
from latentmech.geometry import DimensionStudy, MapStudy


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Folders of one run of each option."""
    home = tmp_path_factory.mktemp("geometry")
    for option in ("map", "dimension"):
        code, _, err = invoke(f"geometry={option}", *quick(f"geometry={option}"), f"hydra.run.dir={home}/{option}")
        assert code == 0, err
    return home


def metrics(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text())


def test_every_number_of_a_map_has_its_null(ran):
    found = metrics(ran / "map")
    for level in ("embed", "layer_01"):
        for name in ("pca_2d", "tsne_2d", "umap_2d"):
            for metric in ("trustworthiness", "continuity", "neighbour_recall"):
                assert (
                    found[f"geometry/map/{level}/{name}/{metric}"] > found[f"geometry/map/{level}/{name}/{metric}_null"]
                )
            assert f"geometry/map/{level}/{name}/label_agreement_shuffled_p95" in found
        assert f"geometry/map/{level}/full/kmeans/ami_null_p95" in found
        assert f"geometry/map/{level}/umap_2d/hdbscan/noise" in found
        for name in ("noise", "noise_null", "n_clusters_null", "ami"):
            assert f"geometry/map/{level}/gathered/hdbscan/{name}" in found
    moved = found["geometry/map/layer_01/pca_2d/moved"]
    assert 0 <= moved < found["geometry/map/layer_01/pca_2d/moved_null"]
    assert "geometry/map/embed/pca_2d/moved" not in found
    rows = pd.read_parquet(ran / "map" / "results.parquet")
    assert set(rows["control"].dropna()) == {"null", "shuffled"}
    assert (rows["ci_low"].dropna() <= rows["ci_high"].dropna()).all()


def test_a_paper_can_cite_what_was_done(ran):
    for option, cited in (("map", "phipson2010"), ("dimension", "facco2017")):
        methods = (ran / option / "methods.md").read_text()
        assert f"@{cited}" in methods and "bundled treebank" in methods


class Loads(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, value) for name, value in attrs if name in ("src", "href")]


def test_the_page_stands_alone(ran):
    page = (ran / "map" / "maps.html").read_text()
    loads = Loads()
    loads.feed(page)
    assert loads.found == [("link", "data:,")]
    assert re.search(r'Content-Security-Policy" content="default-src \'none\'', page)
    assert "maps.html" in (ran / "map" / "report.html").read_text()
    assert 'id="maps-2d"' in page
    assert {p.name for p in (ran / "map" / "figures").iterdir()} == {f"{m}_2d.png" for m in ("pca", "tsne", "umap")}


def test_text_of_the_user_cannot_become_markup(tmp_path):
    rows = [{"text": f"<img src=x> no {i} {'x' * (i % 7)}", "label": f"<b>{'ab'[i % 2]}"} for i in range(60)]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    own = ["geometry.column=label", f"geometry.data.path={tmp_path}/mine.jsonl", "geometry.methods=[pca]"]
    own += ["geometry.dimensions=[2,3]", "geometry.points=40", f"hydra.run.dir={tmp_path}/run"]
    small = [setting for setting in quick("geometry=map") if "perplexity" not in setting]  # PCA has none
    code, _, err = invoke("geometry=map", *small, *own)
    assert code == 0, err
    page = (tmp_path / "run" / "maps.html").read_text()
    assert "<img" not in page and "<b>" not in page.partition("<body>")[2].partition("<script")[0]
    assert 'id="maps-3d"' in page and (tmp_path / "run" / "figures" / "pca_3d.png").is_file()
    assert "geometry/map/layer_01/pca_3d/trustworthiness" in metrics(tmp_path / "run")


def test_dimensions_have_their_controls_and_parts(ran):
    found = metrics(ran / "dimension")
    for who in ("", "coordinates_shuffled/", "words_shuffled/", "random_init/"):
        assert found[f"geometry/dimension/{who}layer_02/two_nn"] > 0
    assert found["geometry/dimension/layer_01/mle_k8@0.5"] > 0
    assert found["geometry/dimension/embed/duplicates"] > 0
    assert found["geometry/dimension/embed/n"] + found["geometry/dimension/embed/duplicates"] == 120


def test_a_word_form_stands_in_a_map_once(tiny, examples):
    from latentmech.data import task
    from latentmech.geometry.map.points import draw_of, points_of

    points = points_of(tiny, examples, task("pos"), "last")
    drawn = draw_of(points, 1000, repeats=False, shuffles=1, seed=0).points
    folded = [form.lower() for form in drawn.forms]
    assert len(set(folded)) == len(folded) < len(points)
    assert len(draw_of(points, 1000, repeats=True, shuffles=1, seed=0).points) == len(points)
    rows = [draw_of(points, 20, False, 1, seed).points.rows for seed in (0, 1)]
    assert not np.array_equal(*rows)
    for row, form, text in zip(drawn.rows[:20], drawn.forms, drawn.texts, strict=False):
        words = [word for i in range(len(examples)) for word in examples.words(i)]
        assert words[row] == form and f"[{form}]" in text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MapStudy(methods=["pca", "mds"]), "mds is unknown; expected some of pca, tsne, umap"),
        (lambda: MapStudy(dimensions=[4]), "expected .2., .3. or .2,3."),
        (lambda: MapStudy(seeds=0), "geometry.seeds=0 is too small"),
        (lambda: MapStudy(task="poss"), "did you mean 'pos'"),
        (lambda: DimensionStudy(scales=[1]), "neighbours from 2 up"),
        (lambda: DimensionStudy(shares=[0.5]), "with 1 among them"),
        (lambda: DimensionStudy(points=30), "geometry.points=30 is too small"),
        (lambda: DimensionStudy(position="middle"), "expected one of last, first, mean"),
    ],
)
def test_wrong_settings_are_one_line(make, message):
    with pytest.raises(BadInput, match=message):
        make()
