"""`RecordedModel`: who made states that were published. It says what a study asks about a model, and runs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentmech.errors import BadInput
from latentmech.model.checkpoint import CONFIG_FILES, Checkpoint
from latentmech.model.handle import Model
from latentmech.model.road import Road
from latentmech.model.sources import Local
from latentmech.storage import write_bytes

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

SETTINGS = ("dtype", "compatibility_mode", "prepend_bos", "chat_arguments")


@dataclass(frozen=True)
class _Recorded(Checkpoint):
    """Configuration and tokenizer, without weights."""

    def __post_init__(self) -> None:
        if not (self.folder / "config.json").is_file():
            raise BadInput(f"{self.folder} has no config.json; fetch the published activations again")


@dataclass(frozen=True, kw_only=True)
class RecordedModel(Model):
    """A model as a card names it; weights are not there, and its tokenizer is read only where texts must be rendered.

    Attributes:
        card: what `record_of` gave.
        where: what the user calls the place, for messages.
    """

    card: Mapping[str, Any] = field(repr=False)
    where: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seen.update(road=Road(), checks=())  # it was checked where it was run

    @classmethod
    def of(cls, folder: Path, card: Mapping[str, Any], where: str) -> "RecordedModel":
        """The model whose configuration and tokenizer lie in a folder."""
        settings = {name: card["settings"][name] for name in SETTINGS}
        return cls(source=Local(path=str(folder)), name=card["name"], card=card, where=where, **settings)

    @property
    def called(self) -> str:
        """As it was called where it was run."""
        return str(self.card["called"])

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """What is known of its files."""
        return _Recorded(Path(self.source.path), self.card["revision"], self.card["note"])  # type: ignore[attr-defined]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that its states depend on, as it was where they were made."""
        own = {"weights": {"random_init": self.seed}} if self.random_init else {}
        return {**self.card["identity"], **own}

    @cached_property
    def bridge(self) -> "TransformerBridge":
        """Not to be had.

        Raises:
            BadInput: always.
        """
        raise BadInput(
            f"{self.where} holds states of {self.name} and no weights; leave activations.source out to run it"
        )


def record_of(model: Model) -> dict[str, Any]:
    """A model as JSON, from which `RecordedModel.of` can speak for it."""
    trained = {**model.identity, "weights": model.checkpoint.weights_sha256}
    own = {"name": model.name, "called": model.called, "identity": trained, "fingerprint": model.fingerprint}
    settings = {name: getattr(model, name) for name in SETTINGS}
    return {**own, "revision": model.checkpoint.revision, "note": model.checkpoint.note, "settings": settings}


def copy_description(model: Model, folder: Path) -> None:
    """Copy configuration and tokenizer."""
    source = model.checkpoint.folder
    configs = [source / name for name in CONFIG_FILES if (source / name).is_file()]
    for path in (*configs, *model.checkpoint.tokenizer_files):
        write_bytes(folder / path.relative_to(source), path.read_bytes())
