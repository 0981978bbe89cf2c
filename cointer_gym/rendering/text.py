"""The picture of a task as plain text: three lines of facts, a lane per computer, and the SNRs below, stage by stage.

[conv1]  computed    <conv1>  in hand    conv1  ahead on the device    (conv1)  the edge server's, if offloaded
   ?     on the device only if it is placed there
"""

from cointer_gym.rendering.scene import Scene
from cointer_gym.text import shortened, significant, size_unit
from cointer_gym.units import linear_to_db

_LABEL, _WIDTH, _BEYOND = 10, 100, 6  # characters: row labels, whole lines, room for the layers to the right
_NARROWEST, _WIDEST = 7, 11  # cells


def draw_text(scene: Scene) -> str:
    """Draw a scene for a log.

    Args:
        scene: the task.

    Returns:
        str: eleven lines of plain text without trailing blanks, the lower eight at most 100 characters wide; of a deep
        network only as many stages around the one in hand as fit.
    """
    cell = min(max(_NARROWEST, *(len(name) + 2 for name in scene.problem.stage_names)), _WIDEST)
    count = (_WIDTH - _LABEL - _BEYOND) // cell
    first = min(max(scene.stage - count // 2, 0), max(scene.horizon + 1 - count, 0))
    stages = range(first, min(first + count, scene.horizon + 1))
    names = {n: shortened(scene.problem.stage_names[n], cell - 2) for n in stages}
    divisor, unit = size_unit(max(scene.feature_bits))
    rows = {
        "edge": [_edge_cell(scene, n, name) for n, name in names.items()],
        "": ["^" if scene.finished == "offloaded" and n == scene.stage else "" for n in stages],
        "device": [_device_cell(scene, n, name) for n, name in names.items()],
        "stage": [str(n) for n in stages],
        f"size {unit}": [significant(scene.feature_bits[n] / divisor) for n in stages],
        "from dB": [scene.threshold_cell(n) or "-" for n in stages],
        "SNR dB": [f"{linear_to_db(snr):z.1f}" for snr in scene.snr_path[stages.start : stages.stop]],
    }
    lines = {label: f"{label:<{_LABEL}}" + "".join(f"{text:^{cell}}" for text in row) for label, row in rows.items()}
    lines["edge"] += _beyond(scene, stages.stop)
    return "\n".join(line.rstrip() for line in (*_facts(scene), "", *lines.values()))


def _facts(scene: Scene) -> tuple[str, str, str]:
    download = "" if scene.best_fixed_cost is None else " with download"
    decision = "the placement comes first" if scene.choosing else "nothing left to decide"
    if scene.has_upload:
        decision = f"optimum offloads {scene.threshold_text} | optimum now: {scene.decision_text}"
    return (
        f"{scene.title} | {scene.placement_text} | {scene.status_text}",
        f"stage {scene.stage_text} | feature {scene.feature_text} | cost {scene.cost_text}{download}",
        f"SNR {scene.snr_text} | {decision}",
    )


def _device_cell(scene: Scene, stage: int, name: str) -> str:
    if stage > scene.stage:
        return "?" if scene.choosing else "" if scene.finished == "offloaded" else name
    return f"<{name}>" if stage == scene.stage and not scene.finished else f"[{name}]"


def _edge_cell(scene: Scene, stage: int, name: str) -> str:
    if stage <= scene.stage:
        return ""
    return f"[{name}]" if scene.finished == "offloaded" else f"({name})"


def _beyond(scene: Scene, first: int) -> str:
    """How many layers follow to the right of the last cell."""
    count = scene.total_layers - first + 1
    if count == 0 or scene.finished == "completed":
        return ""
    return f" [+{count}]" if scene.finished == "offloaded" else f" (+{count})"
