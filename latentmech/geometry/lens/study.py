"""`LensStudy`: what the output head reads at every level, and where states lie between its table and the input's."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from latentmech.activations import ActivationStore
from latentmech.data import Corpus, Examples
from latentmech.errors import BadInput
from latentmech.geometry.lens.findings import Findings
from latentmech.geometry.lens.next_token import Places, Readings, places_in, readings, unigram
from latentmech.geometry.lens.presentation import present
from latentmech.geometry.lens.vocabulary import cosines
from latentmech.model import Level, Model, embedding, levels_of, unembedding
from latentmech.report import Report

TEXT = "The capital of France is Paris, and the capital of Sweden is Stockholm."


@dataclass(frozen=True, kw_only=True)
class LensStudy:
    """The logit lens at every level and position, with a unigram model, shuffled targets and random weights beside it.

    Attributes:
        text: what the picture is drawn of.
        data: texts over which numbers are averaged (their test split); train and dev make the unigrams.
        tokens: about so many tokens of them.
        layers: `all`, or block numbers; the embedding and the last block are always there.
        random_init: read the random-init twin too.
        draws: bootstrap resamples of documents.
        seed: of the choice of texts, of shuffles and of the twin's weights.
    """

    text: str = TEXT
    data: Corpus = field(default_factory=Corpus)
    tokens: int = 1000
    layers: Sequence[int] | str = "all"
    random_init: bool = True
    draws: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise BadInput("geometry.text is empty; give a sentence to draw")
        for name, least in (("tokens", 50), ("draws", 100)):
            if getattr(self, name) < least:
                raise BadInput(f"geometry.{name}={getattr(self, name)} is too small; expected at least {least}")

    def __call__(self, model: Model, store: ActivationStore) -> Report:
        """Read texts and twin, then the one text; nothing is taken from `store`, for every token is needed once."""
        del store
        examples, levels = self.data(), self._levels(model)
        texts = self._sample(model, examples)
        places = places_in(model, texts, levels)
        drawn = places_in(model, _one(self.text), levels, first=0)
        if not len(drawn.ids):
            raise BadInput(f"geometry.text={self.text!r} is one token of {model.name}; give a longer one")
        parts = np.array(examples.splits)
        train, dev = (examples.select(np.flatnonzero(parts == split).tolist()) for split in ("train", "dev"))
        findings = Findings(
            levels=levels,
            places=places,
            own=self._read(model, places),
            twin=self._twin(model, texts, levels) if self.random_init else None,
            unigram=unigram(model, train, dev, places),
            cosines=cosines(places, embedding(model), unembedding(model), self.seed),
            drawn=drawn,
            drawn_readings=readings(model, drawn, self.seed),
            vocab=len(unembedding(model)),
        )
        return present(self, model, texts, findings)

    def _levels(self, model: Model) -> tuple[Level, ...]:
        """The last block is what all others are compared with."""
        if isinstance(self.layers, str):
            return levels_of(model.n_layers, "resid_post", self.layers)
        return levels_of(model.n_layers, "resid_post", [*self.layers, model.n_layers - 1])

    def _sample(self, model: Model, examples: Examples) -> Examples:
        """Test texts in seeded order, until there are enough tokens."""
        test = np.flatnonzero(np.array(examples.splits) == "test")
        order = np.random.default_rng(self.seed).permutation(test).tolist()
        lengths = [len(ids) for ids in model.tokenizer([examples.texts[i] for i in order])["input_ids"]]
        enough = int(np.searchsorted(np.cumsum(lengths), self.tokens)) + 1
        return examples.select(sorted(order[:enough]))

    def _twin(self, model: Model, texts: Examples, levels: Sequence[Level]) -> Readings:
        twin = replace(model, random_init=True, seed=self.seed)
        return self._read(twin, places_in(twin, texts, levels))

    def _read(self, model: Model, places: Places) -> Readings:
        name = f"{model.name}{' (random init)' if model.random_init else ''}: lens"
        with tqdm(total=places.states.shape[0] * len(places.ids), unit="state", desc=name, mininterval=1) as bar:
            return readings(model, places, self.seed, bar.update)


def _one(text: str) -> Examples:
    return Examples(ids=("text",), texts=(text,), groups=("text",), splits=("",), source="geometry.text")
