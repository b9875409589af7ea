"""Run by another environment's Python: drift of the same numbers by Evidently or NannyML, once per line on stdin.

It imports nothing of ours. Numbers come as ``.npy`` files, so that both sides see the same ones; reading them, the imports, and
whatever a tool prepares from the reference alone are not part of the time.
"""

import sys
import time
import warnings

warnings.simplefilter("ignore")


def main(tool, before, now):
    import numpy as np
    import pandas as pd

    frames = [
        pd.DataFrame({f"x{number}": column for number, column in enumerate(np.load(path, mmap_mode="r"))})
        for path in (before, now)
    ]
    work = {"evidently": by_evidently, "nannyml": by_nannyml}[tool](*frames)
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        work()
        print(time.perf_counter() - began, flush=True)


def by_evidently(before, now):
    from evidently import Report
    from evidently.presets import DataDriftPreset

    return lambda: Report([DataDriftPreset()]).run(current_data=now, reference_data=before)


def by_nannyml(before, now):
    from nannyml import UnivariateDriftCalculator

    calculator = UnivariateDriftCalculator(
        column_names=list(before.columns),
        continuous_methods=["kolmogorov_smirnov", "wasserstein", "jensen_shannon"],
        chunk_number=1,
    )
    calculator.fit(before)
    return lambda: calculator.calculate(now)


if __name__ == "__main__":
    main(*sys.argv[1:])
