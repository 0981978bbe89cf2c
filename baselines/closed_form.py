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

        total(M+1) - total(M) = d - (1-q)^M Delta,    Delta = A Phi(tau) - c'
        M* = 0 if Delta <= d, else ceil(ln(d / Delta) / ln(1 - q)), at most L-1; then compared with M = L.

    Args:
        scenario: features 0..L-1, work and parameters of all layers must be equal.

    Returns:
        ClosedForm: the placement and the numbers behind it.

    Raises:
        ValueError: the layers are not equal (says in what), the device memory is limited, or E[x] is infinite.

    Source:
        Yan, Bi, Zhang 2022 claims a closed form for the multilayer perceptron with equal neurons; this one is derived
        in docs/model.md.
    """
    problem, layers = scenario.problem(), scenario.layers
    airtime, device, step, download = _equal_terms(scenario)
    channel, mean_uses = problem.channel, problem.channel.mean_channel_uses_per_bit
    if scenario.largest_placement < layers:
        raise ValueError("device.memory_bytes limits the placement: the closed form has no such constraint")
    if np.isinf(mean_uses):
        raise ValueError(
            f"min_efficiency = {channel.min_efficiency} makes E[x] infinite: no placement below L has a finite cost"
        )
    extra = device - step
    tau = extra / airtime + mean_uses
    stop = float(channel.cdf(tau))
    waiting = 0.0 if stop == 1.0 else airtime * float(channel.lower_partial_moment(tau)) - extra
    best = min(_first_loss(download, waiting, stop), layers - 1)

    def total(placement: int) -> float:
        """Cost of a placement below L: a geometric series of savings."""
        return float(problem.static_cost[0]) + placement * download - waiting * _stages_reached(stop, placement)

    completion = device - airtime * float(channel.lower_partial_moment((device - step) / airtime))
    whole = total(layers - 1) + download + (1.0 - stop) ** (layers - 1) * (completion - airtime * mean_uses - step)
    placement, cost = (layers, whole) if whole < total(best) else (best, total(best))
    return ClosedForm(
        placement=placement,
        cost=cost,
        threshold_snr=float(channel.threshold_snr(tau)),
        offload_probability=stop,
        value_of_waiting=waiting,
        layer_download_cost=download,
    )


def _stages_reached(stop: float, placement: int) -> float:
    """Expected number of stages reached among the first M, 1 + (1-q) + ... + (1-q)^(M-1)."""
    if stop in (0.0, 1.0):
        return float(placement if stop == 0.0 else placement > 0)
    return float(-np.expm1(placement * np.log1p(-stop)) / stop)


def _first_loss(download: float, waiting: float, stop: float) -> int:
    """The smallest M >= 0 with download >= (1-q)^M * waiting; a huge number if there is none."""
    if waiting <= download:
        return 0
    if download == 0.0 or stop == 0.0:
        return np.iinfo(np.int64).max
    return int(np.ceil((np.log(download) - np.log(waiting)) / np.log1p(-stop)))


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
