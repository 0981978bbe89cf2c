"""Decibels and constants of nature."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cointer_gym.units import BOLTZMANN_NOISE_DBM_PER_HZ, db_to_linear, linear_to_db, w_to_dbm


def test_decibels_there_and_back():
    assert_allclose(db_to_linear([-30.0, 0.0, 3.0, 10.0, -np.inf]), [1e-3, 1.0, 1.9952623149688795, 10.0, 0.0])
    assert_allclose(linear_to_db([1e-3, 1.0, 100.0, 0.0]), [-30.0, 0.0, 20.0, -np.inf])
    assert w_to_dbm(0.1) == pytest.approx(20.0, abs=1e-12)  # 100 mW


def test_noise_density_is_k_t_at_290_kelvin():
    # 10 log10(1.380649e-23 J/K x 290 K / 1 mW)
    assert pytest.approx(10 * math.log10(1.380649e-23 * 290 * 1e3), abs=5e-4) == BOLTZMANN_NOISE_DBM_PER_HZ
