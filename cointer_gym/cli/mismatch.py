"""``cointer-gym mismatch``: what planning for independent fading costs where the channel stays coherent."""

from math import inf
from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.channels.markov import SPEED_OF_LIGHT_M_PER_S, doppler_to_coherence_time_s, speed_to_doppler_hz
from cointer_gym.cli.app import Json, Out, Overrides, Placement, ScenarioName, command, console, load_scenario
from cointer_gym.cli.terminal import print_json
from cointer_gym.files import folder_name

_WAYS = "--coherence-time SECONDS, --doppler HZ, or --speed-kmh KMH with --carrier-ghz GHZ"
_FASTEST_KMH = 3.6 * SPEED_OF_LIGHT_M_PER_S


@command("cointer-gym mismatch alexnet-pi --speed-kmh 3 --carrier-ghz 2.4")
def mismatch(
    scenario: ScenarioName = "alexnet-pi",
    coherence_time: Annotated[
        float | None, typer.Option(help="Seconds in which the channel's correlation falls to 1/e.", metavar="SECONDS")
    ] = None,
    doppler: Annotated[float | None, typer.Option(help="Largest Doppler shift instead.", metavar="HZ")] = None,
    speed_kmh: Annotated[float | None, typer.Option(help="Speed instead, with --carrier-ghz.", metavar="KMH")] = None,
    carrier_ghz: Annotated[float | None, typer.Option(help="Carrier frequency.", metavar="GHZ")] = None,
    placement: Placement = None,
    override: Overrides = None,
    no_bound: Annotated[
        bool, typer.Option("--no-bound", help="Leave out the clairvoyant bound, which takes the longest.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Tell what independent fading promises, what a channel that stays coherent gives, and draw it."""
    from cointer_gym.experiments.mismatch import mismatch_answer
    from cointer_gym.report.mismatch import mismatch_sentences, mismatch_table
    from cointer_gym.report.mismatch_figure import plot_mismatch

    seconds = coherence_time_s(coherence_time, doppler, speed_kmh, carrier_ghz)
    loaded = load_scenario(scenario, override)
    answer = mismatch_answer(loaded, seconds, placement, bound=not no_bound)
    directory = out or Path("runs") / "mismatch" / folder_name(loaded.name)
    for suffix in ("png", "pdf"):
        plot_mismatch(answer, directory / f"mismatch.{suffix}")
    if as_json:
        print_json(console, answer)
        return
    console.print(mismatch_table(answer))
    for line in mismatch_sentences(answer):
        console.print(line, highlight=False)
    console.print(f"All coherence times in one picture: {directory / 'mismatch.png'}", soft_wrap=True)


def coherence_time_s(
    coherence_time: float | None, doppler: float | None, speed_kmh: float | None, carrier_ghz: float | None
) -> float:
    """The coherence time that the options mean.

    Raises:
        ValueError: none of them or several, a value out of range, or a coherence time that is.
    """
    from cointer_gym.experiments.mismatch import LONGEST_S, SHORTEST_S

    if (speed_kmh is None) != (carrier_ghz is None):
        raise ValueError(
            f"--speed-kmh = {speed_kmh} and --carrier-ghz = {carrier_ghz}: a Doppler shift needs both of them"
        )
    options = {"--coherence-time": coherence_time, "--doppler": doppler, "--speed-kmh": speed_kmh}
    given = {name: value for name, value in options.items() if value is not None}
    if len(given) != 1:
        found = "none is given" if not given else f"{' and '.join(given)} are given"
        raise ValueError(f"how long is the channel coherent? {found}, exactly one is needed: {_WAYS}")
    ((name, value),) = given.items()
    _check_positive(name, value, _FASTEST_KMH if name == "--speed-kmh" else inf)
    if speed_kmh is not None and carrier_ghz is not None:
        _check_positive("--carrier-ghz", carrier_ghz, inf)
        value = speed_to_doppler_hz(speed_kmh / 3.6, carrier_ghz * 1e9)
    seconds = value if name == "--coherence-time" else doppler_to_coherence_time_s(value)
    if not SHORTEST_S <= seconds <= LONGEST_S:
        allowed = f"from {SHORTEST_S:g} to {LONGEST_S:g} s"
        if name == "--coherence-time":
            raise ValueError(f"--coherence-time = {seconds:g} must be {allowed}")
        carrier = "" if carrier_ghz is None else f" and --carrier-ghz = {carrier_ghz:g}"
        raise ValueError(
            f"{name} = {given[name]:g}{carrier} is a coherence time of {seconds:g} s, it must be {allowed}"
        )
    return seconds


def _check_positive(name: str, value: float, below: float) -> None:
    if not 0 < value < below:
        raise ValueError(f"{name} = {value:g} must be above 0 and {'finite' if below == inf else f'below {below:.4g}'}")
