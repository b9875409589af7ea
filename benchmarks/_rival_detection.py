"""Run by another environment's Python: Evidently's ``DataDriftPreset`` with its defaults on one ``.npz`` per line of stdin.

Prints how many columns drifted, and of how many. It imports nothing of ours.
"""

import sys
import warnings

warnings.simplefilter("ignore")


def main():
    import numpy as np
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    print("ready", flush=True)
    for line in sys.stdin:
        with np.load(line.strip()) as stored:
            names = [str(name) for name in stored["names"]]
            before, now = (pd.DataFrame(stored[key], columns=names) for key in ("before", "now"))
        found = Report([DataDriftPreset()]).run(current_data=now, reference_data=before).dict()
        count = next(
            one["value"]["count"] for one in found["metrics"] if "DriftedColumns" in one["metric_name"]
        )
        print(int(count), len(names), flush=True)


if __name__ == "__main__":
    main()
