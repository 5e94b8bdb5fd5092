"""The actions about follow-up CTs; what they do is connected in ``following.py``."""

from __future__ import annotations

from star_viewer.action_spec import ActionSpec

_MENU = "Follow-ups"

FOLLOW_SPECS = (
    ActionSpec("follow_add", _MENU, "Add a follow-up CT…", "Align a later CT of the patient", "Ctrl+Shift+F"),
    ActionSpec("follow_panel", _MENU, "Show the follow-ups", "Open the panel of follow-up CTs", "Ctrl+Shift+U"),
    ActionSpec("follow_next", _MENU, "Next follow-up", "See the next follow-up CT of the list", "Ctrl+J"),
    ActionSpec("follow_swap", _MENU, "First or later CT", "Show the later CT in the first one's place, and back", "Y"),
    ActionSpec("follow_side", _MENU, "Side by side", "First and later CT at the same place", "Shift+Y", "", True),
    ActionSpec("follow_fade", _MENU, "Fade", "Let the later CT fade over the first one", "F", "", True),
    ActionSpec("follow_difference", _MENU, "Difference", "The later CT minus the first one, in HU", "J", "", True),
)
