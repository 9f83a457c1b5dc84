"""The README of a direction on a model hub: what it is, how it was found, how to load it, licence, how to cite it."""

import re
from typing import Any

from latentmech.direction.direction import Direction

TEXT = """\
---
license: {licence}
library_name: latentmech
tags: [activation-steering, interpretability, latentmech]
---
# {name}

A direction in the residual stream of **{model}**{revision}, from texts without to texts with *{name}*:
a vector of {width} dimensions for each of {count} hook points. Chosen: `{hook_name}`, raw norm {norm:.4g}.

## Load it
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


def model_card(direction: Direction, repo: str) -> str:
    """Markdown with the YAML head that the hub reads, for a repository `owner/name`."""
    card, model = direction.card, direction.card.get("model", {})
    revision = model.get("revision")
    return TEXT.format(
        licence=str(card.get("licence", "other")).lower(),
        name=direction.name,
        model=model.get("name", "an unknown model"),
        revision=f" ({revision})" if revision else "",
        width=len(direction.vector),
        count=len(direction.vectors),
        hook_name=direction.hook_name,
        norm=direction.norm,
        repo=repo,
        file=file_name(direction),
        facts="\n".join(f"- {key}: {value}" for key, value in _facts(card)) or "- not recorded",
        bibtex=card.get("bibtex", f"@misc{{{file_name(direction)}, title = {{{direction.name}}}}}"),
    )


def file_name(direction: Direction) -> str:
    """The direction's name as a file may be called, without a suffix."""
    return re.sub(r"[^\w.-]+", "_", direction.name).strip("._") or "direction"


def _facts(card: Any) -> list[tuple[str, Any]]:
    data, scores = card.get("data", {}), card.get("scores", {})
    test = scores.get("test_auroc")
    facts = {
        "method": card.get("method"),
        "position": card.get("position"),
        "texts": data.get("source"),
        "chosen by": card.get("selection"),
        "AUROC on test": f"{test['value']:.3f} [{test['ci_low']:.3f}, {test['ci_high']:.3f}]" if test else None,
        "random directions, 95th percentile": scores.get("random_p95"),
        "imported from": card.get("imported", {}).get("file"),
    }
    return [(key, value) for key, value in facts.items() if value is not None]
