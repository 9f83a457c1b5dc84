"""What a probe reads in the answers: does the untouched model find more of the behaviour in what the steered one said?

The answers are read by the untouched model, at the direction's own place, as means over their tokens. This judges the
text and not the edit, but by the same direction: it can be high for text that merely mentions the subject.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from latentmech.activations import Request, collect
from latentmech.direction import Direction
from latentmech.model import Model, length_sorted, text_rows, tokenise


def readings(model: Model, direction: Direction, answers: Sequence[Sequence[str]]) -> Float[np.ndarray, " variant"]:
    """Mean projection of each variant's answers, as a distance from the first variant's in its standard deviations.

    Args:
        answers: per variant, the untouched model's first; empty answers are left out.
    """
    kept = [[text for text in texts if text.strip()] for texts in answers]
    flat = [text for texts in kept for text in texts]
    if not kept[0] or not flat:
        return np.full(len(answers), np.nan)
    tokens = tokenise(model, flat, [f"answer {i}" for i in range(len(flat))])
    request = Request(
        model=model, tokens=tokens, rows=text_rows(tokens), hook_names=(direction.hook_name,), pooling="mean"
    )
    order = length_sorted(tokens.lengths)
    rows = collect(request, order)[0]
    along = np.empty(len(flat))
    along[order] = direction.project(rows.float()).double().numpy()
    parts = np.split(along, np.cumsum([len(texts) for texts in kept])[:-1])
    spread = parts[0].std() or 1.0
    return np.array([(part.mean() - parts[0].mean()) / spread if len(part) else np.nan for part in parts])
