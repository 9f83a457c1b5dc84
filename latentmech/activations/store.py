"""`ActivationStore`: activations on disk under a name made of everything that they depend on."""

import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from einops import repeat
from filelock import FileLock, Timeout
from torch import Tensor
from tqdm import tqdm

from latentmech.activations.activations import ROW, Activations, Manifest, Shard, damaged
from latentmech.activations.collection import POOLINGS, Progress, Request, collect_into, poolings_of
from latentmech.activations.published import Published, published
from latentmech.activations.reduction import Pieces, Reducer, Sums
from latentmech.activations.settings import ActivationStoreSettings
from latentmech.activations.sums import WHOLE, summed_up
from latentmech.data import Examples
from latentmech.errors import BadInput, Filled, IntegrityError, ResourceError
from latentmech.model import Level, Model, Templated, length_sorted, text_rows, token_rows, tokenise, trusted, word_rows
from latentmech.storage import (
    cache_root,
    file_sha256,
    fingerprint,
    make_folder,
    save_json,
    sweep,
    write_bytes,
    write_new,
)
from latentmech.tensors import blank_tensors

FORMAT = 1  # raise when the layout on disk changes
EVERY_TOKEN = "token_each"  # a position of moments: first tokens, whose norm is a hundred times as large, are left out
HEADER = 2**16  # bytes that a shard's header stays below, for some hundred hook points


@dataclass(frozen=True, kw_only=True)
class ActivationStore(ActivationStoreSettings):
    """Content-addressed activations: read from disk where they are there, else collected.

    An entry is a folder of shards with a manifest. A killed run resumes after the last recorded shard; two
    processes that want the same entry take turns, and the second finds it done. Its settings are those of
    `ActivationStoreSettings`.
    """

    published: Published | None = field(default=None, repr=False)
    _used: dict[Path, Examples] = field(default_factory=dict, init=False, repr=False, compare=False)
    _verified: set[Path] = field(default_factory=set, init=False, repr=False, compare=False)

    def get(
        self, model: Model, examples: Examples, levels: Sequence[Level], position: str = "word_last"
    ) -> Activations:
        """Activations of every word (or text) of `examples` at every level.

        Args:
            position: `word_last`, `word_first`, `word_mean`, `word_weighted_mean` (of a word's sub-words), or the same
                with `text_`. Several from one forward: `text_last+mean` gives each text two rows, in that order.

        Raises:
            BadInput: a text is empty or longer than the context; an unknown position; a hook point that does not fire,
                or a model that does not compute what plain transformers computes.
            IntegrityError: what is on disk is damaged.
            ResourceError: disk or memory do not suffice.
        """
        if self.keep != "rows":
            raise BadInput(f"activations.keep={self.keep}: single rows are asked for; set activations.keep=rows")
        hook_names = tuple(dict.fromkeys(level.hook_name for level in levels))
        key = self._ingredients(model, examples, hook_names, position)
        folder = self._root() / fingerprint(key)[:40]
        shards = _complete(folder, key)
        if shards is None:
            shards = self._fill(folder, key, self._request(model, examples, hook_names, position))
        else:
            trusted(model)  # what was collected before this was checked is not handed out
        Manifest(folder).verify([shard for shard in shards if folder / shard.file not in self._verified])
        self._verified.update(folder / shard.file for shard in shards)
        self._used[folder] = examples
        paths = tuple(folder / shard.file for shard in shards)
        return Activations(hook_names, sum(shard.rows for shard in shards), model.d_model, paths)

    @property
    def of_rows(self) -> "ActivationStore":
        """The same store, keeping rows: for what is read row by row."""
        if self.keep == "rows":
            return self
        same = replace(self, keep="rows")
        object.__setattr__(same, "_used", self._used)  # what is pushed in the end is what both have read
        return same

    def opened(self, model: Model) -> tuple[Model, "ActivationStore"]:
        """Whose states are read, and from where: those of `source`, if it is set, and of the model that its card names.

        Raises:
            BadInput, IntegrityError, ResourceError: what is there is not what `push` wrote.
        """
        if self.source is None or self.published is not None:
            return model, self
        found = Published.at(self.source)
        return found.model, replace(self, published=found, **found.card["store"])

    def publish(self, model: Model) -> str:
        """Write what was read so far to the place that `push` names; says where it is."""
        return published(model, self._used, self, str(self.push))

    def moments(self, model: Model, source: Pieces, levels: Sequence[Level], position: str = "word_last") -> Sums:
        """Moments of every word (or text) of a source at every level, in memory and disk that do not grow with it.

        Args:
            position: as `get` has it, with one pooling; or `token_each`: every token but the first of each text.

        Returns:
            By `name_of(hook_name, part)`; of paired rows, their differences besides.

        Raises:
            BadInput, IntegrityError, ResourceError: as `get` does.
            Filled: this worker is done, others are not.
        """
        unit, _, pooling = position.partition("_")
        if (pooling not in POOLINGS or unit not in ("word", "text")) and position != EVERY_TOKEN:
            raise BadInput(f"position={position} has no moments; expected word_, text_ with {', '.join(POOLINGS)}")
        hook_names = tuple(dict.fromkeys(level.hook_name for level in levels))
        asked = {"hook_names": list(hook_names), "position": position, "padding_side": self.padding_side}
        key = {"format": FORMAT, "model": model.identity, "source": source.key, **asked, "shard_rows": self.shard_rows}
        folder = self._root() / f"moments-{fingerprint(key)[:40]}"
        if (folder / WHOLE).exists():
            trusted(model)
        request = partial(self._request, model, hook_names=hook_names, position=position)
        with self._alone(folder), _bar(model, None) as bar:
            reducer = Reducer(request, source.sizes, self.shard_rows, self.token_budget, bar.update)
            return summed_up(folder, key, source, reducer.add, self.share)

    def _alone(self, folder: Path) -> AbstractContextManager[object]:
        """Processes that would do the same take turns; those that have a share each need not."""
        return nullcontext() if self.shard or self.published else _turn(self._root() / "locks" / f"{folder.name}.lock")

    def _root(self) -> Path:
        if self.published is not None:
            return self.published.folder
        return Path(self.root).expanduser() if self.root else cache_root() / "activations"

    def _ingredients(
        self, model: Model, examples: Examples, hook_names: Sequence[str], position: str
    ) -> dict[str, Any]:
        unit, _, pooling = position.partition("_")
        if unit not in ("word", "text") or set(poolings_of(pooling)) - set(POOLINGS):
            raise BadInput(f"position={position} is unknown; expected word_ or text_ with {', '.join(POOLINGS)}")
        spans = examples.spans if unit == "word" else None
        unbegun = [i for i, text in enumerate(examples.texts) if _begins_without_bos(model, text)]
        return {
            "format": FORMAT,
            "model": model.identity,
            "hook_names": list(hook_names),
            "position": position,
            "padding_side": self.padding_side,
            "shard_rows": self.shard_rows,
            "texts": fingerprint(examples.texts),
            "spans": fingerprint(spans),
        } | ({"without_bos": fingerprint(unbegun)} if unbegun else {})

    def _fill(self, folder: Path, key: dict[str, Any], request: Request) -> list[Shard]:
        """Collect what is missing, under a lock that dies with its process; a share of it needs none."""
        make_folder(folder)  # not before the texts are known to be sound: bad input leaves no empty entry
        with self._alone(folder):
            done = _complete(folder, key)  # another process may have finished it meanwhile
            return done if done is not None else self._collect(folder, key, request)

    def _collect(self, folder: Path, key: dict[str, Any], request: Request) -> list[Shard]:
        chunks = _chunks(request, self.shard_rows)
        manifest = _resume(folder, key, len(chunks))
        done = {shard.number for shard in manifest.shards()}
        i, n = self.share
        todo = [number for number in range(i, len(chunks), n) if number not in done]
        _check_space(folder, sum(len(request.rows_in(chunks[n])) for n in todo) * request.bytes_per_row)
        tokens = int(sum(request.tokens.lengths[chunks[n]].sum() for n in todo))
        most = max((len(request.rows_in(texts)) for texts in chunks), default=0)  # room for any shard, used for all
        memory = torch.empty(most * (request.bytes_per_row + torch.int64.itemsize) + HEADER, dtype=torch.uint8)
        with _bar(request.model, tokens) as bar:
            for number in todo:
                shard = _write_shard(folder, number, request, chunks[number], memory, self.token_budget, bar.update)
                manifest.append(shard)
                self._verified.add(folder / shard.file)
        shards = manifest.shards()
        if n > 1 and (todo or len(shards) < len(chunks)):
            left = len(chunks) - len(shards)
            raise Filled(f"{folder.name}: shard {i}/{n} wrote {len(todo)} of {len(chunks)} files; {left} are missing")
        return shards

    def _request(self, model: Model, examples: Examples, hook_names: tuple[str, ...], position: str) -> Request:
        if self.published is not None:
            raise self.published.lacking(self._ingredients(model, examples, hook_names, position))
        unit, _, pooling = position.partition("_")
        spans = examples.spans if unit == "word" else None
        if unit == "word" and spans is None:
            raise BadInput(f"{examples.source} has no words; use a position that starts with text_")
        tokens = tokenise(model, examples.texts, examples.ids)
        rows = (
            word_rows(tokens, spans, examples.ids) if spans else (token_rows if unit == "token" else text_rows)(tokens)
        )
        rows = repeat(rows, "row place -> (row pooling) place", pooling=len(poolings_of(pooling)))
        side, pooling = self.padding_side, "last" if position == EVERY_TOKEN else pooling
        return Request(model=model, tokens=tokens, rows=rows, hook_names=hook_names, pooling=pooling, padding_side=side)


def _begins_without_bos(model: Model, text: str) -> bool:
    """Whether a chat template wrote the text without the BOS that the model's other texts begin with."""
    return isinstance(text, Templated) and not text.startswith(model.tokenizer.bos_token or "")


def _complete(folder: Path, key: dict[str, Any]) -> list[Shard] | None:
    """The shards of a finished entry; None if it is not finished."""
    path = folder / "entry.json"
    if not path.exists():
        return None
    try:
        entry = json.loads(path.read_bytes())
        sound = entry["checksum"] == fingerprint([key, entry["shards"]]) and entry["key"] == key
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
    if not sound:
        raise damaged(path)
    shards = Manifest(folder).shards()
    return shards if len(shards) == entry["shards"] else None


def _chunks(request: Request, shard_rows: int) -> list[list[int]]:
    """Texts from long to short, cut where a shard is full. The cut does not depend on the token budget."""
    chunks: list[list[int]] = []
    room = 0
    for text in length_sorted(request.tokens.lengths):
        if room <= 0:
            chunks.append([])
            room = shard_rows
        chunks[-1].append(text)
        room -= len(request.of_text.get(text, ()))
    return chunks


def _resume(folder: Path, key: dict[str, Any], n_shards: int) -> Manifest:
    """Sweep up after a killed writer and record what the entry is to be."""
    sweep(folder)
    manifest = Manifest(folder)
    save_json(folder / "entry.json", {"key": key, "shards": n_shards, "checksum": fingerprint([key, n_shards])})
    return manifest


def _write_shard(
    folder: Path, number: int, request: Request, texts: Sequence[int],
    memory: Tensor, token_budget: int, progress: Progress,
) -> Shard:  # fmt: skip
    rows = request.rows_in(texts)
    dtype, shape = getattr(torch, request.model.dtype), (len(rows), request.model.d_model)
    kinds = {ROW: (torch.int64, (len(rows),))} | dict.fromkeys(request.hook_names, (dtype, shape))
    image, tensors = blank_tensors(kinds, {"format": FORMAT}, memory)
    tensors.pop(ROW).copy_(torch.from_numpy(rows))
    collect_into([*tensors.values()], request, texts, token_budget, progress)
    if not all(_finite(tensor) for tensor in tensors.values()):
        raise IntegrityError(f"{request.model.name} overflows in {request.model.dtype}; set model.dtype=float32")
    name = f"shard-{number:05d}.safetensors"
    digest, written = write_new(folder / name, image)
    if not written and file_sha256(folder / name) != digest:  # another kind of machine has made it, and not recorded it
        name = f"shard-{number:05d}-{digest[:12]}.safetensors"
        write_bytes(folder / name, image)
    return Shard(number, name, digest, len(rows))


def _finite(tensor: Tensor) -> bool:
    """Whether every element is; a sum, which is all that it takes nearly always, is read faster than a mask made."""
    return bool(tensor.sum(dtype=torch.float32).isfinite()) or bool(tensor.isfinite().all())


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ResourceError(
            f"activations need {needed / 2**30:.1f} GiB in {folder}, but {free / 2**30:.1f} GiB are free; "
            "free some, set LATENTMECH_CACHE to another disk, or lower probe.data.limit"
        )


def _turn(path: Path) -> AbstractContextManager[object]:
    """An acquired lock, released on exit; says so if another process has it now."""
    make_folder(path.parent)
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print("latentmech: another process is collecting these activations; waiting for it", file=sys.stderr)
        return lock.acquire()


def _bar(model: Model, n_tokens: int | None) -> "tqdm[Any]":
    """Tokens done, speed and time left; on a log file a line every ten seconds."""
    name = f"{model.name}{' (random init)' if model.random_init else ''}: activations"
    interval = 0.2 if sys.stderr.isatty() else 10
    return tqdm(total=n_tokens, unit="tok", unit_scale=True, desc=name, mininterval=interval, disable=n_tokens == 0)
