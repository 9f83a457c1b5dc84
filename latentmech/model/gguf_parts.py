"""A model in several GGUF files, `NAME-00001-of-00003.gguf` and so on: put together, or refused with what is missing.

transformers reads one file; what is in the others it would make up.
"""

import re
from pathlib import Path

from latentmech.errors import IntegrityError
from latentmech.model.gguf_metadata import GGUFMetadata

SHOWN = 4  # names in a message
PART = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.gguf)", re.IGNORECASE)


def parts_of(path: Path) -> list[Path]:
    """All files of the model that this one belongs to, in order, by their names; a whole file alone.

    Raises:
        IntegrityError: some of them are not beside it; names them, and what this file lacks.
    """
    if not (found := PART.fullmatch(path.name)):
        return [path]
    count = int(found["count"])
    names = [f"{found['name']}-{n:05d}-of-{found['count']}{found['suffix']}" for n in range(1, count + 1)]
    parts = [path.with_name(name) for name in names]
    if gone := [part.name for part in parts if not part.is_file()]:
        raise IntegrityError(
            f"{path.name} is one of {count} parts and lacks the tensors {_listed(_missing(path))}; put {_listed(gone)} "
            "beside it, or merge all parts into one file (llama-gguf-split --merge)"
        )
    return parts


def refuse_part(file: GGUFMetadata) -> None:
    """IntegrityError if a file under another name says that it is but a part."""
    if (count := int(file.get("split.count", 1))) > 1:
        raise IntegrityError(
            f"{file.path.name} is one of {count} parts and lacks the tensors {_listed(_missing(file.path))}; give all "
            f"parts the names that they were made with, NAME-00001-of-{count:05d}.gguf, or merge them into one file"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _missing(path: Path) -> list[str]:
    """Tensors that a whole file of this kind would have; a block of which nothing is there is named as one."""
    file = GGUFMetadata(path)
    blocks: dict[int, set[str]] = {n: set() for n in range(int(file.own.get("block_count", 0)))}
    for name in file.tensors:
        if found := re.fullmatch(r"blk\.(\d+)\.(.+)", name):
            blocks.setdefault(int(found[1]), set()).add(found[2])
    every = sorted(set().union(*blocks.values()))
    inside = [f"blk.{n}.{part}" for n, own in blocks.items() if own for part in every if part not in own]
    outside = [
        name for name in ("token_embd.weight", "output_norm.weight", "output.weight") if name not in file.tensors
    ]
    return [*(f"blk.{n}.*" for n, own in blocks.items() if not own), *outside, *inside]


def merge(parts: list[Path], target: Path) -> Path:
    """Write one file with the keys of the first part and the tensors of all, byte for byte."""
    from gguf import GGUFValueType, GGUFWriter

    files = [GGUFMetadata(part) for part in parts]
    writer = GGUFWriter(target, files[0].architecture)
    for name, field in files[0].reader.fields.items():
        if not name.startswith(("GGUF.", "split.", "general.architecture")):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    tensors = [tensor for file in files for tensor in file.reader.tensors]
    for one in tensors:
        writer.add_tensor_info(one.name, one.data.shape, one.data.dtype, one.data.nbytes, one.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for one in tensors:
        writer.write_tensor_data(one.data)
    writer.close()
    return target
