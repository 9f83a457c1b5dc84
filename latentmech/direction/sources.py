"""Where directions come from and go to: files, W&B artifacts, the Hugging Face hub. Nothing pickled is fetched."""

import os
import re
import tempfile
from pathlib import Path

from latentmech.direction.direction import Direction
from latentmech.direction.formats import import_gguf
from latentmech.errors import BadInput, LatentmechError, ResourceError
from latentmech.statistics import Estimate
from latentmech.storage import save_json, write_bytes

ON_HUB = re.compile(r"(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/@]+))?(?:/(?P<file>[^@]+))?")
TEXT = """\
---
license: {licence}
library_name: latentmech
tags: [activation-steering, interpretability, latentmech]
---
# {name}

A direction in the residual stream of **{model}**{revision}, from texts without to texts with *{name}*:
a vector of {width} dimensions for each of {count} hook points. Chosen: `{hook_name}`, raw norm {norm:.4g}.
```python
from latentmech.direction import load_direction

direction = load_direction("hub:{repo}")
```
`direction.vector` is the unit vector; `direction.check(model)` refuses a model with other weights.

## How it was found
{facts}

A direction separates texts; that the model uses it needs an intervention, and what the numbers are worth depends on the
texts. `{file}.json` holds the whole card.

## Licence
{licence}, for the vectors. Model and texts keep their own.

## Cite
```bibtex
{bibtex}
```
"""
EXPECTED = "a .safetensors or .gguf file, wandb:entity/project/name:version or hub:owner/repo[@revision][/file]"


def load_direction(where: str) -> Direction:
    """From a `.safetensors` or `.gguf` file, `wandb:entity/project/name:version` or `hub:owner/repo[@revision][/file]`.

    Raises:
        BadInput: there is no such file, or it is not clear which one is meant.
        IntegrityError: it is damaged, or is no direction.
        ResourceError: it cannot be fetched.
    """
    scheme, colon, name = where.partition(":")
    if colon and scheme == "wandb":
        if len(name.split("/")) != 3:
            raise BadInput(f"direction {where} is not understood; expected wandb:entity/project/name:version")
        from latentmech.report import fetch_artifact

        return Direction.load(_only_one(fetch_artifact(name), where))
    if colon and scheme == "hub":
        return Direction.load(_from_hub(name, where))
    path = Path(where).expanduser()
    if not path.is_file():
        raise BadInput(f"direction {where} is not there; expected {EXPECTED}")
    return import_gguf(path) if path.suffix == ".gguf" else Direction.load(path)


def push_to_hub(direction: Direction, repo: str, *, private: bool = True) -> str:
    """Upload the direction, its card and a README to `owner/name` in one commit; returns the commit's address.

    Raises:
        BadInput: the repository is public, and a private one was asked for.
        ResourceError: the hub is not reachable or refuses.
    """
    try:
        from huggingface_hub import HfApi

        api = HfApi()
        api.create_repo(repo, private=private, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise BadInput(f"hub:{repo} is there and public; name another repository, or push with private=False")
        with tempfile.TemporaryDirectory() as folder:
            direction.save(Path(folder) / f"{file_name(direction)}.safetensors")
            write_bytes(Path(folder) / "README.md", model_card(direction, repo).encode())
            return str(api.upload_folder(repo_id=repo, folder_path=folder, commit_message=f"Add {direction.name}"))
    except LatentmechError:
        raise
    except Exception as error:  # what the client lets through of its network library has no base in common
        remedy = "run `hf auth login`, check the name and the network"
        raise ResourceError(f"cannot push to hub:{repo} ({_reason(error)}); {remedy}") from error


def model_card(direction: Direction, repo: str) -> str:
    """Markdown with the YAML head that the hub reads, for a repository `owner/name`."""
    card, model, scores = (direction.card, *(direction.card.get(name, {}) for name in ("model", "scores")))
    revision = f" ({model['revision']})" if model.get("revision") else ""
    known = [name for name in ("auroc", "test_auroc") if scores.get(name, {}).get("value") is not None]
    ends = {name: f"{Estimate(**scores[name]):.3f}" for name in known}
    facts = {
        "method": card.get("method"),
        "position": card.get("position"),
        "texts": card.get("data", {}).get("source"),
        "chosen by": card.get("selection"),
        "AUROC on groups left out": ends.get("auroc"),
        "AUROC on test": ends.get("test_auroc"),
        "directions drawn as states vary, 95th percentile": scores.get("covariance_p95"),
        "imported from": card.get("imported", {}).get("file"),
    }
    return TEXT.format(
        licence=str(card.get("licence", "other")).lower(), name=direction.name, revision=revision,
        model=model.get("name", "an unknown model"), width=len(direction.vector), count=len(direction.vectors),
        hook_name=direction.hook_name, norm=direction.norm, repo=repo, file=file_name(direction),
        facts="\n".join(f"- {key}: {value}" for key, value in facts.items() if value) or "- not recorded",
        bibtex=card.get("bibtex", f"@misc{{{file_name(direction)}, title = {{{direction.name}}}}}"),
    )  # fmt: skip


def file_name(direction: Direction) -> str:
    """The direction's name as a file may be called, without a suffix."""
    return re.sub(r"[^\w.-]+", "_", direction.name).strip("._") or "direction"


def pushed(direction: Direction, repo: str, folder: Path) -> None:
    """Upload the direction, and note where it went."""
    save_json(folder / "pushed.json", {"repository": repo, "commit": push_to_hub(direction, repo)})


def _from_hub(name: str, where: str) -> Path:
    parsed = ON_HUB.fullmatch(name)
    if parsed is None or (parsed["file"] and not parsed["file"].endswith(".safetensors")):
        raise BadInput(f"direction {where} is not understood; expected hub:owner/repo[@revision][/file.safetensors]")
    file = parsed["file"]
    wanted = [file, file.removesuffix("safetensors") + "json"] if file else ["*.safetensors", "*.json"]
    folder = _snapshot(parsed["repo"], parsed["revision"], wanted)
    if file and not (folder / file).is_file():
        raise BadInput(f"direction {where}: there is no {file}; name a file of the repository")
    return folder / file if file else _only_one(folder, where)


def _snapshot(repo: str, revision: str | None, wanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=wanted))
    except (OSError, ValueError) as error:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") else ""
        seen = f"direction hub:{repo}@{revision or 'main'} is neither cached nor reachable{offline}: {_reason(error)}"
        raise ResourceError(f"{seen}; check the name and the network, or name a file") from error


def _only_one(folder: Path, where: str) -> Path:
    found = sorted(folder.rglob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise BadInput(f"direction {where} holds {len(found)} safetensors files ({names}); expected one, or name one")
    return found[0]


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
