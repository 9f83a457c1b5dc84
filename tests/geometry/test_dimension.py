from dataclasses import replace

import numpy as np
import pytest
import skdim

from latentmech.data import Corpus
from latentmech.geometry.dimension.estimates import (
    distances,
    distinct,
    estimates,
    levina_bickel,
    nearest,
    participation_ratio,
    two_nn,
)
from latentmech.geometry.dimension.findings import DimensionFindings
from latentmech.geometry.dimension.settings import DimensionSettings
from latentmech.geometry.dimension.study import words_shuffled
from latentmech.geometry.rows import drawn, first_of_each, forms_of, off_the_first, said_of_the_first
from latentmech.model import Model, Tiny

RNG = np.random.default_rng(0)
SHEET = np.hstack([RNG.uniform(size=(600, 3)), np.zeros((600, 30))]) @ np.linalg.qr(RNG.normal(size=(33, 33)))[0]
CURVED = np.hstack([np.sin(3 * SHEET), SHEET**2])


@pytest.mark.parametrize("rows", [SHEET, CURVED, RNG.normal(size=(300, 40))], ids=["sheet", "curved", "full"])
def test_two_nn_and_mle_are_scikit_dimensions(rows):
    near = nearest(distances(rows), 20)
    assert two_nn(near) == pytest.approx(skdim.id.TwoNN(discard_fraction=0.1).fit(rows).dimension_)
    for k in (5, 20):
        assert levina_bickel(near, k) == pytest.approx(skdim.id.MLE().fit(rows, n_neighbors=k).dimension_, rel=1e-6)


def test_they_find_the_dimension_of_a_sheet():
    near = nearest(distances(SHEET), 10)
    assert two_nn(near) == pytest.approx(3, abs=0.35)
    assert levina_bickel(near, 10) == pytest.approx(3, abs=0.35)


def test_participation_ratio_is_that_of_numpys_eigenvalues():
    eigenvalues = np.linalg.eigvalsh(np.cov(CURVED.T))
    assert participation_ratio(CURVED) == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())
    assert participation_ratio(RNG.normal(size=(5000, 7))) == pytest.approx(7, abs=0.05)
    assert np.isnan(participation_ratio(np.ones((5, 3))))


def test_copies_are_removed_and_would_have_ruined_the_estimate():
    rounded = (SHEET + 1e-7 * RNG.normal(size=SHEET.shape)).astype(np.float32)
    twice = np.vstack([SHEET.astype(np.float32), rounded])
    own, distance = distinct(twice)
    np.testing.assert_array_equal(own, twice[:600])
    assert two_nn(nearest(distance, 2)) == pytest.approx(3, abs=0.35)
    assert two_nn(nearest(distances(twice), 2)) < 1


def test_parts_are_estimated_apart_and_too_small_ones_not():
    found = estimates(SHEET, distances(SHEET), (5, 20), (0.02, 0.5, 1.0), 0)
    assert set(found) > {"two_nn", "two_nn@0.5", "mle_k20@0.5", "participation_ratio@0.5"}
    assert np.isnan(found["two_nn@0.02"]) and found["two_nn@0.5"] != found["two_nn"]


@pytest.mark.parametrize("unit", [1e-4, 1, 1e4])
def test_what_is_a_copy_does_not_depend_on_the_unit_or_on_one_row_far_off(unit):
    rows = np.vstack([np.repeat(unit * SHEET[:50], 2, axis=0), np.full((1, 33), unit * 1e4)])
    own, distance = distinct(rows)
    np.testing.assert_array_equal(own, rows[[*range(0, 100, 2), 100]])
    np.testing.assert_allclose(distance, distances(own), atol=1e-4 * unit)


def test_two_nn_is_not_asked_of_a_handful_or_of_equal_distances():
    near = nearest(distances(SHEET), 2)
    assert np.isnan(two_nn(near[:9])) and np.isfinite(two_nn(near[:10]))
    assert np.isnan(two_nn(np.ones((20, 2))))


def test_an_estimate_is_that_of_the_part_and_scale_it_is_named_after():
    uneven = SHEET * np.logspace(0, 3, 33)
    found = estimates(uneven, distances(uneven), (5, 20), (0.5, 1.0), 0)
    for share, rows in (("@0.5", uneven[np.random.default_rng(0).permutation(600)[:300]]), ("", uneven)):
        near = nearest(distances(rows), 20)
        assert found[f"two_nn{share}"] == pytest.approx(skdim.id.TwoNN(discard_fraction=0.1).fit(rows).dimension_)
        for k in (5, 20):
            assert found[f"mle_k{k}{share}"] == pytest.approx(levina_bickel(near, k))
        assert found[f"participation_ratio{share}"] == pytest.approx(participation_ratio(rows))
        of_correlations = np.linalg.eigvalsh(np.corrcoef(rows.T))
        by_hand = of_correlations.sum() ** 2 / (of_correlations**2).sum()
        assert found[f"participation_ratio_standardised{share}"] == pytest.approx(by_hand)


def test_the_first_position_is_left_out_where_a_word_stands_there(examples):
    whole = Model(name="tiny", source=Tiny())
    without = Model(name="tiny", source=Tiny(), prepend_bos=False)
    assert off_the_first(whole, examples, "word_last").all()
    starts = np.cumsum([0, *examples.sizes()[:-1]])
    for position in ("word_first", "word_mean"):
        assert set(np.flatnonzero(~off_the_first(without, examples, position))) == set(starts)
    # the tiny tokenizer has one token for each byte: the last one of a longer word is not the first of the text
    single = {start for start, i in zip(starts, range(len(examples)), strict=True) if len(examples.words(i)[0]) == 1}
    assert set(np.flatnonzero(~off_the_first(without, examples, "word_last"))) == single


def test_shuffled_words_are_the_same_words():
    examples = Corpus(limit=300)()
    mixed = words_shuffled(examples, 0)
    assert mixed.sizes() == examples.sizes() and mixed.texts != examples.texts
    for i in range(len(examples)):
        assert sorted(mixed.words(i)) == sorted(examples.words(i))


def test_a_word_that_recurs_makes_a_space_look_thin():
    """Four states of each word, near one another but no copies: TwoNN sees the heaps and not the sheet."""
    rows = np.repeat(SHEET, 4, axis=0) + 1e-3 * RNG.normal(size=(2400, 33))
    forms = np.repeat(np.arange(600).astype(str), 4).astype(object)
    places = {repeats: drawn(forms, 600, repeats, 0) for repeats in (True, False)}
    own, distance = distinct(rows[places[True]])
    assert len(own) == 600 and two_nn(nearest(distance, 2)) < 1.5
    own, distance = distinct(rows[places[False]])
    assert len(own) == 600 and two_nn(nearest(distance, 2)) == pytest.approx(3, abs=0.5)


def test_each_form_once_whatever_its_case(examples):
    assert first_of_each(np.array(["The", "cat", "the", "Cat", "sat"], dtype=object)).tolist() == [0, 1, 4]
    forms = forms_of(examples)
    assert len(forms) == sum(examples.sizes()) and tuple(forms[: examples.sizes()[0]]) == examples.words(0)
    assert forms_of(replace(examples, spans=None)).tolist() == list(examples.texts)


@pytest.mark.parametrize("prepend_bos", [True, False])
def test_a_mean_over_a_text_is_not_said_to_leave_the_first_position_out(examples, prepend_bos):
    model = Model(name="tiny", source=Tiny(), prepend_bos=prepend_bos)
    assert off_the_first(model, replace(examples, spans=None), "text_mean").all()
    assert "left out" not in said_of_the_first("text_mean") and "left out" in said_of_the_first("word_mean")


def test_rows_of_texts_are_called_texts(examples):
    found = DimensionFindings(settings=DimensionSettings(), examples=examples, levels=[], by_who={})
    assert found.unit == "words" and replace(found, examples=replace(examples, spans=None)).unit == "texts"
