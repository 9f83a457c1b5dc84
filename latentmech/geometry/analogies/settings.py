"""Settings of an analogies study."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from latentmech.data import WordPairs
from latentmech.errors import BadInput
from latentmech.fields import AtLeast, Control, Count, Draws, OneOf, check
from latentmech.geometry.settings import check_template
from latentmech.model import Layers, Site, WordVectorsSettings


@dataclass(frozen=True, kw_only=True)
class AnalogiesSettings:
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

    builds: ClassVar[str] = "latentmech.geometry.analogies.study.AnalogiesStudy"

    data: WordPairs = field(default_factory=WordPairs)
    template: str = "The word is {}"
    similarity: Annotated[str, OneOf("cosine", "centred_cosine", "causal")] = "cosine"
    site: Site = "resid_post"
    layers: Layers = "all"
    single_token: bool = False
    static: Annotated[WordVectorsSettings | None, Control("static vectors")] = field(
        default_factory=WordVectorsSettings
    )
    common: Annotated[int | None, AtLeast(0)] = None
    examples: Sequence[str] = (
        "man woman king queen",
        "Paris France Berlin Germany",
        "walk walked go went",
        "big bigger good better",
    )
    random_init: Annotated[bool, Control("random-init twin")] = True
    random_draws: Annotated[Count, Control("random offsets")] = 20
    draws: Draws = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, "geometry")
        check_template("geometry.template", self.template)
        if isinstance(self.examples, str) or any(len(set(example.split())) != 4 for example in self.examples):
            seen = f"geometry.examples={self.examples}"
            raise BadInput(f"{seen}; expected a list of four different words each, such as [man woman king queen]")
