"""How exact scores are: what their docstring promises of policies that randomise, and of narrow bands."""

from contextlib import nullcontext

import numpy as np
import pytest
from scipy.special import expit, gammainccinv, gammaincinv

from cointer_gym import Empirical, Nakagami
from cointer_gym import baselines as bl
from cointer_gym.baselines import evaluation
from cointer_gym.baselines.grid import snr_grid
from cointer_gym.channels import OffloadMoments
from support.laws import LAWS, each
from support.scoring import MEAN_SNR, TERMS, Rule, decode, nakagami_moments, problem, rayleigh_moments

GRID = 4096  # the default


class Chance:
    """Randomised: offload with ``probability(stage, snr)``."""

    def __init__(self, probability):
        self.probability = probability

    def offload_probability(self, observation):
        return self.probability(*decode(observation))

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        raise AssertionError("an exact score needs no draws")


def cost_by_hand(moments, mean_uses):
    """J_0 from P(offload) and E[x; offload] per stage."""
    A, B, c = TERMS["airtime_cost"], TERMS["edge_cost"], TERMS["device_cost"]
    J = A[3] * mean_uses + B[3]
    for n in (2, 1, 0):
        J = A[n] * moments[n][1] + B[n] * moments[n][0] + (1 - moments[n][0]) * (c[n] + J)
    return J


# --- policies that randomise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [10.0, 100.0, 1e4])
@pytest.mark.parametrize("m", [1.0, 2.5, 30.0, 100.0])
def test_smooth_and_steep_probabilities(m, slope):
    """Logistic in decades; at m = 100 the whole law is 0.2 decades wide."""
    middle = np.array([9.0, 10.5, 11.0, 1.0])

    def probability(stage, snr):
        return expit(slope * np.log(snr / middle[stage]))

    score = bl.evaluate(Chance(probability), problem(Nakagami(mean_snr=MEAN_SNR, m=m)))
    moments = []
    for n in range(3):
        breaks = [middle[n] * np.exp(k / slope) for k in (-30, -10, -3, 0, 3, 10, 30)]
        moments.append(nakagami_moments(m, lambda snr, n=n: probability(n, max(snr, 1e-300)), breaks))
    expected = cost_by_hand(moments, nakagami_moments(m, lambda snr: 1.0)[1])
    np.testing.assert_allclose(score.offload_probability, [p for p, _ in moments], rtol=1e-9)
    assert score.cost == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("grid", [1, 64, 1000])
def test_cells_are_halved_as_far_as_needed(grid):
    def probability(stage, snr):
        return expit(8.0 * np.log(snr / MEAN_SNR))

    moments = [rayleigh_moments(lambda snr: probability(0, max(snr, 1e-300)), [MEAN_SNR])] * 3
    expected = cost_by_hand(moments, rayleigh_moments(lambda snr: 1.0)[1])
    assert bl.evaluate(Chance(probability), problem(), grid=grid).cost == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("jump", [0.2, 7.3, MEAN_SNR, 41.0])
def test_probabilities_that_jump(jump):
    score = bl.evaluate(Chance(lambda stage, snr: np.where(snr < jump, 0.2, 0.8)), problem())
    moments = [rayleigh_moments(lambda snr: 0.2 if snr < jump else 0.8, [jump])] * 3
    assert score.cost == pytest.approx(cost_by_hand(moments, rayleigh_moments(lambda snr: 1.0)[1]), rel=1e-7)


def test_rare_offloads_and_rare_waiting_are_exact_in_relative_terms():
    """P(offload) far in the tail, and P(continue) far below 1e-16: neither is 1 minus the other."""
    law = Nakagami(mean_snr=MEAN_SNR, m=2.5, min_efficiency=1e-9)
    posed = problem(law)
    high, low = MEAN_SNR * gammainccinv(2.5, 1e-14) / 2.5, MEAN_SNR * gammaincinv(2.5, 1e-20) / 2.5
    rare = bl.policy_moments(Chance(lambda stage, snr: np.where(snr < 1.5 * high, 0.0, 0.5)), posed)
    assert law.survival(1.5 * high) < 1e-18
    np.testing.assert_allclose(rare.probability, 0.5 * law.survival(1.5 * high), rtol=1e-5)
    usual = bl.policy_moments(Chance(lambda stage, snr: np.where(snr < low, 0.5, 1.0)), posed)
    np.testing.assert_allclose(usual.waiting, 0.5e-20, rtol=1e-5)


def test_accuracy_that_is_not_reached_is_warned_of():
    def restless(stage, snr):
        return 0.5 + 0.5 * np.sin(1e7 * snr)

    with pytest.warns(
        UserWarning, match=r"of Chance is only known to .* relative, not to 1e-06: .* grid = 64"
    ) as caught:
        score = bl.evaluate(Chance(restless), problem(), grid=64)
    known_to = float(str(caught[0].message).split("known to ")[1].split()[0])
    coin = bl.evaluate(bl.RandomPolicy(0.5), problem())
    assert 1e-4 < abs(score.cost / coin.cost - 1) < known_to


def test_randomising_next_to_the_optimum_is_no_fault():
    """A cost within its own accuracy of the optimum does not count as below it."""
    posed = problem()
    best = bl.backward_induction(posed)
    thresholds = np.append(best.threshold_snr, 1.0)
    near = Chance(lambda stage, snr: expit(1e5 * np.log(snr / thresholds[stage])))
    assert bl.evaluate(near, posed).cost == pytest.approx(best.cost, rel=1e-6)


@pytest.mark.parametrize(("error", "refused"), [(2e-7, False), (1e-9, True)])
def test_below_the_optimum_counts_only_beyond_the_error(monkeypatch, error, refused):
    posed = problem()
    best = bl.backward_induction(posed).moments
    found = best._replace(channel_uses=best.channel_uses * (1 - 1e-7))
    errors = OffloadMoments(*(error * moment for moment in (best.probability, best.channel_uses, best.waiting)))
    monkeypatch.setattr(evaluation, "average", lambda *asked: (found, errors))
    with pytest.raises(ArithmeticError, match="below the optimum") if refused else nullcontext():
        bl.evaluate(bl.RandomPolicy(), posed)


@pytest.mark.parametrize("field", ["probability", "channel_uses", "goes_on"])
def test_errors_of_the_moments_reach_the_cost(field):
    """To first order, against the difference that they make."""
    posed = problem()
    moments = bl.look_ahead(posed).moments
    moments = moments._replace(goes_on=moments.waiting)
    nothing = OffloadMoments(*np.zeros((3, 3)))
    wrong = 1e-7 * getattr(moments, field)
    doubt = evaluation._doubt(moments, nothing._replace(**{field: wrong}), posed)
    off = bl.score_moments(moments._replace(**{field: getattr(moments, field) + wrong}), posed).cost
    assert doubt == pytest.approx(off - bl.score_moments(moments, posed).cost, rel=1e-5)


# --- narrow bands -----------------------------------------------------------------------------------------------------


def seen_share(width, centre, near=None, grid=GRID):
    """How much of a band's probability shows in P(offload): 1 if it is seen, 0 if not."""
    low, high = centre * 10 ** (-width / 2), centre * 10 ** (width / 2)
    band = Rule(lambda stage, snr: ((snr >= low) & (snr < high)) | (False if near is None else snr < near))
    posed = problem()
    law = posed.channel
    known = 0.0 if near is None else 1 - law.survival(near)
    mass = law.survival(low) - law.survival(high)
    return (bl.policy_moments(band, posed, grid=grid).probability[0] - known) / mass


def test_bands_as_wide_as_promised_are_seen_wherever_they_lie():
    decades = np.log10(problem().channel.snr_range)
    width = 2.0 / GRID * np.ptp(decades)
    assert 10 * width < 0.02  # dB
    for centre in 10 ** np.random.default_rng(0).uniform(decades[0] + width, decades[1] - width, 100):
        if problem().channel.survival(centre) > 1e-9:
            assert seen_share(1.01 * width, centre) == pytest.approx(1.0, rel=1e-4)


def test_narrower_bands_may_go_unseen_and_a_finer_grid_finds_them():
    centre = 10.0 ** np.mean(np.log10(snr_grid(problem().channel, GRID)[2000:2002]))
    assert seen_share(1e-5, centre) == pytest.approx(0.0, abs=1e-12)
    assert seen_share(1e-5, centre, grid=400_000) == pytest.approx(1.0, rel=1e-2)


def test_narrow_bands_beside_a_switch_are_seen():
    cell = np.diff(np.log10(snr_grid(problem().channel, GRID)[2000:2002]))[0]
    near = snr_grid(problem().channel, GRID)[2000] * 10 ** (0.4 * cell)
    assert seen_share(cell / 50, near * 10 ** (0.3 * cell), near) == pytest.approx(1.0, rel=1e-3)
    assert seen_share(cell / 50, near * 10 ** (1.3 * cell), near) == pytest.approx(1.0, rel=1e-3)


def test_switches_are_found_to_the_last_bit_of_an_observation():
    """Near the mean SNR float32 decades tell neighbours apart: P(offload) is that of the threshold, to rounding."""
    posed = problem()
    for threshold in (MEAN_SNR, np.nextafter(MEAN_SNR, 11), MEAN_SNR * (1 + 1e-9), 3.7):
        policy = bl.ThresholdPolicy(posed, [threshold] * 3)
        (snr,) = set(bl.switches(policy, posed).snr)
        below = np.nextafter(snr, 0)
        observe = policy._layout.encode
        asked = policy.predict(observe(np.zeros(2, dtype=int), np.array([below, snr])))[0]
        np.testing.assert_array_equal(asked, [0, 1])


# --- the grid ---------------------------------------------------------------------------------------------------------


@each(LAWS)
@pytest.mark.parametrize("cells", [1, 64, 4096])
def test_grid_follows_the_law(law, cells):
    grid, decades = snr_grid(law, cells), np.ptp(np.log10(law.snr_range))
    assert (grid[0], grid[-1]) == law.snr_range
    assert (np.diff(grid) > 0).all()
    assert np.diff(np.log10(grid)).max() <= 2 / cells * decades * (1 + 1e-9)
    if isinstance(law, Empirical):
        assert np.isin(np.clip(law.snr, *law.snr_range), grid).all() or cells == 1
    else:
        assert grid.size == cells + 1
        assert -np.diff(law.survival(grid)).min() <= 2.5 / cells


def test_every_kth_sample_of_a_long_trace_is_on_the_grid():
    trace = tuple(np.random.default_rng(0).exponential(10.0, 5000))
    grid = snr_grid(Empirical(snr=trace, min_efficiency=1e-3), 100)
    assert grid.size <= 202
    assert np.isin(grid, trace).sum() >= 100
