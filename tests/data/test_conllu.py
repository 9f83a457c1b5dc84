"""The CoNLL-U reader: what it makes of a sentence, and what it says about a broken file."""

import pytest

from latentmech.data import read_conllu
from latentmech.errors import BadInput

DONT = "\n".join(
    [
        "# sent_id = s1",
        "# text = I  don't know.",
        "1\tI\tI\tPRON\tPRP\tNumber=Sing|Person=1\t4\tnsubj\t_\t_",
        "2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_",
        "2\tdo\tdo\tAUX\tVBP\tVerbForm=Fin\t4\taux\t_\t_",
        "3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_",
        "3.1\tever\tever\tADV\t_\t_\t_\t_\t_\t_",
        "4\tknow\tknow\tVERB\tVB\t_\t0\troot\t_\tEntity=O|SpaceAfter=No",
        "5\t.\t.\tPUNCT\t.\t_\t4\tpunct\t_\t_",
        "",
    ]
)


def test_words_spans_and_columns(write):
    """A contraction is divided, an empty node skipped, FEATS and MISC become columns, SpaceAfter does not."""
    examples = read_conllu(write("a.conllu", DONT))
    assert examples.ids == ("s1",) and examples.texts == ("I  don't know.",)
    assert examples.words(0) == ("I", "do", "n't", "know", ".")
    assert examples.spans[0][1] == (3, 5)
    assert examples.columns["upos"][0] == ("PRON", "AUX", "PART", "VERB", "PUNCT")
    assert examples.columns["Number"][0] == ("Sing", None, None, None, None)
    assert examples.columns["Entity"][0] == (None, None, None, "O", None)
    assert examples.columns["deprel"][0][3] == "root" and examples.columns["lemma"][0][2] == "not"
    assert "SpaceAfter" not in examples.columns and examples.word_columns == set(examples.columns)
    assert not examples.own_splits and set(examples.splits) == {""}


def test_words_that_do_not_spell_their_token_share_it(write):
    text = DONT.replace("2\tdo\t", "2\tDO\t")
    assert read_conllu(write("a.conllu", text)).words(0) == ("I", "don't", "don't", "know", ".")


@pytest.mark.parametrize(
    "comment",
    ["# text = I dont know.\n", "# text = I really don't know.\n", "# text = I don't know. So\n", ""],
)
def test_text_is_rebuilt_where_the_comment_does_not_spell_the_words(write, comment):
    text = DONT.replace("# text = I  don't know.\n", comment)
    examples = read_conllu(write("a.conllu", text))
    assert examples.texts == ("I don't know.",)
    assert examples.words(0) == ("I", "do", "n't", "know", ".")


def test_a_contraction_without_space_after_it(write):
    text = DONT.replace("# text = I  don't know.\n", "").replace(
        "don't" + "\t_" * 8, "don't" + "\t_" * 7 + "\tSpaceAfter=No"
    )
    assert read_conllu(write("a.conllu", text)).texts == ("I don'tknow.",)


def test_documents_group_sentences(write, sentence):
    text = (
        sentence(("a", "X"), sent_id="1")
        + sentence(("b", "X"), newdoc="d1", sent_id="2")
        + sentence(("c", "X"), sent_id="3")
        + "# newdoc\n"
        + sentence(("d", "X"), sent_id="4")
        + sentence(("e", "X"), sent_id="5")
    )
    assert read_conllu(write("a.conllu", text)).groups == ("1", "d1", "d1", "a-document-4", "a-document-4")


def test_a_sentence_is_its_own_group_without_documents_and_gets_an_id(write, sentence):
    examples = read_conllu(write("a.conllu", sentence(("a", "X")) + sentence(("b", "X"))))
    assert examples.ids == examples.groups == ("a-1", "a-2")


def test_byte_order_mark_crlf_and_missing_last_line_end(write):
    text = DONT.rstrip("\n").replace("\n", "\r\n").encode("utf-8-sig")
    assert read_conllu(write("a.conllu", text)).columns["deprel"][0][-1] == "punct"
    assert read_conllu(write("a.conllu", text)).words(0)[-1] == "."


def test_a_line_separator_inside_a_form_is_no_line_end(write, sentence):
    assert read_conllu(write("a.conllu", sentence(("a\u2028b", "X")))).words(0) == ("a\u2028b",)


def test_an_underscore_is_a_form_and_a_blank_column_is_none(write, sentence):
    examples = read_conllu(write("a.conllu", sentence(("_", "_"), ("b", "SYM"))))
    assert examples.words(0) == ("_", "b") and examples.columns["upos"] == ((None, "SYM"),)
    assert "xpos" not in examples.columns


def test_a_feature_never_replaces_a_column_and_feats_win_over_misc(write, sentence):
    word = ("a", "X", "Number=Sing", "Number=Plur|upos=no|Loose")
    columns = read_conllu(write("a.conllu", sentence(word))).columns
    assert columns["Number"] == (("Sing",),) and columns["upos"] == (("X",),) and "Loose" not in columns


BROKEN = {
    "columns": (
        DONT.replace("\tPRP", ""),
        r"a\.conllu:3: 9 columns, .*'PRON'.*; expected 10 separated by tabs",
    ),
    "spaces": (DONT.replace("1\tI", "1 I").replace("\t", " "), r"a\.conllu:3: 1 columns, '1 I.*expected 10"),
    "id": (DONT.replace("4\tknow", "x\tknow"), r"a\.conllu:8: id 'x'; expected the integer 4.*repair"),
    "gap": (DONT.replace("5\t.", "6\t."), r"a\.conllu:9: id '6'; expected the integer 5"),
    "no blank line": (DONT + DONT, r"a\.conllu:12: id '1'; expected the integer 6.*blank line"),
    "range start": (
        DONT.replace("2-3", "3-4"),
        r"a\.conllu:4: the range '3-4'; expected one that starts at 2",
    ),
    "range backwards": (DONT.replace("2-3", "2-1"), r"a\.conllu:4: the range '2-1'"),
    "range in range": (DONT.replace("2\tdo", "2-4\tdo"), r"a\.conllu:5: the range '2-4'"),
    "range end": (
        DONT.replace("2-3", "2-9"),
        r"a\.conllu:9: the sentence ends at word 5, .*expected words up to 9",
    ),
    "same id": (DONT + "\n" + DONT, r"a\.conllu:11: the sent_id 's1' again, first at .*a\.conllu:1"),
    "comments": ("# nothing\n\n", r"a\.conllu: no sentence"),
    "empty": (" \n\n", r"a\.conllu: the file is empty"),
    "latin-1": ("# a\n# é\n".encode("latin-1"), r"a\.conllu:2: byte 0xe9 is not UTF-8; .*save it as UTF-8"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_named_with_its_line(write, content, message):
    path = write("a.conllu", content)
    with pytest.raises(BadInput, match=message) as caught:
        read_conllu(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(write, tmp_path):
    write("train.conllu", DONT)
    with pytest.raises(BadInput, match=r"no 'trian.conllu' in .*did you mean 'train.conllu'"):
        read_conllu(tmp_path / "trian.conllu")
    with pytest.raises(BadInput, match=r"no 'nowhere' in .*the folder has train.conllu"):
        read_conllu(tmp_path / "nowhere" / "deep" / "a.conllu")
    with pytest.raises(BadInput, match="is a folder; expected a file"):
        read_conllu(tmp_path)
