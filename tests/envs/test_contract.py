"""The contract of every registered id on every built-in scenario, on partial placements and on tiny networks."""

from cointer_gym import list_scenarios
from support.contract import EnvContract, every_case
from support.play import PLACEMENT, SPLITTING, own_ids
from support.scenarios import BY_HAND, ONE_LAYER, THREE_LAYERS, with_memory


@every_case(
    *((f"{name}-{scenario}", name, {"scenario": scenario}) for scenario in list_scenarios() for name in own_ids())
)
class TestEveryIdOnEveryScenario(EnvContract):
    pass


@every_case(
    ("nothing placed", SPLITTING, {"placement": 0}),
    ("8 of 11 placed", SPLITTING, {"placement": 8}),
    ("3 of 21 placed", SPLITTING, {"scenario": "mobilenetv2-phone", "placement": 3}),
    ("a dictionary", SPLITTING, {"scenario": BY_HAND}),
    ("choose of three layers", PLACEMENT, {"scenario": THREE_LAYERS}),
    ("choose of one layer", PLACEMENT, {"scenario": ONE_LAYER}),
    ("two of three layers fit", PLACEMENT, {"scenario": with_memory(40_000)}),
    ("no layer fits", PLACEMENT, {"scenario": with_memory(1)}),
)
class TestPartialPlacementsAndTinyNetworks(EnvContract):
    pass
