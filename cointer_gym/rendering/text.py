"""The picture of a task as plain text: three lines of facts, a lane per computer, and the SNRs below, stage by stage.

[conv1]  computed    <conv1>  in hand    conv1  ahead on the device    (conv1)  the edge server's, if offloaded
"""

import numpy as np

from cointer_gym.rendering.scene import Scene, db_text, shortened, significant, size_unit
from cointer_gym.units import linear_to_db

_LABEL_COLUMNS = 10
_CELL_COLUMNS = 7
_MOST_CELLS = 12  # 10 + 12 * 7 + 6 for the layers on the edge only: 100 columns


def draw_text(scene: Scene) -> str:
    """Draw a scene for a log.

    Args:
        scene: the task.

    Returns:
        str: eleven lines of plain text, no trailing blanks, the lower eight at most 100 columns wide; of a deep
            network only the
        twelve stages around the one in hand.
    """
    first = min(max(scene.stage - _MOST_CELLS // 2, 0), max(scene.horizon + 1 - _MOST_CELLS, 0))
    stages = range(first, min(first + _MOST_CELLS, scene.horizon + 1))
    divisor, unit = size_unit(max(scene.feature_bits))
    rows = {
        "edge": [*(_edge_cell(scene, n) for n in stages), _beyond_cell(scene, stages.stop)],
        "": ["^" if scene.finished == "offloaded" and n == scene.stage else "" for n in stages],
        "device": [_device_cell(scene, n) for n in stages],
        "stage": [str(n) for n in stages],
        f"size {unit}": [significant(scene.feature_bits[n] / divisor) for n in stages],
        "optimum dB": [_threshold_cell(scene, n) for n in stages],
        "SNR dB": [f"{linear_to_db(scene.snr_path[n]):.1f}" if n < len(scene.snr_path) else "" for n in stages],
    }
    lines = [
        f"{label:<{_LABEL_COLUMNS}}" + "".join(f"{cell:^{_CELL_COLUMNS}}" for cell in cells)
        for label, cells in rows.items()
    ]
    return "\n".join(line.rstrip() for line in (*_facts(scene), "", *lines))


def _facts(scene: Scene) -> tuple[str, str, str]:
    return (
        f"{scene.title} | {scene.placement_text} | {scene.status_text}",
        f"stage {scene.stage} of {scene.horizon} | feature {scene.feature_text} | cost {scene.cost_text}",
        f"SNR {db_text(scene.snr)} | optimum offloads from {scene.threshold_text} | optimum: {scene.decision_text}",
    )


def _name(scene: Scene, stage: int) -> str:
    return shortened(scene.problem.stage_names[stage], _CELL_COLUMNS - 2)


def _device_cell(scene: Scene, stage: int) -> str:
    if stage > scene.stage:
        return "" if scene.finished == "offloaded" else _name(scene, stage)
    return f"<{_name(scene, stage)}>" if stage == scene.stage and not scene.finished else f"[{_name(scene, stage)}]"


def _edge_cell(scene: Scene, stage: int) -> str:
    if stage <= scene.stage:
        return ""
    return f"[{_name(scene, stage)}]" if scene.finished == "offloaded" else f"({_name(scene, stage)})"


def _beyond_cell(scene: Scene, first: int) -> str:
    """How many layers follow to the right of the last cell; they are all on the edge server once offloaded."""
    count = scene.total_layers - first + 1
    if count == 0 or scene.finished == "completed":
        return ""
    return f"[+{count}]" if scene.finished == "offloaded" else f"(+{count})"


def _threshold_cell(scene: Scene, stage: int) -> str:
    if stage == scene.horizon:
        return "-" if scene.problem.completes else "forced"
    snr = scene.threshold_snr[stage]
    return "always" if snr == 0 else "never" if np.isinf(snr) else f"{linear_to_db(snr):.1f}"
