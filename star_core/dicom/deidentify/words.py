"""Words of radiology that identify nobody: what cleaning a description keeps (PS3.15 E.3.5), everything else goes."""

from __future__ import annotations

import re
import unicodedata

_ANATOMY = """
    abdomen abdomenal abdominal abd abdo adrenal ankle aorta aortic appendix arm artery arteries arterial axilla
    back bile biliary bladder body bone bones bowel brain breast bronchus calf cardiac carotid cava cervical
    cervix chest colon colonic coronary cranial cranium duodenum elbow esophagus extremity eye face facial femoral
    femur finger foot forearm gallbladder gastric hand head heart hepatic hepar hip humerus iliac ileum jaw
    jejunum joint kidney kidneys knee larynx leg liver lower lobe lumbar lung lungs lymph mandible maxilla
    mediastinum muscle neck node nodes nose orbit orbits ovary pancreas pancreatic parotid pelvic pelvis petrous
    pharynx pituitary portal prostate pulmonary rectal rectum renal rib ribs sacrum scapula segment segments
    shoulder sinus sinuses skull spine spinal spleen splenic sternum stomach temporal testis thigh thoracic thorax
    thyroid tibia trachea trunk upper ureter urethra uterus vein veins venous vena vertebra vessel vessels
    wholebody wrist leber milz niere nieren kopf hals schaedel schadel becken lunge lungen herz wirbelsaule
    oberbauch foie tumor tumour tumors tumours lesion lesions metastasis metastases metastatic mass cyst remnant
    parenchyma
"""
_PHASE = """
    early late delayed delay native plain unenhanced enhanced noncontrast nonenhanced pre post precontrast
    postcontrast contrast phase phases portalvenous pv art ven venous nephrographic excretory equilibrium
    parenchymal dynamic perfusion baseline followup follow up spat nativ portalvenos inspiration expiration
    breathhold breath hold free first second third with without w wo and of the in on to mit ohne und nach vor c
"""
_PROTOCOL = """
    ct mr mri pet cta cbct nm us dx cr xa seg sr localizer localiser scout topogram surview scanogram routine
    standard protocol protocols scan scans scanning series study axial ax sagittal sag coronal cor oblique
    transverse tra thin thick slice slices helical spiral sequential dual energy low high dose resolution hr hrct
    recon reconstruction reconstructed reformat reformatted mpr mip minip vrt volume 3d 2d kernel soft tissue
    sharp smooth window lung mediastinal bone filter iterative asir idose safire admire fbp stack monitoring bolus
    tracking smartprep premonitoring test report summary calcium score gated gating ecg dwi adc flair t1 t2 stir
    fse tse gre haste vibe lava thrive space diffusion weighted fat sat fs water inphase opposed phase trace
    exponential apparent coefficient map maps average subtraction attenuation corrected uncorrected ac nac fusion
    fused segmentation segmentations mask label derived secondary primary original image images screen save
    capture ml mg multiphase triphasic biphasic quadriphasic angio angiography runoff urography colonography
    enterography biopsy ablation guidance planning simulation stealth research only use other ge siemens philips
    toshiba canon hitachi fuji neusoft agfa kodak carestream elscint picker marconi medical systems healthcare
    healthineers gehealthcare vitrea osirix slicer highdicom phantom demonstration synthetic unknown none normal
    unspecified anonymous anonymized removed star viewer iv oral po rectal intravenous iodine iodinated iohexol
    iopamidol iomeprol iopromide iodixanol ioversol omnipaque isovue ultravist visipaque optiray imeron gadolinium
    barium saline
"""
_UNIT_NAMES = "mm cm m s sec seconds min ml kv kvp ma mas hu mg g kg ms hz x % iv"
_UNITS = frozenset(_UNIT_NAMES.split())
SAFE_WORDS = frozenset((_ANATOMY + _PHASE + _PROTOCOL).split())
"""Folded words of anatomy, contrast phase and protocol, and names of makers."""

_MEASURE = re.compile(r"\d{1,3}(?:[.,]\d{1,2})?([a-z%]{1,3})?")
_SEPARATORS = re.compile(r"[\s^=_/\\()\[\]{}+,;:&|*\"'<>-]+")


def fold(text: str) -> str:
    """Return text as it is compared: without case, accents and the separators of DICOM names, single spaces."""
    plain = unicodedata.normalize("NFKD", text.replace("^", " ").replace("=", " "))
    kept = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join(unicodedata.normalize("NFC", kept).casefold().split())


def clean_description(text: str) -> str:
    """Return the safe words of a description in their order; numbers stay where a unit follows.

    A number without a unit may be part of a date, an age or an identifier, and goes.
    """
    words = [word for word in _SEPARATORS.split(text) if word]
    kept: list[str] = []
    for place, word in enumerate(words):
        folded = fold(word).strip(".")
        following = fold(words[place + 1]).strip(".") if place + 1 < len(words) else ""
        measure = _MEASURE.fullmatch(folded)
        is_unit = folded in _UNITS and kept != [] and kept[-1] == words[place - 1] and place > 0
        if measure is not None:
            if (measure[1] or following) in _UNITS:
                kept.append(word)
        elif folded in SAFE_WORDS or is_unit:
            kept.append(word)
    return " ".join(kept)
