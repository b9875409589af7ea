"""A drift so slow that no month differs from the one before."""

import numpy as np


def test_a_slow_drift_is_found_because_the_reference_stays(check, rows):
    """Each month lies a tenth of a standard deviation above the last: no step is material, the sum of them is."""
    rng = np.random.default_rng(12)
    reference = rows({"x": rng.standard_normal((600, 4))}, symbols=4)
    months = [
        rows(
            {"x": rng.standard_normal((21, 4)) + 0.1 * month},
            start=f"{2003 + month // 12}-{month % 12 + 1:02d}-01",
            symbols=4,
        )
        for month in range(12)
    ]
    reports = [check(reference, month, features=("x",)) for month in months]
    psi = [{f.metric: f.severity for f in report.findings}["psi"] for report in reports]
    assert set(psi[:2]) <= {"none", "info"}
    assert set(psi[-3:]) <= {"warning", "critical"}
