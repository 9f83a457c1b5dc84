"""Where the checkpoints of a training are: folders, or revisions of a model on the Hugging Face hub."""

from pathlib import Path

from latentmech.errors import BadInput
from latentmech.model import Hub, Local, Model


def checkpoint(place: str) -> Model:
    """A folder, or `organisation/model@revision`; it is called what stands behind the last slash.

    Raises:
        BadInput: it is neither.
    """
    folder, (name, _, revision) = Path(place).expanduser(), place.rpartition("@")
    if folder.exists():
        return Model(name=folder.name, source=Local(path=str(folder)))
    if name and revision:
        return Model(name=folder.name, source=Hub(name=name, revision=revision))
    seen = f"geometry.others: {place} is not there; name folders of checkpoints, or organisation/model@revision"
    raise BadInput(f"{seen}, or make some: scripts/train_checkpoints.py {folder.parent}")
