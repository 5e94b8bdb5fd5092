"""The demonstration patient: synthetic, always the same, called so everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from star_core.cohort.law import TumourBurden, draw_record
from star_core.cohort.phantom import draw_scan
from star_core.types import Case

DEMO_ID = "DEMO-0001"
_SEED = 17


def draw_demo_patient() -> Case:
    """Return the demonstration patient on a CT grid of 384 x 384 and 3 mm."""
    generator = np.random.default_rng([_SEED, 2])
    burden = TumourBurden(
        number=4,
        largest_cm=4.2,
        bilobar=True,
        cea_ng_ml=38.0,
        steatosis=False,
        node_positive=True,
        synchronous=True,
        extrahepatic=False,
        age_years=61.0,
        comorbidity=False,
    )
    scan = draw_scan(generator, slice_mm=3.0, in_plane=384, burden=burden)
    # Steatosis is read from the specimen and so not known before surgery.
    record = replace(draw_record(burden, np.random.default_rng(4)), steatosis=None)
    return Case(case_id=DEMO_ID, scans={0: scan.volume}, masks=scan.masks, clinical=record)
