"""A candidate beside the active model on the same events, with no way to an order.

The candidate runs in a process of its own (:mod:`ordinis_learn.shadow._scoring_process`) that is given a folder and a
socket and nothing else. :mod:`~ordinis_learn.shadow.runner` reads feature events after a position of the log, asks both models and
keeps what they said with the new position in one transaction (:mod:`~ordinis_learn.shadow.store`).
:mod:`~ordinis_learn.shadow.figures` makes a report of it, :mod:`~ordinis_learn.shadow.power` says what such a report can show.

Each module is imported by itself: the scoring process loads this file, and stays without everything else.
"""

__all__: list[str] = []
