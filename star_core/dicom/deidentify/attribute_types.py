"""Which attributes an object must have (PS3.3), where Table E.1-1 leaves the action to the attribute's type.

The tables of the standard come with highdicom; they are read as data, without loading it.
"""

from __future__ import annotations

import importlib.util
import json
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

Place = tuple[str, ...]


class AttributeType(IntEnum):
    """What an object asks of an attribute (PS3.5 7.4); the conditional types count as their strict ones."""

    REQUIRED = 1
    MAY_BE_EMPTY = 2
    OPTIONAL = 3
    UNKNOWN = 4


class AttributeTypes:
    """The types of the attributes of one kind of object."""

    def __init__(self, sop_class_uid: str) -> None:
        self._types, self._known_paths = _collect(sop_class_uid)

    def type_of(self, keyword: str, path: Place) -> AttributeType:
        """Return the type of an attribute below the sequences of ``path``; unknown where no table covers the place."""
        found = self._types.get((path, keyword))
        if found is not None:
            return found
        return AttributeType.OPTIONAL if path in self._known_paths else AttributeType.UNKNOWN


@cache
def _collect(sop_class_uid: str) -> tuple[dict[tuple[Place, str], AttributeType], frozenset[Place]]:
    types: dict[tuple[Place, str], AttributeType] = {}
    iod = _read_table("sop_class_iod_map.json").get(sop_class_uid, "")
    modules = _read_table("module_attribute_map.json")
    for module in _read_table("iod_module_map.json").get(iod, ()):
        for attribute in modules.get(module["key"], ()):
            if attribute["type"][0] in "123":
                place = tuple(attribute["path"]), attribute["keyword"]
                known = types.get(place, AttributeType.UNKNOWN)
                types[place] = min(known, AttributeType(int(attribute["type"][0])))
    return types, frozenset(path for path, _ in types)


@cache
def _read_table(name: str) -> dict[str, Any]:
    spec = importlib.util.find_spec("highdicom")
    assert spec is not None
    assert spec.origin is not None
    table: dict[str, Any] = json.loads(Path(spec.origin).with_name("_standard").joinpath(name).read_bytes())
    return table
