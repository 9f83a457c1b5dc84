"""Multinomial logistic regression for all levels and labellings at once.

    minimise  mean_i [ -log softmax(x_i W + b)_{y_i} ]  +  strength / 2 * ||W||^2

The bias is not penalised; scikit-learn's C is 1 / (strength * rows), or 2 / (strength * rows) for two classes, of
which it fits the difference. What makes it fast is the choice of
coordinates. For standardised rows with correlation matrix Q diag(e) Q^T, the Hessian of class c is near
p_c (1 - p_c) Q diag(e) Q^T + strength (Boehning 1992, "Multinomial logistic regression algorithm", bounds it so).
Dividing by its root in the basis Q turns the loss almost round: L-BFGS (Liu & Nocedal 1989) then needs tens of
steps where it needs hundreds in raw coordinates. A fit that starts from another solution takes the curvature that
the rows have there instead. One eigendecomposition serves every strength and every
labelling of the same rows, and all labellings share each product with the rows.

What a high accuracy does not show: that the model uses what the probe reads (see the controls).
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latentmech.probe.sample import Sample
from latentmech.probe.side_by_side import side_by_side
from latentmech.probe.solution import Solution, Strengths, Targets, class_counts

CHUNK = 2048  # rows that stay in the processor's cache between the product, softmax and gradient
FEWER, FEWEST = 8, 8192  # a cold start is solved on every eighth row first, unless there are fewer rows than this
LOOKED_AT = 4096  # rows that show the curvature at a start
MEMORY = 8  # pairs of steps and gradient changes that L-BFGS remembers

PerProblem = Float[Tensor, "level problem"]
Vector = Float[Tensor, "level problem dim class"]  # dim = d_model + 1: the bias comes last


def logistic(
    sample: Sample,
    targets: Targets,
    n_classes: int,
    strengths: Strengths,
    start: Solution | None = None,
    row_weights: Float[Tensor, "problem row"] | None = None,
    tolerance: float = 2e-3,
    max_steps: int = 100,
) -> Solution:
    """Fit every problem at every level.

    Args:
        start: a solution nearby, such as that of the next larger strength; without it, that of an eighth of the rows.
        row_weights: weight of each row, mean 1.
        tolerance: stop when a Newton step would lower the loss by less than about this many nats per row.
    """
    if start is None and sample.n_rows >= FEWEST:
        start = _on_fewer_rows(sample, targets, n_classes, strengths, row_weights, tolerance)
    share = class_counts(targets, n_classes) / targets.shape[1]
    curvature = _bound(sample, share)
    if start is not None:
        curvature = torch.maximum(_seen_at(start, sample, row_weights), 0.01 * curvature)
    loss = _Loss(sample, targets, n_classes, strengths, row_weights, curvature)
    v = torch.zeros(curvature.shape) if start is None else loss.encode(start)
    return loss.decode(_minimise(loss, v, tolerance, max_steps))


def _on_fewer_rows(
    sample: Sample,
    targets: Targets,
    n_classes: int,
    strengths: Strengths,
    row_weights: Float[Tensor, "problem row"] | None,
    tolerance: float,
) -> Solution:
    """A rough solution on every eighth row: most steps that lead there from nothing then cost an eighth.

    The prior on the weights is the same, hence a penalty per row eight times as strong.
    """
    fewer = None if row_weights is None else row_weights[:, ::FEWER]
    few, labels = sample.every(FEWER), targets[:, ::FEWER]
    return logistic(few, labels, n_classes, FEWER * strengths, None, fewer, 2 * tolerance)


def _bound(sample: Sample, share: Float[Tensor, "problem class"]) -> Vector:
    """Curvature of every class along every eigenvector when nothing is known but how common the classes are."""
    width = (share * (1 - share)).clamp(min=1e-4)[None, :, None, :].expand(sample.n_levels, -1, -1, -1)
    return torch.cat([sample.eigenvalues[:, None, :, None] * width, width], dim=2)


def _seen_at(start: Solution, sample: Sample, row_weights: Float[Tensor, "problem row"] | None) -> Vector:
    """The same where the fit begins: mean_i p_ic (1 - p_ic) (q_k x_i)^2 over some of the rows."""
    step = 1 + sample.n_rows // LOOKED_AT

    def one_level(level: int) -> Float[Tensor, "problem dim class"]:
        rows = sample.train[level][::step]
        squares = torch.cat([(rows @ sample.eigenvectors[level]).square(), torch.ones(len(rows), 1)], dim=1)
        chances = torch.stack([start.logits(rows, level, p).softmax(1) for p in range(start.weight.shape[1])])
        spread = chances * (1 - chances)
        if row_weights is not None:
            spread *= row_weights[:, ::step, None]
        return torch.einsum("nk,pnc->pkc", squares, spread) / len(rows)

    return torch.stack(side_by_side(one_level, range(sample.n_levels)))


@dataclass(frozen=True)
class _Loss:
    """The penalised loss and its gradient in the coordinates described above."""

    sample: Sample
    targets: Targets
    n_classes: int
    strengths: Strengths
    row_weights: Float[Tensor, "problem row"] | None
    curvature: Vector
    scale: Vector = field(init=False)

    def __post_init__(self) -> None:
        penalty = torch.zeros_like(self.curvature)
        penalty[:, :, :-1] = self.strengths[..., None, None]
        object.__setattr__(self, "scale", (self.curvature + penalty).clamp(min=1e-8).rsqrt())

    def decode(self, v: Vector) -> Solution:
        theta = v * self.scale
        weight = torch.einsum("ldk,lpkc->lpdc", self.sample.eigenvectors, theta[:, :, :-1])
        return Solution(weight, theta[:, :, -1])

    def encode(self, solution: Solution) -> Vector:
        rotated = torch.einsum("ldk,lpdc->lpkc", self.sample.eigenvectors, solution.weight)
        return torch.cat([rotated, solution.bias.unsqueeze(2)], dim=2) / self.scale

    def __call__(self, v: Vector, active: Bool[Tensor, "level problem"]) -> tuple[PerProblem, Vector]:
        """Loss and gradient of the active problems; zeros elsewhere."""
        solution = self.decode(v)
        loss, gradient = torch.zeros(v.shape[:2]), torch.zeros_like(v)
        levels = active.any(1).nonzero().squeeze(1).tolist()
        side_by_side(lambda level: self._one_level(solution, level, active[level], loss, gradient), levels)
        penalty = self.strengths[..., None, None] * (v * self.scale**2)[:, :, :-1]
        loss += 0.5 * (penalty * v[:, :, :-1]).sum((2, 3)) * active
        gradient[:, :, :-1] += penalty * active[..., None, None]
        return loss, gradient

    def _one_level(self, solution: Solution, level: int, active: Tensor, loss: Tensor, gradient: Tensor) -> None:
        """Add the mean loss over rows and its gradient, all problems in one product.

        Classes come first and rows last: products and softmax then run along memory.
        """
        rows, problems = self.sample.train[level], active.nonzero().squeeze(1)
        weight = solution.weight[level, problems].transpose(1, 2).reshape(-1, rows.shape[1])
        bias = solution.bias[level, problems].reshape(-1, 1)
        slope, offset, total = torch.zeros_like(weight), torch.zeros_like(bias), torch.zeros(len(problems))
        for begin in range(0, len(rows), CHUNK):
            x = rows[begin : begin + CHUNK]
            residual, nats = self._residual(torch.addmm(bias, weight, x.T), problems, begin)
            slope.addmm_(residual, x)
            offset += residual.sum(1, keepdim=True)
            total += nats
        shape = (len(problems), self.n_classes, -1)
        rotated = (slope @ self.sample.eigenvectors[level]).view(shape)
        theta = torch.cat([rotated, offset.view(shape)], dim=2).transpose(1, 2) / len(rows)
        loss[level, problems] = total / len(rows)
        gradient[level, problems] = theta * self.scale[level, problems]

    def _residual(self, logits: Tensor, problems: Tensor, begin: int) -> tuple[Tensor, Tensor]:
        """Softmax minus the target (in place of the logits), and the summed loss of each problem."""
        z = logits.view(len(problems), self.n_classes, -1)
        place = slice(begin, begin + z.shape[2])
        y = self.targets[problems, place].unsqueeze(1)
        z -= z.amax(1, keepdim=True)
        at_target = z.gather(1, y).squeeze(1)
        z.exp_()
        normaliser = z.sum(1)
        nats = normaliser.log() - at_target
        z /= normaliser.unsqueeze(1)
        z.scatter_add_(1, y, torch.full(y.shape, -1.0))
        if self.row_weights is not None:
            weights = self.row_weights[problems, place]
            z *= weights.unsqueeze(1)
            nats = nats * weights
        return z.view(len(logits), -1), nats.sum(1)


def _minimise(loss: _Loss, v: Vector, tolerance: float, max_steps: int) -> Vector:
    """L-BFGS on all problems side by side; each stops by itself."""
    active = torch.ones(v.shape[:2], dtype=torch.bool)
    value, gradient = loss(v, active)
    history: list[tuple[Vector, Vector, PerProblem]] = []
    for _ in range(max_steps):
        active = active & (_dot(gradient, gradient) / 2 > tolerance)
        if not active.any():
            break
        step = -_inverse_hessian(gradient, history) * active[..., None, None]
        moved, new_value, new_gradient = _line_search(loss, v, value, gradient, step, active)
        active = active & (moved != v).any(3).any(2)
        s, y = moved - v, new_gradient - gradient
        history = [*history[1 - MEMORY :], (s, y, _dot(s, y))]
        v, value, gradient = moved, new_value, new_gradient
    return v


def _line_search(
    loss: _Loss, v: Vector, value: PerProblem, gradient: Vector, step: Vector, active: Bool[Tensor, "level problem"]
) -> tuple[Vector, PerProblem, Vector]:
    """Halve the step of each problem until it lowers the loss enough (Armijo)."""
    slope = _dot(step, gradient)
    length = torch.ones_like(value)
    point, new_value, new_gradient = v.clone(), value.clone(), gradient.clone()
    waiting = active
    for _ in range(12):
        trial = v + length[..., None, None] * step
        f, g = loss(trial, waiting)
        good = waiting & (f <= value + 1e-4 * length * slope + 1e-7 * value.abs())
        wide = good[..., None, None]
        point, new_gradient = torch.where(wide, trial, point), torch.where(wide, g, new_gradient)
        new_value = torch.where(good, f, new_value)
        waiting = waiting & ~good
        if not waiting.any():
            break
        length = torch.where(waiting, length / 2, length)
    return point, new_value, new_gradient


def _inverse_hessian(gradient: Vector, history: list[tuple[Vector, Vector, PerProblem]]) -> Vector:
    """The two loops of L-BFGS; a pair without positive curvature is passed over."""
    q, alphas = gradient.clone(), []
    for s, y, sy in reversed(history):
        alpha = _safe_ratio(_dot(s, q), sy)
        q -= alpha[..., None, None] * y
        alphas.append(alpha)
    if history:
        _, y, sy = history[-1]
        ratio = _safe_ratio(sy, _dot(y, y))
        q *= torch.where(ratio > 0, ratio, torch.ones_like(ratio))[..., None, None]
    for (s, y, sy), alpha in zip(history, reversed(alphas), strict=True):
        q += (alpha - _safe_ratio(_dot(y, q), sy))[..., None, None] * s
    return q


def _dot(a: Vector, b: Vector) -> PerProblem:
    return (a * b).sum((2, 3))


def _safe_ratio(numerator: PerProblem, denominator: PerProblem) -> PerProblem:
    """Zero where the denominator is not positive."""
    return torch.where(denominator > 1e-12, numerator / denominator.clamp(min=1e-12), torch.zeros_like(numerator))
