"""Named periods in which models were hurt, kept as data with a version.

Every entry runs from a peak close of the S&P 500 to the trough that followed (for LTCM to the second low,
within 1 % of the first); the test compares both ends with the packaged index. Adding, moving or removing an entry raises :data:`STRESS_VERSION`, which is
written into every pack.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from ordinis_learn.records import Record

__all__ = ["STRESS_VERSION", "STRESS_WINDOWS", "StressWindow", "stress_between"]

STRESS_VERSION: Final = "1.0.0"


class StressWindow(Record):
    """One period, both ends included; ``source`` says who describes it."""

    name: str
    title: str
    start: date
    end: date
    reason: str
    source: str


STRESS_WINDOWS: Final = (
    StressWindow(
        name="gulf_1990",
        title="Gulf crisis",
        start=date(1990, 7, 16),
        end=date(1990, 10, 11),
        reason="Oil doubles after the invasion of Kuwait, and a recession begins.",
        source="NBER, US business cycle expansions and contractions: peak July 1990",
    ),
    StressWindow(
        name="rates_1994",
        title="Rate shock 1994",
        start=date(1994, 2, 2),
        end=date(1994, 4, 4),
        reason="The Federal Reserve raises its rate for the first time in five years; bonds fall with stocks.",
        source="Federal Reserve, FOMC statement of 4 February 1994",
    ),
    StressWindow(
        name="ltcm_1998",
        title="Russia and LTCM",
        start=date(1998, 7, 17),
        end=date(1998, 10, 8),
        reason="Russia defaults, a leveraged fund is rescued, and relative-value trades unwind together.",
        source="President's Working Group on Financial Markets, Hedge Funds, Leverage, and the Lessons of LTCM (1999)",
    ),
    StressWindow(
        name="dotcom_2000",
        title="Dot-com bust",
        start=date(2000, 3, 24),
        end=date(2002, 10, 9),
        reason="Thirty months of falling valuations with sharp rallies: hard on momentum and on patience.",
        source="NBER Business Cycle Dating Committee, announcement of 26 November 2001 (recession of 2001)",
    ),
    StressWindow(
        name="crisis_2008",
        title="Financial crisis",
        start=date(2008, 5, 19),
        end=date(2009, 3, 9),
        reason="Lehman fails; correlations go to one and shorting financials is banned for a time.",
        source="Financial Crisis Inquiry Commission, Final Report (2011)",
    ),
    StressWindow(
        name="downgrade_2011",
        title="US downgrade",
        start=date(2011, 7, 22),
        end=date(2011, 10, 3),
        reason="The United States loses its AAA rating while the euro area's debt crisis spreads.",
        source="Standard & Poor's, United States long-term rating lowered to AA+ (5 August 2011)",
    ),
    StressWindow(
        name="rates_2018",
        title="Rate shock 2018Q4",
        start=date(2018, 9, 20),
        end=date(2018, 12, 24),
        reason="The Federal Reserve keeps raising while growth slows; everything is sold into year end.",
        source="Federal Reserve, FOMC statement of 19 December 2018",
    ),
    StressWindow(
        name="covid_2020",
        title="Covid-19",
        start=date(2020, 2, 19),
        end=date(2020, 3, 23),
        reason="The fastest fall of a third on record, with three trading halts in eight sessions.",
        source="NBER Business Cycle Dating Committee, announcement of 8 June 2020: peak February 2020",
    ),
    StressWindow(
        name="rates_2022",
        title="Rate shock 2022",
        start=date(2022, 1, 3),
        end=date(2022, 10, 12),
        reason="Inflation forces the fastest rate rises in forty years; stocks and bonds fall together.",
        source="Federal Reserve, FOMC statement of 16 March 2022",
    ),
)


def stress_between(start: date, end: date) -> tuple[StressWindow, ...]:
    """Return the entries that lie wholly between two dates; a clipped crisis would be another crisis.

    Examples
    --------
    >>> [window.name for window in stress_between(date(2018, 1, 1), date(2020, 12, 31))]
    ['rates_2018', 'covid_2020']
    """
    return tuple(window for window in STRESS_WINDOWS if start <= window.start and window.end <= end)
