"""Run by another environment's Python: Evidently's ``DataDriftPreset`` with its defaults on one ``.npz`` per line of stdin.

Prints how many columns drifted (-1 where it raised an error), and of how many. It imports nothing of ours.
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
        try:
            found = Report([DataDriftPreset()]).run(current_data=now, reference_data=before).dict()
        except Exception as error:  # noqa: BLE001  whatever it is, it is no alarm, and it is told
            print(error, file=sys.stderr)
            print(-1, len(names), flush=True)
            continue
        count = next(
            one["value"]["count"] for one in found["metrics"] if "DriftedColumns" in one["metric_name"]
        )
        print(int(count), len(names), flush=True)


if __name__ == "__main__":
    main()
