"""``cointer-gym scenarios``: the catalogue, solved."""

from cointer_gym.cli.app import command, console
from cointer_gym.report.tables import scenario_table
from cointer_gym.scenario import Scenario, list_scenarios


@command("cointer-gym scenarios")
def scenarios() -> None:
    """List the built-in scenarios with their exact solutions."""
    console.print(scenario_table([Scenario.load(name) for name in list_scenarios()]))
    console.print("ETC per task with all layers placed; static split and look-ahead as excess over the optimum.")
