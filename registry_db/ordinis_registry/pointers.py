"""What is active, in shadow and last known good of one model, and how each change moves it."""

from __future__ import annotations

from ordinis_learn.records import Record

__all__ = ["Pointers"]


class Pointers(Record):
    """The state of a model as one value; each method returns the value after a change.

    ``shadow`` lists versions in the order they entered SHADOW. ``good`` lists versions that were ACTIVE
    and were replaced in good standing, newest last: a version that was rolled back from, or retired while
    it was active, does not come back. ``last_active`` stays when the model
    goes flat: it is not a new model then, and what follows is measured against what traded last.

    Examples
    --------
    >>> third = Pointers().promoted("1").promoted("2").promoted("3")
    >>> third.active, third.last_known_good
    ('3', '2')
    >>> back = third.rolled_back(to="2")
    >>> back.active, back.last_known_good
    ('2', '1')
    >>> back.rolled_back(to="1").rolled_back(to=None).active is None
    True
    """

    active: str | None = None
    last_active: str | None = None
    shadow: tuple[str, ...] = ()
    good: tuple[str, ...] = ()

    @property
    def incumbent(self) -> str | None:
        """The version to beat: the ACTIVE one, or while nothing is active the one that was last."""
        return self.last_active if self.active is None else self.active

    @property
    def last_known_good(self) -> str | None:
        """The version that was ACTIVE before the current one and left in good standing."""
        return self.good[-1] if self.good else None

    @property
    def aliases(self) -> dict[str, str | None]:
        """Where each governed alias points; None where it must not exist."""
        newest_shadow = self.shadow[-1] if self.shadow else None
        return {"active": self.active, "last_known_good": self.last_known_good, "shadow": newest_shadow}

    def shadowed(self, version: str) -> Pointers:
        """Let a version enter SHADOW."""
        return self._without(version).model_copy(update={"shadow": (*_drop(self.shadow, version), version)})

    def promoted(self, version: str) -> Pointers:
        """Make a version ACTIVE; the one it replaces leaves in good standing."""
        left = self._without(version)
        good = left.good if left.active is None else (*_drop(left.good, left.active), left.active)
        return left.model_copy(update={"active": version, "last_active": version, "good": good})

    def retired(self, version: str) -> Pointers:
        """Let a version leave SHADOW or ACTIVE; the model is flat when it was the active one."""
        return self.model_copy(
            update={
                "active": None if self.active == version else self.active,
                "last_active": self.incumbent,
                "shadow": _drop(self.shadow, version),
            }
        )

    def rolled_back(self, *, to: str | None) -> Pointers:
        """Swap to an earlier version in good standing, or to nothing; newer ones lose their standing."""
        good = self.good[: self.good.index(to)] if to is not None else ()
        last_active = self.active if to is None else to
        return self.model_copy(update={"active": to, "last_active": last_active, "good": good})

    def forgotten(self, version: str) -> Pointers:
        """Let go of a version that is deleted."""
        return self._without(version)

    def _without(self, version: str) -> Pointers:
        return self.model_copy(
            update={
                "active": None if self.active == version else self.active,
                "last_active": self.incumbent,
                "shadow": _drop(self.shadow, version),
                "good": _drop(self.good, version),
            }
        )


def _drop(versions: tuple[str, ...], version: str) -> tuple[str, ...]:
    return tuple(other for other in versions if other != version)
