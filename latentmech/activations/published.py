"""Activations for others: entries of a store with a card, in a folder or on the hub; and a store that reads them.

A published folder is a store's folder, so that its shards have their checksums, with a card (whose states, of which
texts, at which hook points and positions) and the model's configuration and tokenizer. No weights are needed to work
with it: what a study asks for is looked up by the fingerprints of its texts and of the model that the card names.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentmech.activations.activations import Manifest, damaged
from latentmech.activations.settings import ON_HUB, ActivationStoreSettings
from latentmech.errors import BadInput, LatentmechError, ResourceError, first_line, listed
from latentmech.model import Model, RecordedModel, copy_description, record_of
from latentmech.storage import file_sha256, fingerprint, save_json, write_bytes

if TYPE_CHECKING:
    from latentmech.data import Examples

FORMAT = "latentmech.activations/1"
CARD = "activations.json"
TEXT = """\
---
library_name: latentmech
tags: [activations, interpretability, latentmech]
---
# Activations of {name}

States of **{name}**, kept by latentmech{revision}. `python -m latentmech.run probe=... activations.source=hub:{repo}`
trains probes on them without the model. `{card}` says of which texts, at which hook points and positions:

{entries}
"""


@dataclass(frozen=True)
class Published:
    """A folder of activations with its card.

    Attributes:
        card: model, what the entries hold, and how the store that made them was set.
    """

    folder: Path
    card: Mapping[str, Any]
    where: str

    @classmethod
    def at(cls, where: str) -> "Published":
        """What is in a folder, or in `hub:owner/repo[@revision]`.

        Raises:
            BadInput: nothing is there, or no activations.
            IntegrityError: the card is damaged.
            ResourceError: the hub is not reachable.
        """
        folder = _fetched(where) if where.startswith("hub:") else Path(where).expanduser()
        path = folder / CARD
        if not path.is_file():
            raise BadInput(f"activations.source={where}: there is no {CARD}; expected what activations.push wrote")
        try:
            card = json.loads(path.read_bytes())
            checksum = card.pop("checksum")
        except (ValueError, KeyError, AttributeError) as error:
            raise damaged(path) from error
        if checksum != fingerprint(card) or card.get("format") != FORMAT:
            raise damaged(path)
        return cls(folder, card, where)

    @property
    def model(self) -> RecordedModel:
        """Whoever made them."""
        return RecordedModel.of(self.folder / "model", self.card["model"], f"activations.source={self.where}")

    def lacking(self, key: Mapping[str, Any]) -> BadInput:
        """The error for an entry that is not there: what it lacks, from the first thing on that no entry has."""
        keys = [json.loads(path.read_bytes())["key"] for path in self.folder.glob("*/entry.json")]
        texts = [one for one in keys if (one["texts"], one["spans"]) == (key["texts"], key["spans"])]
        own = [one for one in texts if one["model"]["weights"] == key["model"]["weights"]]
        placed = [one for one in own if one["position"] == key["position"]]
        seen = {name for one in placed for name in one["hook_names"]}
        if not texts:
            held = listed(dict.fromkeys(entry["source"] for entry in self.card["entries"].values()), 5)
            why = f"holds no states of these texts ({key['texts'][:12]}…), but of {held}; give the same data"
        elif not own:
            why = (
                "holds these texts read by other weights, such as the trained model alone; set probe.random_init=false"
            )
        elif not placed:
            there = listed(sorted({one["position"] for one in own}))
            why = f"holds these texts at {there} and not at {key['position']}; ask for that position"
        else:
            gone = listed([name for name in key["hook_names"] if name not in seen] or key["hook_names"], 3)
            why = f"lacks {gone} of these texts; ask for the layers and the site that were published"
        return BadInput(f"activations.source={self.where} {why}")


def published(model: Model, entries: Mapping[Path, "Examples"], store: ActivationStoreSettings, where: str) -> str:
    """Write entries of a store to a folder or `hub:owner/name`, which are made or added to; says where they are.

    Raises:
        BadInput: the folder holds states of another model.
        ResourceError: it cannot be written, or the hub refuses.
    """
    if not where.startswith("hub:"):
        folder = Path(where).expanduser()
        _write(model, entries, store, folder, where)
        return f"activations: {len(entries)} entries in {folder}"
    with tempfile.TemporaryDirectory() as temporary:
        _write(model, entries, store, Path(temporary), where)
        return f"activations: {_uploaded(Path(temporary), where.removeprefix('hub:'))}"


def _write(
    model: Model, entries: Mapping[Path, "Examples"], store: ActivationStoreSettings, folder: Path, where: str
) -> None:
    before = Published.at(str(folder)).card if (folder / CARD).exists() else None
    own = {"shard_rows": store.shard_rows, "padding_side": store.padding_side}
    record = record_of(model)
    if before is not None and (before["model"]["identity"], before["store"]) != (record["identity"], own):
        raise BadInput(f"activations.push={where} holds states of {before['model']['called']}; name another place")
    for path in entries:
        _copy(path, folder / path.name)
    copy_description(model, folder / "model")
    held = {path.name: _described(path, examples) for path, examples in entries.items()}
    card = {"format": FORMAT, "model": record, "store": own, "entries": {**(before or {}).get("entries", {}), **held}}
    card = json.loads(json.dumps(card))
    save_json(folder / CARD, {**card, "checksum": fingerprint(card)})
    lines = [f"- {e['source']}: {e['n_texts']} texts, {e['position']}" for e in card["entries"].values()]
    revision = f" (`{record['revision']}`)" if record["revision"] else ""
    repo = where.removeprefix("hub:")
    text = TEXT.format(name=model.called, revision=revision, repo=repo, card=CARD, entries="\n".join(lines))
    write_bytes(folder / "README.md", text.encode())


def _described(path: Path, examples: "Examples") -> dict[str, Any]:
    key = json.loads((path / "entry.json").read_bytes())["key"]
    own = {"position": key["position"], "hook_names": key["hook_names"], "texts": fingerprint(examples.texts)}
    twin = isinstance(key["model"]["weights"], dict)
    return {**own, "source": examples.source, "n_texts": len(examples), "random_init": twin}


def _copy(source: Path, target: Path) -> None:
    """Every recorded file of an entry, checked on the way; its description last."""
    for shard in Manifest(source).shards():
        there = (target / shard.file).exists() and file_sha256(target / shard.file) == shard.sha256
        if not there and write_bytes(target / shard.file, (source / shard.file).read_bytes()) != shard.sha256:
            raise damaged(source / shard.file)
        Manifest(target).append(shard)
    write_bytes(target / "entry.json", (source / "entry.json").read_bytes())


def _fetched(where: str) -> Path:
    from huggingface_hub import snapshot_download

    found = ON_HUB.fullmatch(where)
    assert found is not None  # settings have seen to it
    try:
        return Path(snapshot_download(found["repo"], revision=found["revision"]))
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        seen = f"activations.source={where} is neither cached nor reachable ({reason})"
        raise ResourceError(f"{seen}; check the name and the network, or name a folder") from error


def _uploaded(folder: Path, repo: str) -> str:
    try:
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(repo, private=True, exist_ok=True)
        if not api.model_info(repo).private:
            raise BadInput(f"hub:{repo} is there and public; name another repository")
        return str(api.upload_folder(repo_id=repo, folder_path=folder, commit_message="Add activations"))
    except LatentmechError:
        raise
    except Exception as error:  # what the client lets through of its network library has no base in common
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ResourceError(f"cannot push to hub:{repo} ({reason}); run `hf auth login`, check the network") from error
