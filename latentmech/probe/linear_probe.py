"""`LinearProbe`: a trained linear read-out as a value. It cannot train itself; `fit` functions return it."""

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor

from latentmech.errors import BadInput
from latentmech.tensors import load_tensors, save_tensors


@dataclass(frozen=True)
class LinearProbe:
    """Logits of classes from a residual stream: `resid @ weight.T + bias`, in the model's own coordinates.

    Attributes:
        weight: one row per class; any standardisation used in training is folded in.
        classes: names, in the order of the rows.
        hook_name: the TransformerLens hook point it reads.
        layer: the 0-based block, or None for the embedding.
    """

    weight: Float[Tensor, "class d_model"]
    bias: Float[Tensor, " class"]
    classes: tuple[str, ...]
    hook_name: str
    layer: int | None = None

    def logits(self, resid: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch class"]:
        """Log-probabilities up to a constant (for logistic probes; scores otherwise)."""
        return resid @ self.weight.T + self.bias

    def predict(self, resid: Float[Tensor, "*batch d_model"]) -> Int[Tensor, "*batch"]:
        """Index of the likeliest class."""
        return self.logits(resid).argmax(-1)

    def direction(self, name: str) -> Float[Tensor, " d_model"]:
        """Unit vector along which the logit of class `name` grows fastest against the mean of the others.

        Raises:
            BadInput: there is no such class.
        """
        if name not in self.classes:
            raise BadInput(f"class {name} is unknown to this probe; it knows {', '.join(self.classes)}")
        index = self.classes.index(name)
        others = [i for i in range(len(self.classes)) if i != index]
        vector = self.weight[index] - self.weight[others].mean(0)
        return vector / vector.norm()

    def tensors(self) -> dict[str, Tensor]:
        """What is saved: weight and bias."""
        return {"weight": self.weight, "bias": self.bias}

    def card(self) -> dict[str, object]:
        """What is saved beside the tensors."""
        return {"classes": list(self.classes), "hook_name": self.hook_name, "layer": self.layer}

    def save(self, path: Path) -> None:
        """Write safetensors with a JSON card inside and beside."""
        save_tensors(path, self.tensors(), self.card())

    @classmethod
    def load(cls, path: Path) -> "LinearProbe":
        """Read what `save` (or a run) wrote.

        Raises:
            IntegrityError: the file is damaged.
        """
        tensors, card = load_tensors(path)
        return cls(tensors["weight"], tensors["bias"], tuple(card["classes"]), card["hook_name"], card["layer"])
