"""`AnalogiesStudy`: is king - man + woman near queen, and would king alone have been as near?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.activations import ActivationStore
from latentmech.data import WordPairs
from latentmech.errors import BadInput
from latentmech.geometry.analogies.answering import answers_in
from latentmech.geometry.analogies.asked import Asked, asked
from latentmech.geometry.analogies.findings import Findings, Result, Shown
from latentmech.geometry.analogies.presentation import present
from latentmech.geometry.analogies.questions import questions_of
from latentmech.geometry.similarity import CausalMetric, check_similarity, prepared
from latentmech.geometry.spaces import check_template, in_template, model_spaces
from latentmech.model import Model, WordVectors, levels_of, unembedding
from latentmech.report import Report

KINDS = ("cosine", "centred_cosine", "causal")


@dataclass(frozen=True, kw_only=True)
class AnalogiesStudy:
    """Word analogies in every space of a model and in static vectors, with the baselines that decide them.

    Attributes:
        data: the word pairs.
        template: what the model reads; {} is the word.
        similarity: `cosine`, `centred_cosine` or `causal`.
        site: hook point in every block.
        layers: `all`, or block numbers; embedding and unembedding are always there.
        single_token: leave out pairs with a word of several tokens.
        static: word vectors beside the model; None leaves them out, and asks about words that they lack too.
        common: how many bundled common words are candidates, beside the words of the data; None takes all 2,517.
        examples: four words each, a is to b as c is to d, whose nearest words are shown.
        random_init: ask the same architecture with fresh weights too.
        random_draws: draws of random offsets.
        draws: bootstrap resamples of first words.
        seed: of random offsets and of the twin's weights.
    """

    data: WordPairs = field(default_factory=WordPairs)
    template: str = "The word is {}"
    similarity: str = "cosine"
    site: str = "resid_post"
    layers: Sequence[int] | str = "all"
    single_token: bool = False
    static: WordVectors | None = field(default_factory=WordVectors)
    common: int | None = None
    examples: Sequence[str] = (
        "man woman king queen",
        "Paris France Berlin Germany",
        "walk walked go went",
        "big bigger good better",
    )
    random_init: bool = True
    random_draws: int = 20
    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_template("geometry.template", self.template)
        check_similarity("geometry.similarity", self.similarity, KINDS)
        levels_of(1, self.site, "all")
        if isinstance(self.examples, str) or any(len(set(example.split())) != 4 for example in self.examples):
            seen = f"geometry.examples={self.examples}"
            raise BadInput(f"{seen}; expected a list of four different words each, such as [man woman king queen]")
        for name, least in (("random_draws", 0), ("draws", 100), ("common", 0)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise BadInput(f"geometry.{name}={getattr(self, name)} is too small; expected at least {least}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Ask every space, and report."""
        return present(self, self.find(model, store), model)

    def find(self, model: Model, store: ActivationStore) -> Findings:
        """Everything that the report is made of."""
        words = asked(self, model)
        twin = replace(model, random_init=True, seed=self.seed)
        bare, only_model = replace(self, random_draws=0, examples=()), replace(words, static=None)
        fresh = bare.results(twin, store, only_model) if self.random_init else []
        return Findings(
            asked=words,
            questions=questions_of(words.analogies, words.candidates),
            results=list(self.results(model, store, words)),
            twin=[replace(result, name=f"random_init/{result.name}") for result in fresh],
            draws=self.draws,
        )

    def results(self, model: Model, store: ActivationStore, words: Asked) -> Iterator[Result]:
        """What every space answers, the static vectors first."""
        causal = CausalMetric.of(unembedding(model)) if self.similarity == "causal" else None
        questions = questions_of(words.analogies, words.candidates)
        examples = in_template(words.candidates, self.template)
        static = [] if words.static is None else [words.static]
        for space in chain(static, model_spaces(model, store, examples, self.site, self.layers)):
            vectors = prepared(space.vectors, self.similarity, causal, space.role)
            answers = answers_in(vectors, questions, self.random_draws, self.seed)
            shown = (_shown(example.split(), vectors, words.candidates) for example in self.examples)
            yield Result(space.name, space.tick, space.layer, space.role, answers, tuple(filter(None, shown)))


def _shown(example: Sequence[str], vectors: Float[Tensor, "candidate d"], candidates: Sequence[str]) -> Shown | None:
    """3CosAdd of four words by hand, and the nearest words to c alone; None if a word is no candidate."""
    if not set(example) <= set(candidates):
        return None
    a, b, c, answer = map(candidates.index, example)
    scores = vectors @ (vectors[b] - vectors[a] + vectors[c])
    alone = vectors @ vectors[c]
    scores[[a, b, c]] = alone[[a, b, c]] = -torch.inf
    nearest, beside = (tuple(candidates[i] for i in s.topk(5).indices.tolist()) for s in (scores, alone))
    query = f"{example[1]} - {example[0]} + {example[2]}"
    return Shown(query, example[3], int((scores >= scores[answer]).sum()), nearest, beside)
