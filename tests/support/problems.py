"""Small stopping problems."""

from cointer_gym import Empirical, Rayleigh, StoppingProblem

MEAN_SNR = 10.0
STILL_CHANNEL = Empirical(snr=(3.0,))  # x = 1 / log2(1 + 3) = 1/2 for sure


def stopping_problem(airtime, edge, device, channel=None, completes=False, **more):
    """A problem from its three costs per stage; Rayleigh fading of mean SNR 10 unless given."""
    return StoppingProblem(
        airtime_cost=airtime,
        edge_cost=edge,
        device_cost=device,
        channel=Rayleigh(mean_snr=MEAN_SNR) if channel is None else channel,
        completes=completes,
        **more,
    )


def steady_problem(airtime, edge, device, completes=False):
    """The same where every upload takes half a channel use per bit."""
    return stopping_problem(airtime, edge, device, STILL_CHANNEL, completes)


THREE_LAYERS = stopping_problem([1.0, 2.0, 0.5, 1.0], [0.3, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3])
TWO_LAYERS = stopping_problem([1.0, 2.0, 0.5], [0.3, 0.2, 0.1], [0.1, 0.4])
