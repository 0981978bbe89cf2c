"""Fixtures of several folders. Heavy imports stand inside them: the wheel's tests run without most of them."""

import pytest

pytest.register_assert_rewrite("support")

from support import oracles  # noqa: E402 (after the line above)


@pytest.fixture(scope="session")
def oracle():
    """Laws by quadrature: ``.rayleigh(mean_snr, low, high)``, ``.nakagami(m, ...)``, ``.rician(k_factor, ...)``."""
    return oracles


@pytest.fixture(scope="session", autouse=True)
def _own_key(tmp_path_factory):
    """Checkpoints are sealed with a key of the tests, also in other processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def small_training(monkeypatch, tmp_path):
    """One thread, because networks this small lose time with more; logs go where they are cleaned up."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("SB3_LOGDIR", str(tmp_path))
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def headless():
    """Figures that no window shows, all closed before and after."""
    import matplotlib.pyplot as plt

    plt.switch_backend("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def small_benchmark(tmp_path_factory):
    """A benchmark of mlp-pi with one short training per algorithm: its folder, results and progress events."""
    pytest.importorskip("stable_baselines3")
    from cointer_gym.envs import make_task
    from cointer_gym.experiments.benchmark import benchmark

    out = tmp_path_factory.mktemp("benchmark")
    seen = []
    task = make_task("splitting", "mlp-pi", placement=4)
    results = benchmark(task, out, seeds=1, jobs=1, steps=1500, on_progress=lambda *event: seen.append(event))
    return out, results, seen


@pytest.fixture(scope="session")
def tiny_studies():
    """Every study with a few points, by name."""
    import numpy as np

    from cointer_gym import Scenario
    from cointer_gym.experiments import studies
    from cointer_gym.experiments.study_rows import Study

    alexnet = Scenario.load("alexnet-pi")
    resnet50, phone = Scenario.load("resnet50-jetson"), Scenario.load("resnet18-phone")
    rows = {
        "snr": studies.snr_study(alexnet, [0.0, 10.0, 20.0]),
        "distance": studies.distance_study(resnet50, [100.0, 400.0, 900.0]),
        "tasks": studies.tasks_study(alexnet, [10.0, 1e4]),
        "weights": studies.weights_study(alexnet, [0.0, 0.1, 10.0, np.inf]),
        "speed": studies.speed_study(phone, [0.5, 2.0]),
        "structure": studies.structure_study(phone, ["mlp", "alexnet"]),
        "phase": studies.phase_study(alexnet, [-20.0, 10.0, 20.0], [0.1, 10.0]),
        "closed-form": studies.closed_form_study(Scenario.load("mlp-pi"), [1e3, 1e5]),
    }
    return {name: Study(name, rows[name]) for name in studies.STUDIES}


@pytest.fixture
def registry():
    """Laws that a test adds are forgotten after it."""
    from cointer_gym.channels import LAWS

    before = dict(LAWS)
    yield
    LAWS.clear()
    LAWS.update(before)
