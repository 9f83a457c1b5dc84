"""What is wrong with the data or the model is said in the headline or in a note; and chance is not called a finding."""

import json
import re

import numpy as np
import pytest
from planted import along, findings_in, found_in, noise_of, paired, says, study_of, written

from latentmech.direction.account import headline
from latentmech.errors import BadInput
from latentmech.model import Model, Tiny

TOPICS = ("film", "book", "meal", "trip", "game", "song", "class", "phone", "house", "match", "party", "show")
WORDS = tuple("alder birch cedar dune ember fjord grove heath inlet jetty knoll ledge marsh north ocean pearl".split())


def plain(topic, i, extra=""):
    """A text whose words, length and last character say nothing of its kind."""
    return f"the {topic} of {WORDS[i % 16]} {WORDS[(i * 7 + 3) % 16]}{extra}"


def pairs_of(positive, negative, n=10, topics=TOPICS):
    """For every topic `n` pairs of texts."""
    return [(positive(t, i), negative(t, i), t) for t in topics for i in range(n)]


def reads(word, size=3.0, noise=1.0):
    """States with a size along the first axis for texts that hold a word."""
    return lambda text: noise * noise_of(text) + along(0, size if word in text else 0.0)


def test_a_direction_that_is_there_beats_everything(tiny, tmp_path):
    """The control: words are shared out evenly, so that only the states tell which text of a pair is positive."""
    rows = pairs_of(lambda t, i: plain(t, i, " one"), lambda t, i: plain(t, i, " two"))
    rows = [(b, a, t) if i % 2 else (a, b, t) for i, (a, b, t) in enumerate(rows)]
    positive = {a for a, _, _ in rows}
    report = found_in(
        paired(tmp_path / "p.csv", rows), lambda text: noise_of(text) + along(0, 3.0 * (text in positive)), tiny
    )
    assert "over 12 groups. It beats the strongest rival (" in report.headline
    assert report.headline.endswith(") and the 4 weaker rivals, and null directions (p = 0.025).")
    assert not re.search("Confound|Nothing matches|stand in train|Few texts|cannot be", says(report))


def test_a_leak_is_named(tiny, tmp_path):
    texts = [(plain(t, i, f" {k}"), k) for t in TOPICS for i in range(4) for k in ("good", "poor")]
    label = {"good": "positive", "poor": "negative"}
    rows = [
        (text, label[k], f"{split}{i // 8}", split)
        for split in ("train", "dev", "test")
        for i, (text, k) in enumerate(texts)
    ]
    report = found_in(written(tmp_path / "leak.csv", rows), reads("good"), tiny)
    copies = "96 of 96 test texts stand in train or dev word for word, 0 more nearly so"
    assert f"{copies}, in the splits that came with the data." in report.notes
    assert "over 12 groups" in report.headline, "groups that share a text are left out together"


def test_a_single_copy_is_named_too(tiny, tmp_path):
    rows = [
        (f"{plain(t, i)} on the day of {split} {t}", kind, f"{split}{t}", split)
        for split in ("train", "dev", "test") for t in TOPICS for i, kind in ((0, "positive"), (1, "negative"))
    ]  # fmt: skip
    rows[-1] = (rows[0][0], *rows[-1][1:])
    report = found_in(written(tmp_path / "copy.csv", rows), noise_of, tiny)
    assert any(f"1 of {2 * len(TOPICS)} test texts stand in train or dev word for word" in n for n in report.notes)


CONFOUNDS = {
    "length in characters": (lambda t, i: plain(t, i, " and all that came with it"), plain),
    "last character": (lambda t, i: plain(t, i, "."), plain),
    "first word": (lambda t, i: f"Well {plain(t, i)}", lambda t, i: f"Look {plain(t, i)}"),
    "bag of words": (lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor")),
}


@pytest.mark.parametrize("name", CONFOUNDS)
def test_a_confound_is_named(name, tiny, tmp_path):
    positive, negative = CONFOUNDS[name]
    rows = pairs_of(positive, negative)
    known = {text for text, _, _ in rows}
    report = found_in(
        paired(tmp_path / "p.csv", rows), lambda text: noise_of(text) + along(0, 3.0 * (text in known)), tiny
    )
    assert f"{name} 1.000" in report.headline and "is not shown to beat" in report.headline
    assert any(note.startswith(f"Confound: {name} alone reaches AUROC 1.000") for note in report.notes)


def test_a_confound_of_nine_in_ten_is_named(tiny, tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, "." if i else ""), lambda t, i: plain(t, i + 5, "" if i else "."))
    report = found_in(
        paired(tmp_path / "p.csv", rows), lambda text: noise_of(text) + along(0, 2.0 * text.endswith(".")), tiny
    )
    assert any(note.startswith("Confound: last character alone reaches AUROC 0.900") for note in report.notes)


def test_where_nothing_matches_that_is_said(tiny, tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, "."), plain)
    report = found_in(paired(tmp_path / "p.csv", rows), reads("."), tiny)
    assert any(note.startswith("Nothing matches: no positive test text has a negative one") for note in report.notes)
    assert np.isnan(report.metrics["direction/matched/auroc"])
    rows = pairs_of(lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor"))
    assert "Nothing matches" not in says(found_in(paired(tmp_path / "q.csv", rows), reads("good"), tiny))


def test_ties_are_worth_exactly_a_half(tiny, tmp_path):
    """Only texts of train differ in their states, so that there is a direction, and nothing for it to tell apart."""
    splits = ["train"] * (len(TOPICS) - 6) + ["dev"] * 3 + ["test"] * 3
    told = {t: "zebra" if split == "train" else "" for t, split in zip(TOPICS, splits, strict=True)}
    rows = pairs_of(lambda t, i: f"the {told[t]} {t}", lambda t, i: f"the {t} too", n=4)
    rows = [(*row, dict(zip(TOPICS, splits, strict=True))[row[2]]) for row in rows]
    report = found_in(paired(tmp_path / "p.csv", rows), lambda text: along(3, 5.0 + ("zebra" in text)), tiny)
    names = ("", "final_punctuation/", "first_word/")
    assert {report.metrics[f"direction/{name}test/auroc"] for name in names} == {0.5}
    assert {report.metrics[f"direction/{name}auroc"] for name in names[1:]} == {0.5}
    assert "All test texts have the same score: the direction tells none of them apart." in report.notes


def test_states_that_are_all_the_same_are_refused(tiny, tmp_path):
    rows = pairs_of(lambda t, i: f"the {t}", lambda t, i: f"the {t} too", n=4)
    with pytest.raises(BadInput, match="both kinds of text have the same mean state"):
        found_in(paired(tmp_path / "p.csv", rows), lambda text: along(3, 5.0), tiny)


@pytest.mark.parametrize(
    ("letters", "said"),
    [("A" * 10, "always (A): the direction may be that of the letter"), ("A" * 9 + "B", "pairs were left out so that")],
    ids=["always A", "nine in ten A"],
)
def test_letters_that_give_the_answer_away_are_named(letters, said, tiny, tmp_path):
    rows = [
        {"prompt": plain(t, i), "positive": f"({x})", "negative": "(B)" if x == "A" else "(A)", "group": t}
        for t in TOPICS
        for i, x in enumerate(letters)
    ]
    (tmp_path / "letters.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = found_in(tmp_path / "letters.jsonl", reads("(A)"), tiny)
    assert any(said in note for note in report.notes)
    assert ("96 of 120 pairs" in says(report)) == ("B" in letters)


def test_a_single_topic_is_refused_with_what_to_do(tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor"), topics=TOPICS[:1])
    with pytest.raises(BadInput, match=r"1 groups without common texts .* add documents, or name a finer `group`"):
        study_of(paired(tmp_path / "p.csv", rows)).data()


def test_six_training_pairs_of_one_topic_are_noted(tiny, tmp_path):
    split = dict.fromkeys(TOPICS[1:6], "dev") | dict.fromkeys(TOPICS[6:], "test") | {TOPICS[0]: "train"}
    rows = [(plain(t, i, " good"), plain(t, i, " poor"), t, split[t]) for t in TOPICS for i in range(6)]
    report = found_in(paired(tmp_path / "p.csv", rows), reads("good"), tiny)
    assert "Few texts: the direction is found from 12 training texts of both kinds together." in report.notes
    assert any(note.startswith("Train cannot be halved") for note in report.notes)
    assert "direction/split_half_cosine" not in report.metrics


def test_a_random_model_is_noted(tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor"))
    model = Model(name="tiny", source=Tiny(), random_init=True)
    assert "random weights: nothing here is about language" in says(
        found_in(paired(tmp_path / "p.csv", rows), reads("good"), model)
    )


def test_a_single_test_group_is_noted(tiny, tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor"), topics=TOPICS[:3])
    report = found_in(paired(tmp_path / "p.csv", rows), reads("good"), tiny)
    assert "Test is a single group: its AUROC has no interval." in report.notes
    assert any(note.startswith("Few groups: some intervals are over 3 of them") for note in report.notes)


def test_a_direction_that_the_embedding_has_is_noted(tiny, tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor"))
    report = found_in(paired(tmp_path / "p.csv", rows), reads("good"), tiny)
    assert not any(note.startswith("No context needed") for note in report.notes), "its embedding is noise"


def test_too_few_nulls_are_noted(tiny, tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor"), n=2)
    report = found_in(paired(tmp_path / "p.csv", rows), reads("good"), tiny, shuffles=18, random_draws=0)
    assert "18 directions of exchanged labels cannot be beaten at p = 0.05; that takes at least 19." in report.notes
    assert "Switched off by setting: random directions." in report.notes
    assert any(note.startswith("Other bundled directions were not looked at") for note in report.notes)
    assert "directions of exchanged labels (95th percentile" in report.headline


def test_texts_of_one_kind_are_set_against_other_texts_and_that_is_said(tiny, tmp_path):
    rows = pairs_of(lambda t, i: plain(t, i, " good"), lambda t, i: plain(t, i, " poor"))
    (tmp_path / "other.csv").write_text(
        "text\n" + "".join(f"{plain(t, i, ' good')} too\n" for t in TOPICS for i in range(3))
    )
    report = found_in(paired(tmp_path / "p.csv", rows), reads("good"), tiny, transfer=(str(tmp_path / "other.csv"),))
    assert any(note.startswith("other has texts of one kind; they are set against") for note in report.notes)
    assert report.metrics["direction/transfer/other/bag_of_words/auroc"] == 1
    assert any(
        "not shown to beat a bag of words from the direction's own training texts (1.000" in n for n in report.notes
    )


SPLITS = ("train",) * 8 + ("dev",) * 2 + ("test",) * 2


def noise_labels(unit, rng):
    """Rows of text, label, group and split, the labels given at random by text, within pairs, or by group."""
    label = {
        "row": rng.permutation(np.arange(72) % 2),
        "pair": (np.arange(72) + np.repeat(rng.random(36) < 0.5, 2)) % 2,
        "group": np.repeat(np.concatenate([rng.permutation(np.arange(n) % 2) for n in (8, 2, 2)]), 6),
    }[unit]
    texts = [(t, i, k) for t in TOPICS for i in range(3) for k in ("one", "two")]
    kinds = np.array(["negative", "positive"])[label]
    return [(plain(t, i, f" {k}"), y, t, SPLITS[TOPICS.index(t)]) for (t, i, k), y in zip(texts, kinds, strict=True)]


@pytest.mark.parametrize("unit", ["row", "pair", "group"])
def test_noise_is_not_called_a_finding(unit, tiny, tmp_path):
    claims = 0
    for seed in range(8):
        rows = noise_labels(unit, np.random.default_rng(seed))
        if unit == "pair":
            ordered = [(a, b) if a[1] == "positive" else (b, a) for a, b in zip(rows[::2], rows[1::2], strict=True)]
            path = paired(tmp_path / "p.csv", [(a[0], b[0], *a[2:]) for a, b in ordered])
        else:
            path = written(tmp_path / "p.csv", rows)
        sizes = {"random_draws": 19, "shuffles": 19, "halvings": 0}
        said = headline(findings_in(path, lambda text, seed=seed: noise_of(text, seed), tiny, **sizes), tiny)
        claims += "It beats the strongest rival" in said and "not shown" not in said
    assert claims <= 1
