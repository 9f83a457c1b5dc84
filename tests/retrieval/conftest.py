import pytest

from latentmech.data import Collection, Examples, Library


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
