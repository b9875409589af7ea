"""What the drift detectors find and how often they cry wolf: the figures of docs/drift.md.

``python -m benchmarks.drift_evidence`` from the checkout prints one Markdown table per question; ``--only`` asks one of them. Minutes, one core.
Rates come with Wilson's 95 % interval, delays with quartiles. River, where it is installed, runs with its defaults.
"""

from __future__ import annotations

import argparse
import itertools
from datetime import UTC, datetime
from functools import cache

import numpy as np
import pyarrow as pa
from scipy.signal import lfilter
from scipy.stats import ks_2samp

from ordinis_learn.alerts.persistence import persists
from ordinis_learn.drift import (
    LOSS_DETECTORS,
    DriftReference,
    build_reference,
    calibrate_run_length,
    check_drift,
)
from ordinis_learn.drift.loss_scale import LossScale, scaled
from ordinis_learn.drift.run_length import standardised
from ordinis_learn.market import compute_features, load_sp500
from ordinis_learn.records import ModelRef

RATE = 1 / 1260
"""False alarms per session of a sequential detector: one in five years."""
SPAN, YEAR, MONTH, GUARD = 1260, 252, 21, 20
BREACH = {"warning", "critical"}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift_evidence", description=__doc__)
    parser.add_argument("--only", choices=sorted(QUESTIONS), action="append")
    options = parser.parse_args()
    for name in options.only or sorted(QUESTIONS):
        print(f"\n### {name}\n")
        for line in QUESTIONS[name]():
            print(line, flush=True)


def wilson(hits, trials, z=1.96):
    share, square = hits / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    half = z * np.sqrt(share * (1 - share) / trials + square / (4 * trials)) / (1 + square)
    return f"{share:.1%} ({middle - half:.1%} to {middle + half:.1%})"


def quartiles(values, trials):
    if not len(values):
        return f"– (0 of {trials})"
    low, half, high = np.percentile(values, [25, 50, 75])
    return f"{half:.0f} ({low:.0f} to {high:.0f}; {len(values)} of {trials})"


def autoregression(rng, *, phi, sessions):
    return lfilter([1.0], [1.0, -phi], rng.standard_normal(sessions + 300) * np.sqrt(1 - phi**2))[300:]


# Features ------------------------------------------------------------------------------------------------------------


class Market:
    """Twelve features of twenty stocks, 1991-2023."""

    def __init__(self):
        history = load_sp500()
        cube = compute_features(history)
        self.names, self.values = cube.names, cube.values[260:]

    def stretch(self, rng, sessions):
        first = int(rng.integers(len(self.values) - sessions))
        return self.values[first : first + sessions]

    def shuffled(self, rng, sessions, *, block=63):
        """Real sessions in quarters, in a random order: whatever changed over the years is spread evenly."""
        values = self.stretch(rng, -(-sessions // block) * block)
        order = rng.permutation(len(values) // block)
        return np.concatenate([values[k * block : (k + 1) * block] for k in order])[:sessions]

    def table(self, values, *, first):
        days = np.datetime64("2000-01-03", "D") + np.arange(first, first + len(values))
        columns = {f"f_{name}": values[:, :, k].ravel() for k, name in enumerate(self.names)}
        return pa.table({"session": pa.array(np.repeat(days, values.shape[1]))} | columns)

    def reference(self, values) -> DriftReference:
        class Manifest:
            ref, content_sha256, feature_names = "market@1", "0" * 64, self.names

        return build_reference(self.table(values, first=0), manifest=Manifest())

    def check(self, reference, values, *, first):
        return check_drift(
            reference=reference,
            current=self.table(values, first=first),
            model=ModelRef(name="m", version="1", artifact_sha256="0" * 64),
            psi_floor=0.2,
            alpha=0.05,
            seed=1,
            clock=lambda: datetime(2024, 1, 2, tzinfo=UTC) + np.timedelta64(first, "s").item(),
        )


def inside(*kinds):
    """Windows from inside five years, compared with the rest of them: drawn alike, so nothing has changed."""
    market = Market()
    yield "| windows inside five years | checks | any finding at q ≤ 5 % | breach | critical for vol_20, alone | critical for vol_20, beside the others too |"
    yield "|---|---:|---:|---:|---:|---:|"
    for label, window, stretch, checks in (
        ("21 sessions", 21, 1.0, 60),
        ("63 sessions", 63, 1.0, 40),
        ("21 sessions, vol_20 trebled", 21, 3.0, 20),
    ):
        if kinds and label not in kinds:
            continue
        rng, reports = np.random.default_rng(5), []
        for _ in range(checks):
            values = market.stretch(rng, SPAN)
            start = int(rng.integers(SPAN - window))
            apart = np.r_[: max(start - GUARD, 0), min(start + window + GUARD, SPAN) : SPAN]
            now = _scaled(market, values[start : start + window].copy(), "vol_20", stretch)
            reports.append(market.check(market.reference(values[apart]), now, first=SPAN))
        found = sum(any(f.q_value <= 0.05 for f in report.findings) for report in reports)
        breached = sum(report.breached for report in reports)
        critical = [
            {f.metric for f in report.findings if (f.feature, f.severity) == ("vol_20", "critical")}
            for report in reports
        ]
        alone = sum(bool(metrics - {"psi_given_rest"}) for metrics in critical)
        cells = f"{wilson(found, checks)} | {wilson(breached, checks)} | {alone} | {sum(map(bool, critical))}"
        yield f"| {label} | {checks} | {cells} |"


def quiet_days(*kinds):
    market, years = Market(), 20
    yield "| real features, five years of reference | breach, per day | any finding at q ≤ 5 %, per day | breach on 2 of 3 days, per day | years with a breach on a day looked at |"
    yield "|---|---:|---:|---:|---:|"
    for label, draw in (("quarters shuffled", market.shuffled), ("as they came", market.stretch)):
        if kinds and label not in kinds:
            continue
        rng = np.random.default_rng(1)
        breach = found = lasting = days = touched = 0
        for _ in range(years):
            triples = triples_of_days(market, draw(rng, SPAN + YEAR))
            reports = [report for triple in triples for report in triple]
            days += len(reports)
            breach += sum(report.breached for report in reports)
            found += sum(any(f.q_value <= 0.05 for f in report.findings) for report in reports)
            lasting += sum(map(lasts, triples))
            touched += any(report.breached for report in reports)
        rates = f"{breach / days:.1%} | {found / days:.1%} | {3 * lasting / days:.1%}"
        yield f"| {label}, {years} years, {days} days | {rates} | {wilson(touched, years)} |"


def lasts(triple):
    """Say whether something that breached on the last day did so on two of the three."""
    seen = [breaches(report) for report in triple]
    return any(persists([breach in day for day in seen], k=2, n=3) for breach in seen[-1])


def triples_of_days(market, values):
    """Return the reports of ten times three neighbouring days of the last year, over the last month each."""
    reference = market.reference(values[:SPAN])
    return [
        [
            market.check(reference, values[SPAN + day - MONTH : SPAN + day], first=SPAN + day)
            for day in (start, start + 1, start + 2)
        ]
        for start in range(MONTH, YEAR - 2, (YEAR - MONTH) // 10)
    ]


CHANGES = {
    "ret_1 moves by half a standard deviation": lambda m, v: _moved(m, v, "ret_1", 0.5),
    "ret_1 moves by two standard deviations": lambda m, v: _moved(m, v, "ret_1", 2.0),
    "ret_1 twice as wide": lambda m, v: _scaled(m, v, "ret_1", 2.0),
    "vol_20 trebles": lambda m, v: _scaled(m, v, "vol_20", 3.0),
    "vol_20 in per cent (tenfold and more)": lambda m, v: _scaled(m, v, "vol_20", 100.0),
    "z_20 vanishes": lambda m, v: _set(m, v, "z_20", np.nan),
    "z_20 stands still": lambda m, v: _set(m, v, "z_20", 0.5),
    "ret_5 with the sign turned": lambda m, v: _scaled(m, v, "ret_5", -1.0),
}


def _moved(market, values, name, by):
    k = market.names.index(name)
    values[:, :, k] += by * np.nanstd(values[:, :, k])
    return values


def _scaled(market, values, name, by):
    values[:, :, market.names.index(name)] *= by
    return values


def _set(market, values, name, to):
    values[:, :, market.names.index(name)] = to
    return values


LOOKED_AT = (1, 2, 3, 4, 5, 7, 10, 15, 21, 30, 42, 63)


def delays():
    market, rng, repeats = Market(), np.random.default_rng(2), 8
    found = {label: [] for label in CHANGES}
    for _ in range(repeats):
        values = market.shuffled(rng, SPAN + 4 * MONTH)
        reference = market.reference(values[:SPAN])
        quiet = breaches(market.check(reference, values[SPAN : SPAN + MONTH], first=SPAN))
        for label, change in CHANGES.items():
            after = values[SPAN:].copy()
            after[MONTH:] = change(market, after[MONTH:])
            for day in LOOKED_AT:
                report = market.check(reference, after[day : day + MONTH], first=SPAN + day)
                if breaches(report) - quiet:
                    found[label].append(day)
                    break
    looked = ", ".join(map(str, LOOKED_AT))
    yield f"| planted, real features in shuffled quarters | sessions (of {looked}) until a breach that was not there before: median (quartiles; found) |"
    yield "|---|---:|"
    for label, days in found.items():
        yield f"| {label} | {quartiles(days, repeats)} |"


def breaches(report):
    return {(f.feature, f.metric) for f in report.findings if f.severity in BREACH}


# One series ----------------------------------------------------------------------------------------------------------


def noise():
    """AR(1) noise without change, one value per session, 504 of reference and 63 of now."""
    rng, trials = np.random.default_rng(3), 200
    yield "| φ, nothing changed | plain KS at 5 % | this KS at 5 % | check with any finding at q ≤ 5 % |"
    yield "|---|---:|---:|---:|"
    for phi in (0.0, 0.9):
        plain = ours = anything = 0
        for _ in range(trials):
            series = autoregression(rng, phi=phi, sessions=504 + 100 + 63)
            before, now = series[:504], series[-63:]
            plain += ks_2samp(before, now).pvalue <= 0.05
            findings = _one_feature(before, now)
            ours += next(f.p_value for f in findings if f.metric == "ks") <= 0.05
            anything += any(f.q_value <= 0.05 for f in findings)
        yield f"| {phi} | {wilson(plain, trials)} | {wilson(ours, trials)} | {wilson(anything, trials)} |"


def _one_feature(before, now):
    market = object.__new__(Market)
    market.names = ("x",)
    reference = market.reference(before[:, None, None])
    return market.check(reference, now[:, None, None], first=len(before) + 100).findings


RECORD, FOLLOWED = 126, 504


def jumps(rng, sessions):
    """A standard deviation that is another one every quarter; the record holds the first two."""
    return np.repeat(np.exp(0.5 * rng.standard_normal(sessions // 63)), 63)


@cache
def momentum_loss():
    """Return what buying last month's winners lost a session."""
    cube = compute_features(load_sp500())
    past = cube.values[:, :, cube.names.index("ret_20")]
    came = np.full(past.shape, np.nan)
    came[:-1] = cube.values[1:, :, cube.names.index("ret_1")]
    return -np.nanmean(np.sign(past[260:-1]) * came[260:-1], axis=1)


def real_loss(rng, sessions):
    """Draw its quarters in a random order, so that nothing changes."""
    loss = momentum_loss()
    return rng.permutation(loss[: len(loss) // 63 * 63].reshape(-1, 63)).ravel()[:sessions]


QUIET_LOSSES = {
    "independent, normal": lambda rng, n: rng.standard_normal(n),
    "φ = 0.5": lambda rng, n: autoregression(rng, phi=0.5, sessions=n),
    "φ = 0.9": lambda rng, n: autoregression(rng, phi=0.9, sessions=n),
    "Student's t, 3 degrees": lambda rng, n: rng.standard_t(3, n),
    "standard deviation jumps by quarters": lambda rng, n: jumps(rng, n) * rng.standard_normal(n),
    "the same, φ = 0.5": lambda rng, n: jumps(rng, n) * autoregression(rng, phi=0.5, sessions=n),
    "real: momentum over 20 sessions, 20 stocks": real_loss,
}


def losses(*kinds, trials=400, seed=41):
    """False alarms and delays on a paired loss with a record of half a year; of all kinds, or of those named."""
    yield f"| loss, {trials} series | detector | alarms in two quiet years (stated: 33 %) | delay of a loss of 0.5 sd a session | 1 sd |"
    yield "|---|---|---:|---:|---:|"
    for label, make in QUIET_LOSSES.items():
        if kinds and label not in kinds:
            continue
        rng = np.random.default_rng(seed)
        series = [make(rng, RECORD + FOLLOWED) for _ in range(trials)]
        first = np.stack([first_alarms(one, seed=number) for number, one in enumerate(series)], axis=-1)
        for detector, (quiet, *late) in zip(LOSS_DETECTORS, first, strict=True):
            cells = " | ".join(quartiles(found[found > 0], trials) for found in late)
            yield f"| {label} | {detector.metric} | {wilson(np.count_nonzero(quiet), trials)} | {cells} |"


def first_alarms(series, *, seed):
    """Return the session of the first alarm, 0 without, of each detector (axis 0) where nothing changes, and after a loss of 0.5 and of 1 sd."""
    record = series[:RECORD] - series[:RECORD].mean()
    units, scale = scaled(record, scale=LossScale.before(record))
    quiet = calibrate_run_length(LOSS_DETECTORS, units, sessions=FOLLOWED, draws=400, seed=seed)
    rest = series[RECORD:] - series[:RECORD].mean()
    after = [scaled(rest + size * record.std(ddof=1), scale=scale)[0] for size in (0.0, 0.5, 1.0)]
    scores = standardised(np.stack(after), record=units)
    return [
        alarms(detector, scores, run.threshold(RATE), record_sessions=RECORD)
        for detector, run in zip(LOSS_DETECTORS, quiet, strict=True)
    ]


def alarms(detector, scores, threshold, *, record_sessions):
    """Return the session of the first alarm of each series, from 1; 0 without."""
    state = detector.start(series=len(scores), record_sessions=record_sessions)
    first = np.zeros(len(scores), dtype=int)
    for number, values in enumerate(scores.T, start=1):
        state = detector.step(state, values)
        first[(first == 0) & (detector.statistic(state) >= threshold)] = number
    return first


# Change points that people marked ------------------------------------------------------------------------------------


def series_of_river():
    from river.drift import datasets

    # The annotations count observations of van den Burg & Williams' series, the files hold more: every third day of
    # Apple, every tenth of Brent from 2000 on.
    apple, bitcoin, brent = datasets.Apple(), datasets.Bitcoin(), datasets.BrentSpotPrice()
    since_2000 = [price for day, price in brent if day["day"].year >= 2000]
    return {
        "Apple": ([row["Close"] for _, row in apple][::3], apple.annotations),
        "Bitcoin": ([price for _, price in bitcoin][:774], bitcoin.annotations),
        "Brent": (since_2000[::10], brent.annotations),
    }


def river_alarms(name):
    from river import drift

    def found(values):
        detector = {
            "ADWIN": drift.ADWIN,
            "PageHinkley": drift.PageHinkley,
            "KSWIN": lambda: drift.KSWIN(seed=1),
        }[name]()
        alarms = []
        for number, value in enumerate(values):
            detector.update(float(value))
            if detector.drift_detected:
                alarms.append(number)
        return alarms

    return found


def our_change_points(detector):
    """Run one detector upwards and downwards on the logarithm; begin again after each alarm with the next 40 as record."""

    def found(values):
        series, start, points = np.log(values), 0, []
        while start + 40 < len(series):
            record, rest = series[start : start + 40], series[start + 40 :]
            found_on = []
            for sign in (1.0, -1.0):
                (quiet,) = calibrate_run_length(
                    [detector], sign * record, sessions=504, draws=400, seed=start
                )
                scores = standardised(sign * rest, record=sign * record)[None, :]
                found_on += alarms(detector, scores, quiet.threshold(RATE), record_sessions=40).tolist()
            if not any(found_on):
                break
            points.append(start + 40 + min(filter(None, found_on)) - 1)
            start = points[-1] + 1
        return points

    return found


def change_points():
    methods = {
        "CUSUM, calibrated": our_change_points(LOSS_DETECTORS[0]),
        "Page-Hinkley, calibrated": our_change_points(LOSS_DETECTORS[1]),
        "none at all": lambda _: [],
        "river ADWIN": river_alarms("ADWIN"),
        "river PageHinkley": river_alarms("PageHinkley"),
        "river KSWIN": river_alarms("KSWIN"),
    }
    yield "| series | detector | alarms | precision | recall | F1 | covering |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for name, (values, marks) in series_of_river().items():
        for label, method in methods.items():
            points = method(np.array(values))
            precision, recall = precision_and_recall(marks, points)
            f1 = 2 * precision * recall / (precision + recall)
            share = covering(marks, points, len(values))
            yield f"| {name} ({len(values)}) | {label} | {len(points)} | {precision:.2f} | {recall:.2f} | {f1:.2f} | {share:.2f} |"


def precision_and_recall(annotations, points, *, margin=5):
    """Return van den Burg & Williams' (2020) precision and recall; 0 is a change point that everyone marks."""
    said = sorted({0, *points})
    everyone = {0}.union(*annotations.values())
    precision = _matched(everyone, said, margin) / len(said)
    recall = np.mean(
        [_matched({0, *marks}, said, margin) / len({0, *marks}) for marks in annotations.values()]
    )
    return precision, float(recall)


def _matched(marks, said, margin):
    """Count marks with a point of their own within the margin; a point serves one mark."""
    left, matched = list(said), 0
    for mark in sorted(marks):
        near = [point for point in left if abs(point - mark) <= margin]
        if near:
            left.remove(min(near, key=lambda point: abs(point - mark)))
            matched += 1
    return matched


def covering(annotations, points, length):
    """Return the mean over annotators of how well segments cover theirs (Jaccard, weighted by length)."""
    ours = segments(points, length)
    return float(
        np.mean(
            [
                sum(
                    len(own) * max(len(own & other) / len(own | other) for other in ours)
                    for own in segments(marks, length)
                )
                / length
                for marks in annotations.values()
            ]
        )
    )


def segments(points, length):
    bounds = [0, *sorted({point for point in points if 0 < point < length}), length]
    return [set(range(low, high)) for low, high in itertools.pairwise(bounds)]


QUESTIONS = {
    "inside": inside,
    "quiet-days": quiet_days,
    "delays": delays,
    "noise": noise,
    "losses": losses,
    "change-points": change_points,
}

if __name__ == "__main__":
    main()
