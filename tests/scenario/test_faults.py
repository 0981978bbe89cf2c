"""What is wrong, in words: hints stay in their table, or say which table it is."""

import pytest

from cointer_gym import Scenario
from support.scenarios import BY_HAND, changed


def said(**fields):
    with pytest.raises(ValueError, match=r"^scenario toy: ") as caught:
        Scenario.load(changed(BY_HAND, **fields))
    return str(caught.value).removeprefix("scenario toy: ")


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("link.bandwith_hz", ", did you mean 'bandwidth_hz'?"),
        ("link.bandwidth", ", did you mean 'bandwidth_hz'?"),
        ("device.memory", ", did you mean 'memory_bytes'?"),
        ("device.flops", ", did you mean 'flops_per_s'?"),  # not the flops of a layer
        ("link.uplink_bps", "; the rate of the uplink follows from bandwidth_hz and the SNR of [channel]"),
        ("link.law", "; 'law' belongs to [channel]"),
        ("link.mean_snr_db", "; 'mean_snr_db' belongs to [channel]"),
        ("edge.dvfs", "; 'dvfs' belongs to [device]"),
        ("link.flops_per_s", "; 'flops_per_s' belongs to [device] or [edge]"),
        ("weights.tasks_per_update", "; 'tasks_per_update' belongs to the top level"),
        ("device.tx_power", ", did you mean 'tx_power_w' of [link]?"),
        ("device.device_s", "; measured times and energies belong to [device.measured]"),
        ("device.idle_power_w", ""),
        ("edge.nme", ""),  # 'name' is everywhere
        ("qqq", ""),
    ],
)
def test_hints(field, hint):
    assert said(**{field: 1.0}) == f"{field} = 1.0: unknown field{hint}"


def test_a_list_of_bad_layers_is_not_called_short():
    text = said(**{"dnn.layers": [{"name": 1}, {"nme": "b"}]})
    assert "dnn.layers.0.name = 1: Input should be a valid string" in text
    assert "dnn.layers.1.nme = 'b': unknown field, did you mean 'name'?" in text
    assert "Tuple" not in text
    assert "at least" not in text


def test_many_faults_and_long_values_are_shortened():
    text = said(**{"dnn.layers": [{"x": n} for n in range(1000)]})
    assert text.endswith("dnn.layers.3.name: Field required; and 2990 more")
    assert said(**{"link.bandwidth_hz": "5" * 1000}) == (
        f"link.bandwidth_hz = '{'5' * 79}...: Input should be a valid number"
    )
    assert said(**{"link.bandwidth_hz": -(10**5000)}).startswith("link.bandwidth_hz = a number of 5001 digits: must be")
