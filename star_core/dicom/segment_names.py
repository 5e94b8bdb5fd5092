"""Which structure a segment shows, by its label and its coded type.

The MSKCC collection writes Liver, Remnant, Hepatic, Portal and Tumor_1, Tumor_2 ...; other programs use other words and
codes. A label that says something decides; the code (PS3.3 C.8.20.2) helps where the label is silent ("Segment_1").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from star_core.types import Segment, Structure

_REMNANT = {"remnant", "flr", "future"}
_TUMOUR = {"tumor", "tumour", "lesion", "mass", "metastasis", "metastases", "metastatic", "neoplasm", "crlm", "hcc"}
_VEIN = {"vein", "veins", "venous", "vena"}
_LIVER = {"liver", "hepar", "hepatic", "leber", "foie"}
_OTHER_ORGANS = frozenset(
    {"kidney", "renal", "lung", "pulmonary", "pancreas", "pancreatic", "spleen", "splenic", "adrenal", "bone", "brain"}
    | {"stomach", "gastric", "colon", "rectum", "lymph", "node", "nodes", "vertebra", "vertebrae", "rib", "muscle"}
    | {"heart", "aorta", "bladder", "gallbladder", "oesophagus", "esophagus", "duodenum", "bowel", "prostate", "skin"}
)
_NOT_THE_ORGAN = frozenset(
    {"artery", "arteries", "arterial", "vessel", "vessels", "cyst", "cysts", "duct", "ducts", "couinaud", "ablation"}
    | {"background", "thrombus", "cava", "resection", "margin", "lobe"}
)
_WHOLE = frozenset({"parenchyma", "whole", "organ", "total", "tissue", "structure", "mask", "seg"})
_CODES = {
    **dict.fromkeys(("10200004", "T-62000", "T-62002"), Structure.LIVER),
    **dict.fromkeys(("32764006", "T-48810"), Structure.PORTAL_VEINS),
    **dict.fromkeys(("8993003", "T-48720", "T-48740"), Structure.HEPATIC_VEINS),
    **dict.fromkeys(("4147007", "M-03000", "52988006", "M-01000"), Structure.TUMOUR),
    **dict.fromkeys(("108369006", "M-80000", "M-80001", "M-80003", "86049000"), Structure.TUMOUR),
    **dict.fromkeys(("14799000", "128462008", "M-80006", "M-81406"), Structure.TUMOUR),
}


COUINAUD_CODES: Mapping[Segment, str] = {
    Segment.I: "71133005",
    Segment.II: "277956007",
    Segment.III: "277957003",
    Segment.IV: "277958008",
    Segment.V: "277959000",
    Segment.VI: "277960005",
    Segment.VII: "277961009",
    Segment.VIII: "277962002",
}
"""SNOMED CT codes of Couinaud's segments (PS3.16 CID 7170, Couinaud Liver Segment)."""
_SEGMENT_OF_CODE = {code: segment for segment, code in COUINAUD_CODES.items()}


def couinaud_segment_of(code_values: Iterable[str]) -> Segment | None:
    """Return the Couinaud segment that codes name, ``None`` for any other thing."""
    return next((_SEGMENT_OF_CODE[code] for code in code_values if code in _SEGMENT_OF_CODE), None)


def structure_of(label: str, code_values: Iterable[str] = ()) -> Structure | None:
    """Return the structure that a segment shows, ``None`` for anything that is not used here.

    Couinaud's segments together are the liver.
    """
    code_values = tuple(code_values)
    if couinaud_segment_of(code_values) is not None:
        return Structure.LIVER
    words = set(re.findall(r"[a-z]+", label.lower()))
    named = _by_words(words)
    if named is not None:
        return named
    if words & (_OTHER_ORGANS | _NOT_THE_ORGAN):
        return None
    return next((_CODES[code] for code in code_values if code in _CODES), None)


def _by_words(words: set[str]) -> Structure | None:
    stems = {word.removesuffix("s") for word in words} | words
    elsewhere = bool(words & _OTHER_ORGANS) and not words & _LIVER
    if words & _REMNANT and not elsewhere:
        return Structure.REMNANT
    if stems & _TUMOUR and not elsewhere and not words & {"non"}:
        return Structure.TUMOUR
    if words & _NOT_THE_ORGAN or words & _OTHER_ORGANS:
        return None
    if "portal" in words or {"porta", "vena"} <= words or "portae" in words:
        return Structure.PORTAL_VEINS
    if words & {"hepatic", "hepatica", "hepaticae"} and (words & _VEIN or words in ({"hepatic"}, {"hepatica"})):
        return Structure.HEPATIC_VEINS
    if {"liver"} <= words and words & _VEIN:
        return Structure.HEPATIC_VEINS
    if words & _LIVER and words <= _LIVER | _WHOLE:
        return Structure.LIVER
    return None
