"""Texts that are longer than a model reads: cut, or left out, where the data say so, and always said."""

from collections.abc import Sequence
from dataclasses import replace

from latentmech.data import Examples
from latentmech.errors import listed
from latentmech.model.handle import Model

DONE = {"cut": "cut", "leave_out": "left out"}


def within(model: Model, examples: Examples) -> Examples:
    """The texts as far as the model reads them; those that are too long stay where their data say `refuse`.

    Words behind a cut go with their labels, and so does a text of which no word is left.
    """
    if examples.too_long == "refuse":
        return examples
    ends = ends_of(model, examples.texts)
    long = [i for i, end in enumerate(ends) if end is not None]
    names = listed(examples.ids[i] for i in long)
    found = examples.where(lambda i: ends[i] is None) if examples.too_long == "leave_out" else _cut(examples, ends)
    note = f"{len(long)} of {len(examples)} texts are longer than the {model.n_ctx} tokens that {model.name} reads"
    notes = (f"{note}, and were {DONE[examples.too_long]}: {names}",) if long else ()
    return replace(found, notes=(*found.notes, *notes))


def fits(model: Model, texts: Sequence[str]) -> list[bool]:
    """Whether each text is read whole."""
    return [end is None for end in ends_of(model, texts)]


def ends_of(model: Model, texts: Sequence[str]) -> list[int | None]:
    """Per text the character before which it must end to be read whole; None where it is short enough."""
    room = model.n_ctx - int(model.prepend_bos)
    rows = model.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ends: list[int | None] = [row[room - 1][1] if len(row) > room else None for row in rows]
    for i, end in enumerate(ends):  # a cut word may take more tokens than its beginning did
        while end and len(model.tokenizer(texts[i][:end], add_special_tokens=False)["input_ids"]) > room:
            end -= 1
        ends[i] = end
    return ends


def _cut(examples: Examples, ends: Sequence[int | None]) -> Examples:
    texts = tuple(text[:end] for text, end in zip(examples.texts, ends, strict=True))
    if examples.spans is None:
        return replace(examples, texts=texts)
    sizes = [
        sum(stop <= len(text) for _, stop in spans) for text, spans in zip(texts, examples.spans, strict=True)
    ]  # words stand in the order of the text

    def fewer(values: tuple) -> tuple:
        return tuple(own[:size] for own, size in zip(values, sizes, strict=True))

    columns = {k: fewer(v) if k in examples.word_columns else v for k, v in examples.columns.items()}
    found = replace(examples, texts=texts, spans=fewer(examples.spans), columns=columns)
    return found.where(lambda i: bool(sizes[i]) or ends[i] is None)
