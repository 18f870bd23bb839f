"""Samplers that combine earlier estimates: one evaluation a step, of higher order.

With lambda = log(alpha / sigma), h = lambda_{i+1} - lambda_i, and r = sigma / alpha.
"""

import itertools

import numpy as np

from gm_jax.diffusion.shared.grids import Grid
from gm_jax.diffusion.shared.samplers import each, flow_step
from gm_jax.diffusion.shared.tables import STAY, X0, Row, Table, noise_estimate, table

# Adams and Bashforth's weights of the latest estimates. Liu et al. 2022, eq. 12.
ADAMS = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


def lms(grid: Grid, order: int = 4) -> Table:
    """Linear multistep in r: the polynomial through the last estimates of eps, integrated exactly.

    Adams-Bashforth with uneven steps, as Karras et al. 2022's codes sample by "LMS".
    """
    points, rows = each(grid), []
    for i, (start, end) in enumerate(itertools.pairwise(points)):
        used = [points[i - k].ratio for k in range(min(i + 1, order))]
        weights = [_integral(used, k, start.ratio, end.ratio) for k in range(len(used))]
        weights = _slots([end.alpha * weight for weight in weights], i, order)
        step = (end.alpha / start.scale, weights, 0.0)
        rows.append(Row(start, noise_estimate(start), step, slot=i % order))
    return table(rows, points[-1])


def _integral(nodes, number, low, high):
    """Of Lagrange's polynomial that is 1 at one node and 0 at the others, from low to high."""
    others = nodes[:number] + nodes[number + 1 :]
    polynomial = np.polynomial.Polynomial.fromroots(others) if others else 1.0
    scale = np.prod([nodes[number] - node for node in others])
    primitive = (np.polynomial.Polynomial([1.0]) * polynomial).integ()
    return (primitive(high) - primitive(low)) / scale


def _slots(newest_first, number, size):
    """{slot: weight} of estimates in a memory of `size`: that of row i is in slot i % size."""
    return {(number - k) % size: weight for k, weight in enumerate(newest_first) if weight}


def plms(grid: Grid) -> Table:
    """Pseudo linear multistep: Adams-Bashforth on DDIM's step. Liu et al. 2022, eq. 11-12.

    The first step is Heun's: its second point is evaluated twice, S + 1 evaluations in all.
    """
    points = each(grid)
    (first, second), others = points[:2], points[1:]
    steps = [(first, first, second), (second, first, second)]
    steps += [(start, start, end) for start, end in itertools.pairwise(others)]
    return pseudo_numerical(steps)


def pndm(grid: Grid) -> Table:
    """Three steps by the pseudo Runge-Kutta method, then `plms`. Liu et al. 2022, algorithm 2.

    S + 9 evaluations of at least 4 steps; the middle of a step is that of log(sigma / alpha).
    """
    points, start = each(grid), []
    pairs = list(itertools.pairwise(points))
    for begin, end in pairs[:3]:
        middle = grid.of_ratio(np.sqrt(begin.ratio * end.ratio))
        start += [(begin, begin, middle), (middle, begin, middle)]
        start += [(middle, begin, end), (end, begin, end)]
    return pseudo_numerical([(begin, begin, end) for begin, end in pairs[3:]], start)


def pseudo_numerical(steps, start=(), combined: str = "noise") -> Table:
    """Pseudo numerical methods (Liu et al. 2022, arXiv 2202.09778) in steps that may be uneven.

    steps     (level of the evaluation, start, end) each; the second corrects the first
    start     the same for steps by the pseudo Runge-Kutta method (eq. 13), four evaluations each;
              after them no step of `steps` is a correction
    combined  the estimate that is combined, "noise" or "v"
    """
    rows, found = [], 0  # `found` estimates are in slots 0 .. 3; 4 .. 6 are for Runge-Kutta's.
    for at, begin, end, position in ((*step, k % 4) for k, step in enumerate(start)):
        first = found % 4
        slot = first if position == 0 else 3 + position
        weights = [
            {first: 1.0}, {4: 1.0}, {5: 1.0}, {first: 1 / 6, 4: 1 / 3, 5: 1 / 3, 6: 1 / 6},
        ][position]  # fmt: skip
        stay = None if position == 3 else STAY
        rows.append(_pndm_row(at, begin, end, weights, slot, stay, combined))
        found += position == 3
    for number, (at, begin, end) in enumerate(steps):
        if number == 1 and not start:
            weights = {0: 0.5, 1: 0.5}
            rows.append(_pndm_row(at, begin, end, weights, 1, None, combined))
            continue
        known = ADAMS[min(found, 3)]
        stay = STAY if number == 0 and not start else None
        weights = _slots(known, found, 4)
        rows.append(_pndm_row(at, begin, end, weights, found % 4, stay, combined))
        found += 1
    return table(rows, (steps or start)[-1][2])


def _pndm_row(at, start, end, weights, slot, x, combined):
    if combined == "noise":
        return Row(at, noise_estimate(at), flow_step(start, end, weights), x, slot)
    # eps = sigma x + alpha v at the start of the step; v = alpha y / sigma - x0_hat / sigma at y.
    scale, weights, _ = flow_step(start, end, weights)
    stride = sum(weights.values())
    weights = {slot: start.alpha * weight for slot, weight in weights.items()}
    estimate = (-1.0 / at.sigma, at.alpha / at.sigma)
    return Row(at, estimate, (scale + stride * start.sigma, weights, 0.0), x, slot)


def dpmpp(
    grid: Grid, order: int = 2, kind: str = "midpoint", lower_last: bool = False, sde: bool = False
) -> Table:
    """DPM-Solver++ multistep: 2M, or 1M or 3M. Lu et al. 2022 (arXiv 2211.01095), algorithm 2.

    kind        of the second order: "midpoint" (its eq. 8) or "heun" (appendix)
    lower_last  the last steps at lower orders, as the paper advises below 15 steps
    sde         the solver of the stochastic equation, section 5
    The step to sigma = 0 is of order 1: x0_hat.

    It extrapolates in lambda, so its error grows with the longest step of lambda: space by log_snr
    or quadratic. Karras' spacing takes the shortest steps where there is most noise (20 from DDPM's
    157 to .01: h = .28 at first, 1.02 at last, against .51 throughout), which suits methods that
    step in sigma. Mean error on a mixture of two Gaussians, 20 evaluations against 50 of ddim on
    the same spacing: log_snr .008, .014; quadratic .005, .009; karras .023, .018. With karras' end
    at .03, not .01, it is .016 against .017; neither its first level nor its last step is at fault.
    """
    points, rows = each(grid), []
    for i, (start, end) in enumerate(itertools.pairwise(points)):
        left = grid.steps - i
        trivial = end.sigma in (0.0, start.sigma)
        own = 1 if trivial else min(order, i + 1, left if lower_last else order)
        own_kind = "midpoint" if own == 1 else "heun" if own == 3 else kind
        lambdas = [_lambda(points[i - k]) for k in range(own)]
        h = _lambda(end) - lambdas[0]
        weights = _dpmpp_weights(2.0 * h if sde else h, h, lambdas, own_kind)
        weights = _slots([end.alpha * weight for weight in weights], i, order)
        x = end.sigma / start.sigma * (np.exp(-h) if sde else 1.0)
        fresh = end.sigma * np.sqrt(-np.expm1(-2.0 * h)) if sde else 0.0
        rows.append(Row(start, X0, (x, weights, fresh), slot=i % order))
    return table(rows, points[-1])


def _dpmpp_weights(g, h, lambdas, kind):
    """Of the last estimates of x_0, newest first; g is h, or 2 h for the stochastic equation.

    With D the estimates' divided differences in lambda, times h: their first and second slope.
    """
    phi = -np.expm1(-g)
    newest = np.array([1.0, *[0.0] * (len(lambdas) - 1)])
    weights = phi * newest
    if len(lambdas) == 1:
        return weights
    r0 = (lambdas[0] - lambdas[1]) / h
    slope = np.zeros(len(lambdas))
    slope[:2] = 1.0 / r0, -1.0 / r0
    if len(lambdas) == 3:
        r1 = (lambdas[1] - lambdas[2]) / h
        before = np.array([0.0, 1.0 / r1, -1.0 / r1])
        bend = (slope - before) / (r0 + r1)
        slope = slope + r0 * bend
        weights = weights - ((g - phi) / g**2 - 0.5) * bend
    return weights + (0.5 * phi if kind == "midpoint" else 1.0 - phi / g) * slope


def _lambda(point):
    with np.errstate(divide="ignore"):
        return -np.log(point.ratio)


def unipc(grid: Grid, order: int = 2, kind: str = "bh2", lower_last: bool = True) -> Table:
    """UniPC: a multistep predictor, corrected by the estimate at what it predicts.

    Zhao et al. 2023 (arXiv 2302.04867), algorithms 5 and 6, x_0 predicted. The base x of each step
    is the corrected point; the estimate stays that at the predicted one.
    kind        B(h) = e^h - 1 ("bh2") or h ("bh1")
    lower_last  the last steps at lower orders
    """
    points, rows, before = each(grid), [], 0
    for i, (start, end) in enumerate(itertools.pairwise(points)):
        left = 1 if end.sigma == 0 else grid.steps - i
        own = min(order, i + 1, left if lower_last or end.sigma == 0 else order)
        base = np.array([1.0, *[0.0] * (order + 1)])  # Of x, then of estimates, newest first.
        if i:
            known = [_lambda(points[i - 1 - k]) for k in range(before)]
            base = _unified(points[i - 1], start, known, kind, order, corrects=True)
        known = [_lambda(points[i - k]) for k in range(own)]
        weights = _unified(start, end, known, kind, order, corrects=False)
        new = weights[0] * base + np.array([0.0, *weights[1:]])
        y, x = ((v[0], _slots(v[1:], i, order + 1), 0.0) for v in (new, base))
        rows.append(Row(start, X0, y, x, slot=i % (order + 1)))
        before = own
    return table(rows, points[-1])


def _unified(start, end, lambdas, kind, order, corrects):
    """Weights of x and of the order + 1 latest estimates in UniP, or in UniC if it corrects.

    lambdas  of the estimates at `start` and before it; UniC's first estimate is that at `end`
    """
    h = _lambda(end) - lambdas[0]
    share = end.sigma / start.sigma
    found = np.zeros(order + 2)
    first = 2 if corrects else 1
    found[0], found[first] = share, -end.alpha * np.expm1(-h)
    nodes = [(value - lambdas[0]) / h for value in lambdas[1:]]
    targets = [first + 1 + k for k in range(len(nodes))]
    if corrects:
        nodes, targets = [*nodes, 1.0], [*targets, 1]
    b_h = np.expm1(-h) if kind == "bh2" else -h
    for node, slope, target in zip(nodes, _coefficients(nodes, h, b_h), targets, strict=True):
        found[target] -= end.alpha * b_h * slope / node
        found[first] += end.alpha * b_h * slope / node
    return found


def _coefficients(nodes, h, b_h):
    """a_m that make the differences at the nodes exact to their number. Zhao et al. 2023, eq. 6;
    with one node 1/2, as the paper takes."""
    if len(nodes) < 2:
        return [0.5] * len(nodes)
    powers, phi, factorial = [], np.expm1(-h) / -h - 1.0, 1.0
    for k in range(1, len(nodes) + 1):
        powers.append(phi * factorial / b_h)
        factorial *= k + 1
        phi = phi / -h - 1.0 / factorial
    return np.linalg.solve(np.vander(nodes, increasing=True).T, powers)
