"""Candidate minus active in the loss, one number per session, far enough apart that no two labels overlap.

The empirical-Bernstein sequence behind the interval assumes that each number is known before the next is drawn (Choe & Ramdas,
arXiv:2110.00115, section 2: the forecast for step t + 1 is made knowing the outcome of step t). Five-session labels
of decisions on following days share four sessions, so daily numbers are not such a sequence: a run of good days would be
counted five times. Here a session is taken, then the next one at least h sessions later, by who was asked and never by what
came. The alternative, h interleaved sequences at level α/h each whose bounds are averaged, holds as well and is wider:
every one of them has as many numbers as the one sequence here and a level h times smaller.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["apart", "session_means"]

Ints = npt.NDArray[np.int64]
Float1D = npt.NDArray[np.float64]


def apart(sessions: Ints, *, stride: int) -> Ints:
    """Return those of increasing sessions that are taken: the first, then each at least ``stride`` after the last taken.

    Examples
    --------
    >>> apart(np.array([3, 4, 8, 9, 12, 20]), stride=5).tolist()
    [3, 8, 20]
    """
    taken: list[int] = []
    for session in sessions.tolist():
        if not taken or session >= taken[-1] + stride:
            taken.append(session)
    return np.array(taken, dtype=np.int64)


def session_means(values: Float1D, session: Ints, *, sessions: Ints) -> Float1D:
    """Return the mean of the finite values of each wanted session, in order; sessions without one are left out.

    Examples
    --------
    >>> session_means(
    ...     np.array([0.0, 1.0, np.nan, -1.0]), np.array([3, 3, 8, 9]), sessions=np.array([3, 8, 9])
    ... ).tolist()
    [0.5, -1.0]
    """
    place = np.searchsorted(sessions, session)
    wanted = np.isfinite(values) & (np.append(sessions, -1)[place] == session)
    count = np.bincount(place[wanted], minlength=len(sessions))
    total = np.bincount(place[wanted], weights=values[wanted], minlength=len(sessions))
    return np.asarray(total[count > 0] / count[count > 0])
