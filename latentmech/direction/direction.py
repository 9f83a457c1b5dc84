"""`Direction`: a unit vector at a hook point, with what it takes to use it elsewhere and to know where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latentmech.errors import BadInput, IntegrityError
from latentmech.model import Level, Model
from latentmech.tensors import finite, load_tensors, save_tensors

FORMAT = "latentmech.direction/1"
PER_LEVEL = ("vector", "positive_mean", "negative_mean")  # tensors: a field, without its s, by hook point
NUMBERS = ("norms", "resid_norms", "spreads")
PASSING = ("versions", "device_map")  # of an identity: another version, or other devices, are no other model
OF_ONE_LEVEL = ("layer", "selection", "scores", "projections")  # what a card says about the level that was chosen


@dataclass(frozen=True, kw_only=True, eq=False)
class Direction:
    """A direction in the residual stream, from the negative towards the positive texts.

    It holds a vector for every level that was looked at and names the one that was chosen; the card says how.

    Attributes:
        hook_name: the TransformerLens hook point that was chosen.
        vectors: unit vector `[d_model]` of each hook point.
        positive_means: mean activation of the positive training texts, by hook point, as all that follows.
        negative_means: the same of the negative ones; where another tool found the direction there is neither.
        norms: length of the vector before it was made a unit vector.
        resid_norms: median norm of the residual stream over the words of a neutral text.
        spreads: pooled standard deviation of a class's training texts along the vector; none in older files.
        card: where it comes from: model, data, method, scores.
    """

    hook_name: str
    vectors: Mapping[str, Float[Tensor, " d_model"]]
    positive_means: Mapping[str, Float[Tensor, " d_model"]]
    negative_means: Mapping[str, Float[Tensor, " d_model"]]
    norms: Mapping[str, float]
    resid_norms: Mapping[str, float]
    spreads: Mapping[str, float] = field(default_factory=dict)
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.hook_name not in self.vectors:
            raise BadInput(f"there is no vector at {self.hook_name}; there are {', '.join(self.vectors)}")
        for kind in PER_LEVEL:
            for name, one in getattr(self, f"{kind}s").items():
                finite(one, f"the {kind.replace('_', ' ')} of {self.name} at {name}", "find or export it again")

    def __neg__(self) -> "Direction":
        flipped = {name: -vector for name, vector in self.vectors.items()}
        card = {**self.card, "name": f"not {self.card.get('name', '')}".strip()}
        card |= {"found": dict(card["found"])} if "found" in card else {}
        for about in (card, card.get("found", {})):
            if lie := about.get("projections"):
                about["projections"] = {**lie, "negative": -lie["positive"], "positive": -lie["negative"]}
        low, high = self.positive_means, self.negative_means
        return replace(self, vectors=flipped, positive_means=high, negative_means=low, card=card)

    @property
    def name(self) -> str:
        """What it is a direction of."""
        return str(self.card.get("name", "direction"))

    @property
    def vector(self) -> Float[Tensor, " d_model"]:
        """The unit vector at the chosen hook point."""
        return self.vectors[self.hook_name]

    @property
    def layer(self) -> int | None:
        """The 0-based block of the chosen hook point; None at the embedding."""
        return layer_of(self.hook_name)

    @property
    def level(self) -> Level:
        """The chosen hook point as a level."""
        return Level(self.layer, self.hook_name)

    @property
    def norm(self) -> float:
        """Length of the chosen vector before it was made a unit vector."""
        return self.norms[self.hook_name]

    @property
    def resid_norm(self) -> float:
        """Median norm of the residual stream at the chosen hook point; refused in a direction that does not know it."""
        if self.hook_name not in self.resid_norms:
            raise BadInput(f"{self.name} does not know the residual norm at {self.hook_name}; give absolute strengths")
        return self.resid_norms[self.hook_name]

    @property
    def spread(self) -> float:
        """Pooled standard deviation of a class's training texts along the chosen vector; NaN where it is not known."""
        return self.spreads.get(self.hook_name, float("nan"))

    def at(self, hook_name: str) -> "Direction":
        """The same behaviour's direction at another hook point.

        What the card says about the chosen level alone goes under `found`, and comes back with the hook point.
        """
        if hook_name == self.hook_name:
            return self
        card = {key: value for key, value in self.card.items() if key not in (*OF_ONE_LEVEL, "found")}
        here = {key: self.card[key] for key in OF_ONE_LEVEL if key in self.card}
        found = self.card.get("found", {"hook_name": self.hook_name, **here})
        back = found["hook_name"] == hook_name
        card |= {key: found[key] for key in OF_ONE_LEVEL if key in found} if back else {"found": found}
        return replace(self, hook_name=hook_name, card=card)

    def project(self, resid: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows"]:
        """Length of each row along the direction."""
        return resid @ self.vector.to(resid)

    def project_out(self, resid: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        """The rows without their part along the direction."""
        return resid - self.project(resid).unsqueeze(-1) * self.vector.to(resid)

    def cosine(self, other: "Direction") -> float:
        """Cosine of the chosen vectors of two directions; refused if they have different widths."""
        if self.vector.shape != other.vector.shape:
            widths = f"{self.name} has {len(self.vector)} dimensions, {other.name} has {len(other.vector)}"
            raise BadInput(f"{widths}; directions of one model can be compared")
        return float(self.vector.double() @ other.vector.double())

    def save(self, path: str | Path) -> str:
        """Write one safetensors file with the card inside and beside it; returns its SHA-256."""
        return save_tensors(Path(path), *self.packed())

    def packed(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and card as they are written."""
        tensors = {f"{kind}/{name}": t for kind in PER_LEVEL for name, t in getattr(self, f"{kind}s").items()}
        numbers = {name: dict(getattr(self, name)) for name in NUMBERS}
        return tensors, {**self.card, "format": FORMAT, "hook_name": self.hook_name, **numbers}

    @classmethod
    def load(cls, path: str | Path) -> "Direction":
        """Read what `save` wrote; an IntegrityError if the file is damaged, or is no direction."""
        tensors, card = load_tensors(Path(path))
        if card.get("format") != FORMAT:
            raise IntegrityError(f"{path} is no direction (format {card.get('format')!r}); expected {FORMAT}")
        kinds: dict[str, Any] = {
            f"{kind}s": {name.removeprefix(f"{kind}/"): t for name, t in tensors.items() if name.startswith(f"{kind}/")}
            for kind in PER_LEVEL
        }
        numbers = {name: card.get(name, {}) for name in NUMBERS}
        rest = {key: value for key, value in card.items() if key not in ("format", "hook_name", *NUMBERS)}
        return cls(hook_name=card["hook_name"], card=rest, **kinds, **numbers)

    def check(self, model: Model, *, allow_foreign: bool = False) -> tuple[str, ...]:
        """Refuse to be used with a model that it was not found in; where that is allowed, a note for the report.

        Raises:
            BadInput: another width, or a hook point that the model does not have.
            IntegrityError: other weights or other processing, unless `allow_foreign`.
        """
        if len(self.vector) != model.d_model:
            widths = f"{self.name} has {len(self.vector)} dimensions, {model.name} has {model.d_model}"
            raise BadInput(f"{widths}; find the direction in this model: direction={self.name}")
        if self.layer is not None and self.layer >= model.n_layers:
            raise BadInput(f"{self.name} belongs to {self.hook_name}, {model.name} has {model.n_layers} blocks")
        theirs, ours = self.card.get("model", {}).get("identity", {}), model.identity
        differing = {
            key: (f"{theirs.get(key)}", f"{ours.get(key)}")
            for key in {**ours, **theirs}
            if key not in PASSING and theirs.get(key) != ours.get(key)
        }
        if not differing:
            return ()
        found_in = self.card.get("model", {}).get("name", "an unknown model")
        short = {key: [s if len(s) <= 16 else f"{s[:12]}…" for s in two] for key, two in differing.items()}
        sides = ", ".join(f"{key} {there} there, {here} here" for key, (there, here) in short.items())
        if not allow_foreign:
            remedy = "find it in this model, or set allow_foreign=true to use it all the same"
            raise IntegrityError(f"{self.name} was found in {found_in}, not in {model.name} ({sides}); {remedy}")
        return (f"The direction is foreign: found in {found_in}, used in {model.name} ({sides}).",)


def layer_of(hook_name: str) -> int | None:
    """The 0-based block that a hook point belongs to; the input of block 0 is the embedding and has none."""
    if hook_name == "blocks.0.hook_resid_pre":
        return None
    return int(hook_name.split(".")[1])


def unit(vector: Float[Tensor, " d_model"]) -> Float[Tensor, " d_model"]:
    """The vector at length 1, as float32."""
    vector = vector.double()
    return (vector / vector.norm().clamp(min=torch.finfo(torch.float64).tiny)).float()
