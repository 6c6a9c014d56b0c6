"""Exponents of growth: exact on power laws, with the interval of the regression."""

import numpy as np
import pytest

from remamber.table.growth import exponent_of_samples, exponent_of_values


def test_the_exponent_is_that_of_the_median():
    samples = {side: [side**4.0] * 5 + [side**4.0 * 1000] for side in (256, 512, 1024)}
    samples[1024] = [1024**4.0] * 5 + [1.0]
    assert exponent_of_samples(samples, name="x").value == pytest.approx(2)


def test_the_interval_is_the_regressions():
    values = {256: 1.0, 512: 4.4, 768: 8.7, 1024: 16.5}
    found = exponent_of_values(values)
    x, y = 2 * np.log(list(values)), np.log(list(values.values()))
    (slope, _), covariance = np.polyfit(x, y, 1, cov=True)
    assert found.value == pytest.approx(slope)
    # Student's t at 97.5 % with two degrees of freedom, which is all that four sizes leave.
    assert found.high - found.value == pytest.approx(4.302653 * covariance[0, 0] ** 0.5)
    assert found.value - found.low == pytest.approx(found.high - found.value)
