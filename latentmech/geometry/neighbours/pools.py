"""Among what a neighbour is looked for: words in a template, words in their sentences, or whole texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from latentmech.activations import ActivationStore
from latentmech.data import Examples
from latentmech.errors import BadInput
from latentmech.geometry.neighbours.settings import MARKED, NeighboursSettings
from latentmech.geometry.rows import in_context
from latentmech.geometry.spaces import WordSpace, in_template, model_spaces
from latentmech.model import Model, levels_of

AROUND = 24  # characters of a sentence that are shown on either side of a word


@dataclass(frozen=True)
class Pool:
    """Things of one kind; each of them can be a neighbour of each other one.

    Attributes:
        name: `words`, `contexts` or `texts`.
        examples: what the model reads, with spans for words.
        labels: how a report shows each row of the activations.
        queries: the rows whose neighbours are asked for.
    """

    name: str
    examples: Examples
    labels: tuple[str, ...]
    queries: tuple[int, ...]

    def spaces(self, model: Model, store: ActivationStore, settings: NeighboursSettings) -> Iterator[WordSpace]:
        """The vectors of every row at every level. Only words without a context have an unembedding."""
        if self.name == "words":
            yield from model_spaces(model, store, self.examples, settings.site, settings.layers)
            return
        levels = levels_of(model.n_layers, settings.site, settings.layers)
        position = "word_last" if self.name == "contexts" else f"text_{settings.pooling}"
        activations = store.get(model, self.examples, levels, position)
        for level in levels:
            yield WordSpace(level.label, level.tick, activations.level(level.hook_name), layer=level.layer)


def word_pool(words: Sequence[str], others: Sequence[str], template: str) -> Pool:
    """Words in the template; `others` are candidates only."""
    own = tuple(dict.fromkeys(words))
    folded = {word.lower() for word in own}
    every = (*own, *(word for word in others if word.lower() not in folded))
    return Pool("words", in_template(every, template), every, tuple(range(len(own))))


def context_pool(contexts: Sequence[str], corpus: Examples) -> Pool:
    """The marked words in their contexts, and every word of the corpus in its sentence."""
    if corpus.spans is None:
        raise BadInput(f"{corpus.source} has no words; expected a treebank or rows with words, or set contexts=[]")
    parts = [found.groups() for text in contexts if (found := MARKED.match(text))]
    spans = tuple(((len(before), len(before) + len(word)),) for before, word, _ in parts)
    examples = _before([before + word + after for before, word, after in parts], corpus, (*spans, *corpus.spans))
    sentences = zip(corpus.texts, corpus.spans, strict=True)
    labels = (*contexts, *(in_context(text, span, AROUND) for text, own in sentences for span in own))
    return Pool("contexts", examples, labels, tuple(range(len(contexts))))


def text_pool(texts: Sequence[str], corpus: Examples) -> Pool:
    """The texts, and every text of the corpus."""
    examples = _before(list(texts), corpus, None)
    return Pool("texts", examples, examples.texts, tuple(range(len(texts))))


def _before(texts: Sequence[str], corpus: Examples, spans: tuple[tuple[tuple[int, int], ...], ...] | None) -> Examples:
    ids = (*(f"query-{i}" for i in range(1, len(texts) + 1)), *corpus.ids)
    blank = Examples(ids=ids, texts=(*texts, *corpus.texts), groups=ids, splits=("",) * len(ids), source=corpus.source)
    return replace(blank, spans=spans, notes=corpus.notes)
