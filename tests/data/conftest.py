"""Small made corpora: CoNLL-U from a few tuples, and Examples without any file."""

import pytest

from latentmech.data import Examples


def conllu_sentence(*words, **comments):
    """Lines of one sentence; a word is its form and UPOS, then FEATS and MISC where it has any."""
    lines = [f"# {key.replace('newdoc', 'newdoc id')} = {value}" for key, value in comments.items()]
    for number, word in enumerate(words, start=1):
        form, upos, feats, misc = (*word, "_", "_")[:4]
        lines.append("\t".join([str(number), form, form.lower(), upos, "_", feats, "_", "_", "_", misc]))
    return "\n".join(lines) + "\n\n"


@pytest.fixture
def sentence():
    return conllu_sentence


@pytest.fixture
def write(tmp_path):
    """Write a file under the test's own folder, as text or as bytes, and return its path."""

    def to_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


@pytest.fixture
def treebank(write, sentence):
    """Ten documents of three sentences: NOUN and VERB everywhere."""

    def document(number):
        names = [f"word{number}{letter}" for letter in "abc"]
        return "".join(
            sentence((n, "NOUN", "Number=Sing"), ("runs", "VERB"), newdoc=f"d{number}", sent_id=n, text=f"{n} runs")
            for n in names
        )

    return write("made.conllu", "".join(map(document, range(10))))


@pytest.fixture
def plain():
    """Examples of plain texts, from `(text, group)` or `(text, group, split)`."""

    def make(*rows, **columns):
        rows = [(*row, "")[:3] for row in rows]
        texts, groups, splits = zip(*rows, strict=True)
        ids = tuple(map(str, range(len(rows))))
        return Examples(ids=ids, texts=texts, groups=groups, splits=splits, columns=columns, source="made")

    return make
