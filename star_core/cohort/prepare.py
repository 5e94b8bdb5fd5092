"""A scan, its structures and a record as one input of the network."""

from __future__ import annotations

from star_core.clinical.fields import encode_record
from star_core.imaging.preprocess import PreprocessConfig, prepare_image
from star_core.types import ClinicalRecord, Masks, ModelInput, Volume


def build_model_input(
    volume: Volume,
    masks: Masks | None,
    record: ClinicalRecord,
    *,
    config: PreprocessConfig | None = None,
    centre_index: float | None = None,
) -> ModelInput:
    """Return the input of one patient; see :func:`star_core.imaging.preprocess.prepare_image`."""
    prepared = prepare_image(volume, masks, config=config, centre_index=centre_index)
    values, missing = encode_record(record)
    return ModelInput(
        image=prepared.image,
        fractions=prepared.fractions,
        known=prepared.known,
        clinical=values,
        clinical_missing=missing,
        geometry=prepared.geometry,
        centring_rule=prepared.centring_rule,
        centre_index=prepared.centre_index,
        findings=prepared.findings,
    )
