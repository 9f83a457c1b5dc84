"""`Collection`: what retrieval is measured on: documents, queries, and judgements of which answers which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from latentmech.data.examples import Examples
from latentmech.data.splits import seeded_order
from latentmech.errors import BadInput, expected

Judgements = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A test collection.

    Attributes:
        documents: what is searched.
        queries: what is asked; each is in the split `dev` (to choose by) or `test` (to report).
        judgements: query id -> document id -> grade; 0 or less is not relevant, and so is what is not judged.
        source: where it came from.
        notes: what reading decided and a reader of the results must know.
        itself: queries that are documents as well, by id and text: none of them may count as found by itself.
    """

    documents: Examples
    queries: Examples
    judgements: Judgements
    source: str
    notes: tuple[str, ...] = ()
    itself: frozenset[str] = frozenset()

    def only(self, split: str) -> "Collection":
        """The same documents with the queries of one split."""
        return self.asking(self.queries.in_split(split))

    def asking(self, queries: Examples) -> "Collection":
        """The same documents with some of the queries."""
        return replace(self, queries=queries, judgements={name: self.judgements[name] for name in queries.ids})


def collection_of(documents: Examples, queries: Examples, judgements: Judgements, source: str) -> Collection:
    """Put the parts together; queries without a relevant document are left out, since nothing can be right for them.

    Raises:
        BadInput: a judged query is not among the queries, or no judged document is there.
    """
    known = set(documents.ids)
    if strange := sorted(set(judgements) - set(queries.ids)):
        seen = f"{source}: {len(strange)} judged queries are not there, {strange[0]!r} for one"
        raise BadInput(f"{seen}; {expected(strange[0], queries.ids, limit=5)}: repair the judgements")
    itself = _asked_of_themselves(documents, queries)
    judgements = {
        name: {d: value for d, value in graded.items() if d != name or name not in itself}
        for name, graded in judgements.items()
    }
    absent = {name for graded in judgements.values() for name in graded} - known
    answered = {name for name, graded in judgements.items() if any(graded[d] > 0 for d in graded.keys() & known)}
    if not answered:
        raise BadInput(f"{source}: no judged document is in the corpus; expected the same ids in both")
    notes = []
    if absent:
        notes.append(f"{len(absent)} judged documents are not in the corpus and count as never found")
    if dropped := len(queries) - len(answered):
        notes.append(f"{dropped} of {len(queries)} queries have no relevant document and were left out")
    kept = queries.where(lambda i: queries.ids[i] in answered)
    if own := len(itself & answered):
        notes.append(f"{own} of {len(kept)} queries are documents by id and text: each is left out of its own list")
    graded = {name: judgements[name] for name in kept.ids}
    return Collection(
        documents=documents,
        queries=kept,
        judgements=graded,
        source=source,
        notes=tuple(notes),
        itself=itself & answered,
    )


def _asked_of_themselves(documents: Examples, queries: Examples) -> frozenset[str]:
    """Ids under which a query and a document have the same text, the document perhaps behind a title."""
    text = dict(zip(documents.ids, documents.texts, strict=True))
    asked = zip(queries.ids, queries.texts, strict=True)
    return frozenset(name for name, own in asked if f"\n{text.get(name, '')}".endswith(f"\n{own}"))


def with_blanks(collection: Collection, blank: int) -> Collection:
    """Say how many documents were left out because they have no text."""
    note = f"{blank} documents have no text and were left out"
    return replace(collection, notes=(*collection.notes, note)) if blank else collection


def halved(collection: Collection, dev: float, seed: int) -> Collection:
    """A seeded share of the queries, in whole groups, is dev; the rest is test."""
    queries = collection.queries
    order = seeded_order(set(queries.groups), seed)
    first = set(order[: max(1, min(round(dev * len(order)), len(order) - 1))])
    splits = tuple("dev" if group in first else "test" for group in queries.groups)
    return replace(collection, queries=replace(queries, splits=splits, own_splits=False))


def fewer_queries(collection: Collection, limit: int, seed: int) -> Collection:
    """About `limit` queries, of each split by its share and at least one."""
    queries, kept = collection.queries, set[str]()
    for split in dict.fromkeys(queries.splits):
        names = [name for name, own in zip(queries.ids, queries.splits, strict=True) if own == split]
        kept |= set(seeded_order(names, seed)[: max(1, round(limit * len(names) / len(queries)))])
    return collection.asking(queries.where(lambda i: queries.ids[i] in kept))


def fewer_documents(collection: Collection, limit: int, seed: int) -> Collection:
    """About `limit` documents: every relevant one, and a seeded sample of the rest. An easier task than the whole."""
    documents = collection.documents
    wanted = {name for graded in collection.judgements.values() for name, grade in graded.items() if grade > 0}
    rest = seeded_order(set(documents.ids) - wanted, seed)
    kept = wanted | set(rest[: max(0, limit - len(wanted))])
    chosen = documents.where(lambda i: documents.ids[i] in kept)
    note = f"only {len(chosen)} of {len(documents)} documents were searched, which is easier than the whole"
    return replace(collection, documents=chosen, notes=(*collection.notes, note))


def at_least(collection: Collection, splits: Sequence[str] = ("dev", "test")) -> None:
    """BadInput unless each split has a query."""
    for split in splits:
        if split not in collection.queries.splits:
            raise BadInput(f"{collection.source} has no {split} queries; expected some to choose by and some to report")
