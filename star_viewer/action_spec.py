"""What an action is made of, before Qt knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action; ``icon`` is a name of the Material Design set.

    The key of an action with a ``scope`` works only in the widgets that are attached to it.
    """

    name: str
    menu: str
    text: str
    tooltip: str
    key: str = ""
    icon: str = ""
    checkable: bool = False
    short: str = ""
    scope: str = ""
