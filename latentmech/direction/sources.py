"""Where directions come from and go to: files, W&B artifacts, the Hugging Face hub. Nothing pickled is fetched."""

import os
import re
import tempfile
from pathlib import Path

from latentmech.direction.direction import Direction
from latentmech.direction.formats import import_gguf, model_card
from latentmech.direction.formats.hub_readme import file_name
from latentmech.errors import BadInput, LatentmechError, ResourceError
from latentmech.storage import save_json, write_bytes

ON_HUB = re.compile(r"(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/@]+))?(?:/(?P<file>[^@]+))?")
EXPECTED = "a .safetensors or .gguf file, wandb:entity/project/name:version or hub:owner/repo[@revision][/file]"


def load_direction(where: str) -> Direction:
    """A direction from a path, from W&B or from the hub.

    Args:
        where: a `.safetensors` file of ours, a `.gguf` control vector, `wandb:entity/project/name:version`, or
            `hub:owner/repo[@revision][/file]`.

    Raises:
        BadInput: there is no such file, or it is not clear which one is meant.
        IntegrityError: it is damaged, or is no direction.
        ResourceError: it cannot be fetched.
    """
    scheme, colon, name = where.partition(":")
    if colon and scheme == "wandb":
        return Direction.load(_only_one(_from_wandb(name), where))
    if colon and scheme == "hub":
        return Direction.load(_from_hub(name, where))
    path = Path(where).expanduser()
    if not path.is_file():
        raise BadInput(f"direction {where} is not there; expected {EXPECTED}")
    return import_gguf(path) if path.suffix == ".gguf" else Direction.load(path)


def push_to_hub(direction: Direction, repo: str, *, private: bool = True) -> str:
    """Upload the direction, its card and a README in one commit; returns the commit's address.

    Args:
        direction: to be uploaded.
        repo: `owner/name`; made if it is not there.
        private: whether only its owner may see it. One that is public already is not used for a private upload.

    Raises:
        BadInput: the repository is public, and a private one was asked for.
        ResourceError: the hub is not reachable or refuses.
    """
    try:
        return _upload(direction, repo, private)
    except LatentmechError:
        raise
    except Exception as error:  # what the client lets through of its network library has no base in common
        raise ResourceError(
            f"cannot push to hub:{repo} ({_reason(error)}); run `hf auth login`, check the name and the network"
        ) from error


def pushed(direction: Direction, repo: str, folder: Path) -> None:
    """Upload the direction, and note where it went."""
    save_json(folder / "pushed.json", {"repository": repo, "commit": push_to_hub(direction, repo)})


def _upload(direction: Direction, repo: str, private: bool) -> str:
    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(repo, private=private, exist_ok=True)
    if private and not api.model_info(repo).private:
        raise BadInput(f"hub:{repo} is there and public; name another repository, or push with private=False")
    with tempfile.TemporaryDirectory() as folder:
        direction.save(Path(folder) / f"{file_name(direction)}.safetensors")
        write_bytes(Path(folder) / "README.md", model_card(direction, repo).encode())
        return str(api.upload_folder(repo_id=repo, folder_path=folder, commit_message=f"Add {direction.name}"))


def _from_wandb(name: str) -> Path:
    if len(name.split("/")) != 3:
        raise BadInput(f"direction wandb:{name} is not understood; expected wandb:entity/project/name:version")
    from latentmech.report import fetch_artifact

    return fetch_artifact(name)


def _from_hub(name: str, where: str) -> Path:
    parsed = ON_HUB.fullmatch(name)
    if parsed is None or (parsed["file"] and not parsed["file"].endswith(".safetensors")):
        raise BadInput(f"direction {where} is not understood; expected hub:owner/repo[@revision][/file.safetensors]")
    file = parsed["file"]
    wanted = [file, file.removesuffix("safetensors") + "json"] if file else ["*.safetensors", "*.json"]
    folder = _snapshot(parsed["repo"], parsed["revision"], wanted)
    if file is None:
        return _only_one(folder, where)
    if not (folder / file).is_file():
        raise BadInput(f"direction {where}: there is no {file}; name a file of the repository")
    return folder / file


def _snapshot(repo: str, revision: str | None, wanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=wanted))
    except (OSError, ValueError) as error:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") else ""
        raise ResourceError(
            f"direction hub:{repo}@{revision or 'main'} is neither cached nor reachable{offline}: {_reason(error)}; "
            "check the name and the network, or name a file"
        ) from error


def _only_one(folder: Path, where: str) -> Path:
    found = sorted(folder.rglob("*.safetensors"))
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found) or "none"
        raise BadInput(f"direction {where} holds {len(found)} safetensors files ({names}); expected one, or name one")
    return found[0]


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
