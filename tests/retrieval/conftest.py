import json

import pytest
import torch

from latentmech.data import Collection, Examples, Library
from latentmech.model import Local, SentenceEncoder


def examples(texts, splits=None):
    names = tuple(texts)
    own = splits or ("",) * len(names)
    return Examples(ids=names, texts=tuple(texts.values()), groups=names, splits=own)


@pytest.fixture
def small():
    """Three queries over four documents, graded."""
    documents = examples({"a": "red apples", "b": "green pears", "c": "blue plums", "d": "old cars"})
    queries = examples({"q1": "apples", "q2": "pears or plums", "q3": "cars"}, ("test",) * 3)
    judgements = {"q1": {"a": 1}, "q2": {"b": 1, "c": 2}, "q3": {"d": 1, "a": 0}}
    return Collection(documents=documents, queries=queries, judgements=judgements, source="small")


@pytest.fixture(scope="session")
def passages():
    return Library()()


@pytest.fixture
def encoder(tmp_path):
    """A BERT of one small block with a vocabulary of a few words, in sentence-transformers' format."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = "[PAD] [UNK] [CLS] [SEP] [MASK] red green apples pears".split()
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(tmp_path)
    kinds = [{"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling")]
    (tmp_path / "modules.json").write_text(json.dumps(kinds))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 6}))
    return SentenceEncoder(name="small", source=Local(path=str(tmp_path)))
