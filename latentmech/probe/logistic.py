"""Multinomial logistic regression for all labellings of the same rows.

    minimise  mean_i [ -log softmax(x_i W + b)_{y_i} ]  +  strength / 2 * ||W||^2

The bias is not penalised; scikit-learn's C is 1 / (strength * rows), or 2 / (strength * rows) for two classes, of
which it fits the difference. Four things make it fast.

Coordinates. For standardised rows with correlation matrix Q diag(e) Q^T, the Hessian of class c is near
p_c (1 - p_c) Q diag(e) Q^T + strength (Boehning 1992, "Multinomial logistic regression algorithm", bounds it so).
Its inverse in the basis Q is where L-BFGS (Liu & Nocedal 1989) starts from: it then needs tens of steps where it needs
hundreds in raw coordinates. A fit that starts from another solution takes the curvature that the rows have there.

Logits are kept. A step changes them by its own product with the rows, so that any length of it costs no other product,
and what is rounded in the products of late steps, which are short, is next to nothing.

Curvature is kept. What the last steps have shown of it holds for the data, whatever the strength: a fit with another
strength, or on more of the rows, goes on from there with the difference in penalty added.

Products are taken in the kind of numbers that the machine multiplies fastest (see `latentmech.probe.sample`), unless
more is asked than they can resolve. One turn of the rows serves every strength and every labelling of them, and all
labellings share each product.

What a high accuracy does not show: that the model uses what the probe reads (see the controls).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from latentmech.probe.sample import Axes, Sample, fast_dtype
from latentmech.probe.solution import Solution, Targets

IN_CACHE = 2**17  # logits that stay in the processor's cache between the product, softmax and gradient
FEWER, FEWEST = 8, 8192  # a cold start is solved on every eighth row first, unless there are fewer rows than this
LOOKED_AT = 2048  # rows that show the curvature at a start
_STATE = ("theta", "logits", "nats", "gradient")  # what a point holds for each problem
MEMORY = 8  # pairs of steps and gradient changes that L-BFGS remembers
TRIALS = 12  # lengths of a step, each half of the last
ROUGH = 1e-4  # tolerances from here on leave room for the rounding of fast products

PerProblem = Float[Tensor, " problem"]
Vector = Float[Tensor, "problem parameter"]  # class by class, the weights along the axes and then the bias
Logits = Float[Tensor, "problem class row"]
Problems = Int[Tensor, " some"]
_Pair = tuple[Vector, Vector, Float[Tensor, "problem 1"]]


def logistic(
    sample: Sample,
    targets: Targets,
    strengths: PerProblem,
    start: Solution | None = None,
    tolerance: float = 1e-3,
    max_steps: int = 100,
    from_fewer: bool = True,
) -> Solution:
    """Fit every problem.

    Args:
        targets: labels of the first rows; if there are fewer than rows, the others are left out.
        start: a solution nearby, such as that of the next larger strength.
        tolerance: stop when a Newton step would lower the loss by less than about this many nats per row.
        from_fewer: without a start, take that of an eighth of the rows.
    """
    axes = sample.axes(fast_dtype() if tolerance >= ROUGH else torch.float32)
    loss = _Loss(axes, axes.rows[: targets.labels.shape[1]], targets)
    near = None if start is None else _near(loss, start)
    end = _solved(loss, strengths, tolerance, max_steps, near, from_fewer)
    theta = end.theta.view(end.loss.shape)
    weight = torch.einsum("da,pca->pdc", axes.vectors, theta[:, :, :-1])
    return _Found(weight.contiguous(), theta[:, :, -1].contiguous(), end)


@dataclass(frozen=True)
class _Loss:
    """The mean loss of every problem without the penalty, as a function of its logits."""

    axes: Axes
    rows: Float[Tensor, "row axis"]
    targets: Targets

    @property
    def shape(self) -> tuple[int, int, int]:
        """Problems, classes, dimensions with the bias."""
        return len(self.targets.labels), self.targets.n_classes, self.rows.shape[1] + 1

    def every(self, step: int) -> "_Loss":
        """The same on every so many-th row."""
        return replace(self, rows=self.rows[::step].contiguous(), targets=self.targets.part(np.s_[:, ::step]))

    def is_of(self, other: "_Loss") -> bool:
        """Whether logits of the other are logits of this one."""
        mine, theirs = self.targets, other.targets
        whole = len(self.rows) == len(other.rows) == len(self.axes.rows)
        same = self.axes is other.axes and mine.row_weights is theirs.row_weights
        return same and whole and mine.labels.equal(theirs.labels)

    def at(
        self, logits: Logits, change: Logits, length: PerProblem, step: Vector | None = None
    ) -> tuple[PerProblem, Vector]:
        """Loss and gradient at `logits + length * change`.

        Args:
            step: if given, `change` is filled with its logits first, while the rows are at hand.
        """
        n_problems, n_classes, dim = self.shape
        nats, offset = torch.zeros(n_problems), torch.zeros(n_problems, n_classes, 1)
        slope = torch.zeros(n_problems * n_classes, dim - 1)
        for place in self._chunks():
            if step is not None:
                self._product(step, place, change)
            z = torch.addcmul(logits[:, :, place], change[:, :, place], length[:, None, None])
            residual, lost = self._residual(z, place)
            slope += residual.flatten(0, 1).to(self.rows.dtype) @ self.rows[place]
            offset += residual.sum(2, keepdim=True)
            nats += lost
        gradient = torch.cat([slope.view(n_problems, n_classes, -1), offset], dim=2).flatten(1)
        return nats / len(self.rows), gradient / len(self.rows)

    def bound(self) -> Vector:
        """Curvature of every class along every axis when nothing is known but how common the classes are."""
        share = self.targets.counts / len(self.rows)
        width = (share * (1 - share)).clamp(min=1e-4).unsqueeze(2)
        return torch.cat([width * self.axes.values, width], dim=2).flatten(1)

    def seen(self, logits: Logits) -> Vector:
        """The same where the logits are known: mean_i p_ic (1 - p_ic) x_ik^2 over some of the rows."""
        step = 1 + len(self.rows) // LOOKED_AT
        chances = logits[:, :, ::step].softmax(1)
        spread = chances * (1 - chances)
        if self.targets.row_weights is not None:
            spread *= self.targets.row_weights[:, None, ::step]
        along = spread @ self.rows[::step].float().square()
        return torch.cat([along, spread.sum(2, keepdim=True)], dim=2).flatten(1) / spread.shape[2]

    def _chunks(self) -> Iterator[slice]:
        n_problems, n_classes, _ = self.shape
        size = max(1024, IN_CACHE // (n_problems * n_classes))
        for begin in range(0, len(self.rows), size):
            yield slice(begin, begin + size)

    def _product(self, theta: Vector, place: slice, logits: Logits) -> None:
        """Fill some logits. Classes come first and rows last: products and softmax then run along memory."""
        theta = theta.view(self.shape)
        product = theta[:, :, :-1].flatten(0, 1).to(self.rows.dtype) @ self.rows[place].T
        torch.add(product.view(*self.shape[:2], -1), theta[:, :, -1:], out=logits[:, :, place])

    def _residual(self, logits: Logits, place: slice) -> tuple[Logits, PerProblem]:
        """Softmax minus the target, and the summed loss of each problem."""
        y = self.targets.labels[:, place].unsqueeze(1)
        residual = logits.softmax(1)
        nats = logits.amax(1) - residual.amax(1).log() - logits.gather(1, y).squeeze(1)
        residual.scatter_add_(1, y, torch.full(y.shape, -1.0))
        if self.targets.row_weights is not None:
            weights = self.targets.row_weights[:, place]
            residual *= weights.unsqueeze(1)
            nats *= weights
        return residual, nats.sum(1)


@dataclass(frozen=True)
class _Point:
    """Where a search stands.

    Attributes:
        theta: weights along the axes, and the bias.
        nats: the loss there, without the penalty.
        gradient: of that.
        trail: the last steps, and how much the gradient changed along each.
    """

    loss: _Loss
    theta: Vector
    logits: Logits
    nats: PerProblem
    gradient: Vector
    trail: tuple[tuple[Vector, Vector], ...] = ()

    def only(self, problems: Problems) -> "_Point":
        """Some of the problems."""
        trail = tuple((s[problems], y[problems]) for s, y in self.trail)
        parts = {name: getattr(self, name)[problems] for name in _STATE}
        loss = replace(self.loss, targets=self.loss.targets.part(problems))
        return replace(self, loss=loss, trail=trail, **parts)

    def joined(self, problems: Problems, others: "_Point") -> "_Point":
        """This point with some of the problems moved on."""
        parts = {name: getattr(self, name).index_copy(0, problems, getattr(others, name)) for name in _STATE}
        return replace(self, trail=(), **parts)


@dataclass(frozen=True)
class _Found(Solution):
    """A solution that remembers where the search for it ended, for one that starts nearby."""

    end: _Point


def _near(loss: _Loss, start: Solution) -> _Point:
    """What is known of `loss` at `start`."""
    end = start.end if isinstance(start, _Found) else None
    if end is not None and end.loss.axes is loss.axes:
        return end if loss.is_of(end.loss) else _point(loss, end.theta, end.trail)
    along = torch.einsum("da,pdc->pca", loss.axes.vectors, start.weight)
    return _point(loss, torch.cat([along, start.bias.unsqueeze(2)], dim=2).flatten(1))


def _point(loss: _Loss, theta: Vector, trail: tuple[tuple[Vector, Vector], ...] = ()) -> _Point:
    logits = torch.empty(*loss.shape[:2], len(loss.rows))
    nats, gradient = loss.at(torch.zeros(1).expand_as(logits), logits, torch.ones(len(theta)), theta)
    return _Point(loss, theta, logits, nats, gradient, trail)


def _solved(
    loss: _Loss, strengths: PerProblem, tolerance: float, max_steps: int, near: _Point | None, from_fewer: bool
) -> _Point:
    """The end of a search from `near`, or from a rough solution on every eighth row, or from nothing.

    Most steps that lead to the rough solution from nothing cost an eighth. The prior on the weights is the same there,
    hence a penalty per row eight times as strong.
    """
    if near is None and from_fewer and len(loss.rows) >= FEWEST:
        rough = _solved(loss.every(FEWER), FEWER * strengths, 2 * tolerance, max_steps, None, True)
        near = _point(loss, rough.theta, rough.trail)
    bound = loss.bound()
    if near is None:
        return _minimise(_point(loss, torch.zeros_like(bound)), bound, strengths, tolerance, max_steps)
    return _minimise(near, torch.maximum(loss.seen(near.logits), 0.01 * bound), strengths, tolerance, max_steps)


def _minimise(point: _Point, curvature: Vector, strengths: PerProblem, tolerance: float, max_steps: int) -> _Point:
    """L-BFGS on all problems side by side, without those that have arrived."""
    penalty = strengths[:, None, None].repeat(1, *point.loss.shape[1:])
    penalty[:, :, -1] = 0  # along the biases
    penalty = penalty.flatten(1)
    inverse = 1 / (curvature + penalty).clamp(min=1e-8)
    pairs = [_pair(s, y + penalty * s) for s, y in point.trail]
    logits, change = point.logits.clone(), torch.empty_like(point.logits)
    active = torch.ones(len(strengths), dtype=torch.bool)
    plain = torch.full_like(active, not pairs)
    for taken in range(max_steps):
        gradient = point.gradient + penalty * point.theta
        active = active & (_dot(gradient, inverse * gradient)[:, 0] / 2 > tolerance)
        if not active.any():
            break
        if not active.all():
            on = active.nonzero().squeeze(1)
            end = _minimise(point.only(on), curvature[on], strengths[on], tolerance, max_steps - taken)
            return point.joined(on, end)
        step = -_inverse_hessian(gradient, inverse, pairs)
        length, nats, slope = _line_search(point, logits, change, step, penalty)
        stuck = length == 0
        active, plain = ~(stuck & plain), stuck
        if stuck.any():  # what is remembered misleads; without any memory nothing is left to try
            pairs = [(s, y, rho * ~stuck.unsqueeze(1)) for s, y, rho in pairs]
        torch.addcmul(logits, change, length[:, None, None], out=logits)
        s, y = length.unsqueeze(1) * step, slope - point.gradient
        pairs = [*pairs[1 - MEMORY :], _pair(s, y + penalty * s)]
        point = _Point(point.loss, point.theta + s, logits, nats, slope, (*point.trail[1 - MEMORY :], (s, y)))
    return point


def _pair(s: Vector, y: Vector) -> _Pair:
    """A step, the change of the gradient along it, and 1 / their product, or 0 where that is not positive."""
    curvature = _dot(s, y)
    return s, y, torch.where(curvature > 1e-12, 1 / curvature, 0)


def _line_search(
    point: _Point, logits: Logits, change: Logits, step: Vector, penalty: Vector
) -> tuple[PerProblem, PerProblem, Vector]:
    """Halve the step of each problem until it lowers the loss enough (Armijo).

    Returns:
        Its length (0 where none will do), and loss and gradient of the data there.
    """
    force = penalty * point.theta
    pull, bend = _dot(step, force)[:, 0], _dot(step, penalty * step)[:, 0]
    descent = _dot(step, point.gradient)[:, 0] + pull
    slack = 1e-7 * (point.nats + _dot(point.theta, force)[:, 0] / 2)
    length, waiting = torch.ones_like(descent), torch.ones_like(descent, dtype=torch.bool)
    for trial in range(TRIALS):
        nats, slope = point.loss.at(logits, change, length, step if trial == 0 else None)
        gain = nats - point.nats + length * (pull + length * bend / 2)
        waiting = waiting & ~(gain <= 1e-4 * length * descent + slack)
        if not waiting.any():
            return length, nats, slope
        length = torch.where(waiting, length / 2, length)
    nats = torch.where(waiting, point.nats, nats)
    return length * ~waiting, nats, torch.where(waiting.unsqueeze(1), point.gradient, slope)


def _inverse_hessian(gradient: Vector, inverse: Vector, pairs: Sequence[_Pair]) -> Vector:
    """The two loops of L-BFGS around the inverse of the curvature, scaled to what the last step has shown."""
    q, alphas = gradient, []
    for s, y, rho in reversed(pairs):
        alphas.append(rho * _dot(s, q))
        q = torch.addcmul(q, y, alphas[-1], value=-1)
    q = inverse * q
    if pairs:
        _, y, rho = pairs[-1]
        q *= torch.where(rho > 0, 1 / (rho * _dot(y, inverse * y)), 1)
    for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
        q = torch.addcmul(q, s, alpha - rho * _dot(y, q))
    return q


def _dot(a: Vector, b: Vector) -> Float[Tensor, "problem 1"]:
    return torch.linalg.vecdot(a, b).unsqueeze(1)
