"""Words are found in tokens by the characters they share, whatever the tokenizer does with spaces and bytes."""

from dataclasses import replace

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from latentmech.errors import BadInput
from latentmech.model import Model, Tiny, text_rows, tokenise, word_rows

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())


def gpt2_style(*words: str, trim: bool = True) -> PreTrainedTokenizerFast:
    """Byte-level BPE in which each of `words` (a space in front is the token's own) is one token."""
    spelled = ["".join(piece for piece, _ in split(w)) for w in words]
    merges, vocabulary = [], dict.fromkeys(BYTES)
    for word in spelled:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                merges.append((word[: end - 1], word[end - 1]))
                vocabulary[word[:end]] = None
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(vocabulary)}, merges=merges))
    # The regular expression would cut contractions apart; without it the whole text is one piece.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=trim)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def split(word: str):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(word)


def sentencepiece_style(*pieces: str) -> PreTrainedTokenizerFast:
    """Unigram over pieces in which a space is a ▁ of the following piece, put before the text as well."""
    vocabulary = [("<unk>", -20.0), ("▁", -8.0), *((p, -1.0) for p in pieces), *((c, -9.0) for c in "abcdehlotwr'n.")]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def reader(tokenizer, bos: bool = False) -> Model:
    """A model that reads at most 99 tokens, with this tokenizer in place of its own."""
    if bos:
        tokenizer.add_special_tokens({"bos_token": "<s>"})
    model = Model(name="reader", source=Tiny(n_ctx=99), prepend_bos=bos)
    vars(model)["tokenizer"] = tokenizer
    return model


def found(tokenizer, text: str, words: list[str], bos: bool = False):
    """For each word, the tokens that it was given."""
    model = reader(tokenizer, bos)
    tokens = tokenise(model, [text], ["text"])
    names = tokenizer.convert_ids_to_tokens(tokens.ids[0].tolist())
    rows = word_rows(tokens, [spans(text, words)], ["text"])
    return [names[first : last + 1] for _, first, last in rows]


def spans(text: str, words: list[str]) -> list[tuple[int, int]]:
    at, out = 0, []
    for word in words:
        at = text.index(word, at)
        out.append((at, at + len(word)))
        at += len(word)
    return out


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("trim", [False, True], ids=["space is the token's", "space is cut off its offsets"])
def test_a_leading_space_does_not_make_a_token_the_previous_words(trim, bos):
    tokenizer = gpt2_style("The", " cat", " sat", trim=trim)
    assert found(tokenizer, "The cat sat.", ["The", "cat", "sat", "."], bos) == [["The"], ["Ġcat"], ["Ġsat"], ["."]]


def test_a_word_of_several_tokens_has_all_of_them():
    assert found(gpt2_style("un", "bel"), "unbelx a", ["unbelx", "a"]) == [["un", "bel", "x"], ["a"]]


def test_a_space_of_its_own_belongs_to_no_word():
    assert found(gpt2_style(), "ab  c", ["ab", "c"]) == [["a", "b"], ["c"]]


@pytest.mark.parametrize("bos", [False, True])
def test_metaspace_pieces_belong_to_the_word_after_the_space(bos):
    tokenizer = sentencepiece_style("▁the", "▁cat", "low", "▁hel")
    words = ["the", "cat", "hellow"]
    assert found(tokenizer, "the cat hellow", words, bos) == [["▁the"], ["▁cat"], ["▁hel", "low"]]


def test_a_metaspace_that_stands_alone_takes_nothing_away():
    assert [word[-1] for word in found(sentencepiece_style("at"), "at at", ["at", "at"])] == ["at", "at"]


@pytest.mark.parametrize(
    ("text", "words"), [("東京 x", ["東京", "x"]), ("é☕!", ["é", "☕", "!"]), ("a🙂b", ["a", "🙂", "b"])]
)
def test_every_byte_of_a_character_belongs_to_its_word(text, words):
    rows = found(gpt2_style(), text, words)
    assert [len(tokens) for tokens in rows] == [len(word.encode()) for word in words]


def test_words_inside_one_character_cluster_keep_their_own_bytes():
    assert [len(tokens) for tokens in found(gpt2_style(), "東京", ["東", "京"])] == [3, 3]


def test_two_words_in_one_token_share_it():
    """Treebanks cut "don't" into "do" and "n't"."""
    assert found(gpt2_style(" don't", "I"), "I don't", ["I", "do", "n't"]) == [["I"], ["Ġdon't"], ["Ġdon't"]]


def test_a_token_that_runs_over_two_words_belongs_to_both():
    assert found(gpt2_style("do", "n't x"), "don't x", ["do", "n't", "x"]) == [["do"], ["n'tĠx"], ["n'tĠx"]]


def test_every_word_of_the_treebank_is_covered_by_its_own_characters(tiny, examples):
    tokens = tokenise(tiny, examples.texts, examples.ids)
    words = [word for i in range(len(examples)) for word in examples.words(i)]
    rows = word_rows(tokens, examples.spans, examples.ids)
    assert len(rows) == len(words) > 250
    for (text, first, last), word in zip(rows.tolist(), words, strict=True):
        assert tiny.tokenizer.decode(tokens.ids[text][first : last + 1]) == word


@pytest.mark.real
def test_every_word_of_the_treebank_is_found_in_the_default_models_tokens(real_model, examples):
    tokens = tokenise(real_model, examples.texts, examples.ids)
    words = [word for i in range(len(examples)) for word in examples.words(i)]
    for (text, first, last), word in zip(word_rows(tokens, examples.spans, examples.ids), words, strict=True):
        assert word in real_model.tokenizer.decode(tokens.ids[text][first : last + 1])


def test_a_word_that_no_token_covers_is_bad_input():
    tokens = tokenise(reader(gpt2_style()), ["a  b"], ["s1"])
    with pytest.raises(BadInput, match="word 2 of text s1 is covered by no token"):
        word_rows(tokens, [[(0, 1), (5, 6)]], ["s1"])


def test_texts_without_words_give_no_rows():
    tokens = tokenise(reader(gpt2_style()), ["a", "b"], ["1", "2"])
    assert word_rows(tokens, [[], [(0, 1)]], ["1", "2"]).tolist() == [[1, 0, 0]]
    assert word_rows(tokenise(reader(gpt2_style()), ["a"], ["1"]), [[]], ["1"]).shape == (0, 3)


def test_text_rows_leave_the_bos_out(tiny):
    tokens = tokenise(tiny, ["ab", "c"], ["0", "1"])
    assert set(tokens.n_bos) == {1}
    assert text_rows(tokens).tolist() == [[0, 1, 2], [1, 1, 1]]
    assert {int(ids[0]) for ids in tokens.ids} == {tiny.tokenizer.bos_token_id}


def test_a_chat_templates_own_bos_is_not_doubled_without_ours(tiny):
    chat = tiny.tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    ids = tokenise(replace(tiny, prepend_bos=False), [chat], ["0"]).ids[0].tolist()
    assert ids.count(tiny.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "text s1 is empty"), ("x" * 100, r"1 of 2 texts are longer than the 99 tokens .*: s1 has 100")],
)
def test_a_text_without_tokens_or_too_long_is_bad_input_and_nothing_is_cut(text, message):
    with pytest.raises(BadInput, match=message):
        tokenise(reader(gpt2_style()), ["fine", text], ["s0", "s1"])
