"""Where the words of a text stand in it, as character spans `[start, end)`.

A probe reads a word's vector at the sub-word tokens that cover its span, so a span that is off by one
silently labels the wrong vector. Hence words are located strictly: only white space may stand between them.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from latentmech.data.examples import Span

MENTION = r"\[([^\[\]]+)\]"  # how a text marks a mention: [Anna] said that [she] was late.


def locate(forms: Sequence[str], text: str) -> list[Span] | None:
    """Spans of `forms` in `text`, or None unless they and white space between them are the whole text."""
    spans, at = [], 0
    for form in forms:
        while at < len(text) and text[at].isspace():
            at += 1
        if not text.startswith(form, at):
            return None
        spans.append((at, at + len(form)))
        at += len(form)
    return None if text[at:].strip() else spans


def join(forms: Sequence[str], space_after: Sequence[bool]) -> tuple[str, list[Span]]:
    """The text that the forms make, each followed by a space or not, and their spans in it."""
    pieces = [form + " " * space for form, space in zip(forms, space_after, strict=True)]
    starts = accumulate((len(piece) for piece in pieces[:-1]), initial=0)
    return "".join(pieces).rstrip(), [(at, at + len(form)) for at, form in zip(starts, forms, strict=True)]


def divide(span: Span, surface: str, forms: Sequence[str]) -> list[Span]:
    """Spans of the words inside one surface token: `do` + `n't` divide `don't`.

    Words that do not spell their token (`de` + `le` for *du*) have no place of their own: each takes it all.
    """
    if "".join(forms) != surface:
        return [span] * len(forms)
    ends = [span[0] + end for end in accumulate(map(len, forms))]
    return list(zip([span[0], *ends[:-1]], ends, strict=True))


def marked(text: str, spans: Sequence[Span]) -> str:
    """The text with brackets around the spans, which are in order and do not overlap."""
    for start, end in reversed(spans):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


def unmarked(text: str) -> tuple[str, tuple[Span, ...]]:
    """The text without the brackets around its mentions, and where in it those are."""
    found = enumerate(re.finditer(MENTION, text))
    spans = tuple((match.start() - 2 * i, match.end() - 2 * i - 2) for i, match in found)
    return re.sub(MENTION, r"\1", text), spans
