"""The placement of equal layers in closed form, under the one-stage look-ahead rule."""

from dataclasses import dataclass

import numpy as np

from cointer_gym.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class ClosedForm:
    """The placement of equal layers in closed form, under the one-stage look-ahead rule."""

    placement: int
    """The optimal number of layers M*."""
    cost: float
    """Total cost per task of M*, ETC."""
    threshold_snr: float
    """The SNR from which every stage offloads, linear; stage L-1 has its own if M* = L."""
    offload_probability: float
    """q, the same at every stage; stage L-1 has its own if M* = L."""
    value_of_waiting: float
    """Delta = A Phi(tau) - c' = A E[(x - tau)^+] >= 0, what being able to wait once more saves, ETC."""
    layer_download_cost: float
    """d, of one layer per task, ETC."""


def closed_form_placement(scenario: Scenario) -> ClosedForm:
    """Optimal placement of a network of equal layers without any recursion over stages.

    With A, b = B_n - B_{n+1}, c' = c - b and d the same for all layers, the look-ahead threshold tau = c'/A + E[x] and
    the stopping probability q = F(tau) are the same at every stage, and

        total(M+1) - total(M) = d - (1-q)^M Delta,    Delta = A Phi(tau) - c' = A E[(x - tau)^+]
        M* = 0 if Delta <= d, else ceil(ln(d / Delta) / ln(1 - q)), at most L-1; then compared with M = L.

    The increments do not fall with M: if the memory holds fewer than L layers, the best placement is the smaller one of
    M* and the largest that fits.

    Args:
        scenario: features 0..L-1, work and parameters of all layers must be equal.

    Returns:
        ClosedForm: the placement and the numbers behind it.

    Raises:
        ValueError: the layers are not equal (says in what), or E[x] is infinite and not all of them fit.

    Source:
        Yan, Bi, Zhang 2022 claims a closed form for the multilayer perceptron with equal neurons; this one is derived
        in docs/model.md.
    """
    problem, layers, fit = scenario.problem(), scenario.layers, scenario.largest_placement
    airtime, device, step, download = _equal_terms(scenario)
    channel, mean_uses = problem.channel, problem.channel.mean_channel_uses_per_bit
    if np.isinf(mean_uses):
        raise ValueError(
            f"min_efficiency = {channel.min_efficiency} makes E[x] infinite: no placement below L has a finite cost"
        )
    alone = (device - step) / airtime
    tau = alone + mean_uses
    stop, keep = float(channel.cdf(tau)), float(channel.exceedance(tau))
    waiting = airtime * float(channel.mean_excess(tau))
    best = min(_first_loss(download, waiting, stop, keep), layers - 1, fit)

    def total(placement: int) -> float:
        """Cost of a placement below L: a geometric series of savings."""
        return float(problem.static_cost[0]) + placement * download - waiting * _stages_reached(stop, keep, placement)

    placement, cost = best, total(best)
    if fit == layers:
        finishing = airtime * float(channel.mean_excess(alone))  # what stage L-1 saves against one more upload
        whole = total(layers - 1) + download - keep ** (layers - 1) * finishing
        placement, cost = (layers, whole) if whole < cost else (placement, cost)
    return ClosedForm(
        placement=placement,
        cost=cost,
        threshold_snr=float(channel.threshold_snr(tau)),
        offload_probability=stop,
        value_of_waiting=waiting,
        layer_download_cost=download,
    )


def _stages_reached(stop: float, keep: float, placement: int) -> float:
    """Expected number of stages reached among the first M, 1 + (1-q) + ... + (1-q)^(M-1), q = stop = 1 - keep."""
    if stop == 0.0:
        return float(placement)
    return float((1.0 - keep**placement) / stop if keep < 0.5 else -np.expm1(placement * np.log1p(-stop)) / stop)


def _first_loss(download: float, waiting: float, stop: float, keep: float) -> int:
    """The smallest M >= 0 with download >= (1-q)^M * waiting; a huge number if there is none."""
    if waiting <= download:
        return 0
    if download == 0.0 or stop == 0.0:
        return np.iinfo(np.int64).max
    each = np.log(keep) if keep < 0.5 else np.log1p(-stop)
    return int(np.ceil((np.log(download) - np.log(waiting)) / each))


def _equal_terms(scenario: Scenario) -> tuple[float, float, float, float]:
    """A, c, b and d of equal layers."""
    problem, names = scenario.problem(), scenario.dnn.stage_names
    edge = -np.diff(problem.cost.edge)
    quantities = (
        ("feature size in bits", scenario.dnn.output_bits[:-1], names[:-1]),
        ("device cost in ETC", problem.cost.device, names[1:]),
        ("edge cost in ETC", edge, names[1:]),
        ("parameter size in bits", scenario.dnn.parameter_bits, names[1:]),
    )
    for quantity, values, labels in quantities:
        odd = int(np.argmax(np.abs(values - values[0])))
        if not np.isclose(values[odd], values[0], rtol=1e-9, atol=0.0):
            raise ValueError(
                f"{scenario.name}: the closed form needs equal layers, but the {quantity} differs: "
                f"{values[0]:.6g} at {labels[0]!r}, {values[odd]:.6g} at {labels[odd]!r}"
            )
    return (
        float(problem.cost.airtime[0]),
        float(problem.cost.device[0]),
        float(edge[0]),
        float(scenario.download.cost[1]),
    )
