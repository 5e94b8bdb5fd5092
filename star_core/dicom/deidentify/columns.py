"""The option columns of PS3.15 Table E.1-1, and Table E.3.10-1 as far as CT is concerned.

dicom-anonymizer holds the table's column of the basic profile only. These are the others, as the standard prints them
(https://dicom.nema.org/medical/dicom/current/output/chtml/part15/chapter_E.html), by keyword. Columns that follow from
the value representation are written as a rule with its exceptions. Attributes that the standard added later than the
2024 edition are in no column here: the basic profile applies to them whatever is chosen.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEEP_DEVICE = _names("""
    BeamHoldTransitionDateTime CalibrationDate CalibrationDateTime CalibrationTime CassetteID DateOfInstallation
    DateOfLastCalibration DateOfLastDetectorCalibration DateOfManufacture DateTimeOfLastCalibration DetectorID
    DeviceDescription DeviceLabel DeviceSerialNumber DeviceUID GantryID GeneratorID LensMake LensModel LensSerialNumber
    LensSpecification ManufacturerDeviceClassUID ManufacturerDeviceIdentifier ModifyingDeviceID ModifyingSystem
    PerformedStationGeographicLocationCodeSequence PerformedStationName PerformedStationNameCodeSequence PlateID
    ScheduledProcedureStepLocation ScheduledStationGeographicLocationCodeSequence ScheduledStationName
    ScheduledStationNameCodeSequence ScheduledStudyLocation SourceManufacturer SourceSerialNumber StationName
    TimeOfLastCalibration TimeOfLastDetectorCalibration TransducerIdentificationSequence TreatmentMachineName
    UDISequence UniqueDeviceIdentifier XRayDetectorID XRayDetectorLabel XRaySourceID
    """)
"""K in the column Retain Device Identity. Its C, on application entity titles, cannot be told safe from unsafe by a
program: the basic profile applies to them."""

KEEP_INSTITUTION = _names("""
    ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialSiteID
    ClinicalTrialSiteName InstitutionAddress InstitutionCodeSequence InstitutionName InstitutionalDepartmentName
    InstitutionalDepartmentTypeCodeSequence SourceOfPreviousValues
    """)
"""K in the column Retain Institution Identity."""

KEEP_PATIENT = _names("""
    EthnicGroup EthnicGroupCodeSequence PatientAge PatientSex PatientSexNeutered PatientSize PatientWeight
    PregnancyStatus SelectorASValue SmokingStatus
    """)
"""K in the column Retain Patient Characteristics."""

CLEAN_PATIENT = _names("Allergies PatientState PreMedication SpecialNeeds")
"""C in the column Retain Patient Characteristics."""

CLEAN_DESCRIPTORS = _names("""
    AcquisitionComments AcquisitionDeviceProcessingDescription AcquisitionFieldOfViewLabel
    AcquisitionProtocolDescription AdditionalPatientHistory AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription
    Allergies AnnotationGroupDescription AnnotationGroupLabel BeamDescription BolusDescription
    ClinicalTrialSeriesDescription ClinicalTrialTimePointDescription CommentsOnRadiationDose
    CommentsOnThePerformedProcedureStep CompensatorDescription ConceptualVolumeCombinationDescription
    ConceptualVolumeDescription ContainerDescription ContrastBolusAgent ContributionDescription DecompositionDescription
    DerivationDescription DischargeDiagnosisDescription DisplacementReferenceLabel DoseReferenceDescription
    EntityDescription EntityLabel EntityLongLabel EntityName EquipmentFrameOfReferenceDescription
    FilterLookupTableDescription FixationDeviceDescription FractionGroupDescription FractionationNotes FrameComments
    IdentifyingComments ImageComments ImagingServiceRequestComments Impressions InterlockDescription
    InterlockOriginDescription InterpretationDiagnosisDescription InterpretationText LabelText LongDeviceDescription
    MedicalAlerts MultienergyAcquisitionDescription Occupation PatientComments PatientSetupPhotoDescription PatientState
    PatientTreatmentPreparationMethodDescription PatientTreatmentPreparationProcedureParameterDescription
    PerformedProcedureStepDescription PositionAcquisitionTemplateDescription PositionAcquisitionTemplateName
    PrescriptionDescription PrescriptionNotes PrescriptionNotesSequence PriorTreatmentDoseDescription ProtocolName
    PyramidDescription PyramidLabel ROIDescription ROIGenerationDescription ROIName ROIObservationDescription
    ROIObservationLabel RTPhysicianIntentNarrative RTPlanDescription RTPlanLabel RTPlanName RTPrescriptionLabel
    RTToleranceSetLabel RTTreatmentApproachLabel RadiationDoseIdentificationLabel RadiationDoseInVivoMeasurementLabel
    RadiationGenerationModeDescription RadiationGenerationModeLabel ReasonForOmissionDescription
    ReasonForRequestedProcedureCodeSequence ReasonForStudy ReasonForSuperseding ReasonForTheAttributeModification
    ReasonForTheImagingServiceRequest ReasonForTheRequestedProcedure ReasonForVisit ReasonForVisitCodeSequence
    RequestAttributesSequence RequestedContrastAgent RequestedProcedureComments RequestedProcedureDescription
    RequestedSeriesDescription RespiratoryMotionCompensationTechniqueDescription ResultsComments
    ScheduledProcedureStepDescription SelectorLOValue SelectorLTValue SelectorSHValue SelectorSTValue SelectorUTValue
    SeriesDescription ServiceEpisodeDescription SetupTechniqueDescription ShieldingDeviceDescription
    SpecimenDetailedDescription SpecimenShortDescription StructureSetDescription StructureSetLabel StructureSetName
    StudyComments StudyDescription TreatmentPositionGroupLabel TreatmentSite TreatmentSites TreatmentTechniqueNotes
    TreatmentToleranceViolationDescription UserContentLabel UserContentLongLabel VisitComments WaveformFilterDescription
    """)
"""C in the column Clean Descriptors, but for two binary attributes (MakerNote, DeviceSettingDescription): bytes cannot
be cleaned word by word."""

CLEAN_STRUCTURED_CONTENT = _names("AcquisitionContextSequence ContentSequence SpecimenPreparationSequence")
"""C in the column Clean Structured Content."""

DATE_VRS = frozenset({"DA", "DT", "TM"})
NOT_TEMPORAL = _names("PatientBirthDate PatientBirthTime GPSTimeStamp")
"""The column Retain Longitudinal Temporal Information holds every attribute of the table with a date or time but
these, and TimezoneOffsetFromUTC; two of it are binary time stamps, which cannot be shifted."""

NOT_RETAINED_UIDS = _names("DigitalSignatureUID UID")
RETAINED_UID_SEQUENCES = _names("""
    ReferencedImageSequence ReferencedPatientSequence ReferencedPerformedProcedureStepSequence ReferencedStudySequence
    SourceImageSequence
    """)
"""The column Retain UIDs holds every UID of the table but two, and these sequences of references."""

SAFE_PRIVATE: dict[tuple[int, str, int], str] = {
    (0x0019, "GEMS_ACQU_01", 0x23): "DS",  # table speed, mm per rotation
    (0x0019, "GEMS_ACQU_01", 0x24): "DS",  # mid scan time, s
    (0x0019, "GEMS_ACQU_01", 0x27): "DS",  # gantry period
    (0x0043, "GEMS_PARM_01", 0x27): "SH",  # pitch as "n.nnn:1"
    (0x0045, "GEMS_HELIOS_01", 0x01): "SS",  # macro rows in the detector
    (0x0045, "GEMS_HELIOS_01", 0x02): "FL",  # macro width at the isocentre
    (0x00E1, "ELSCINT1", 0x21): "DS",  # dose length product
    (0x00E1, "ELSCINT1", 0x50): "DS",  # acquisition duration
    (0x01E1, "ELSCINT1", 0x26): "CS",  # phantom type
    (0x01F1, "ELSCINT1", 0x01): "CS",  # acquisition type
    (0x01F1, "ELSCINT1", 0x07): "DS",  # table velocity
    (0x01F1, "ELSCINT1", 0x26): "DS",  # pitch
    (0x01F1, "ELSCINT1", 0x27): "DS",  # rotation time
}
"""Rows of PS3.15 Table E.3.10-1 that CT scanners write: (group, private creator, element) and value representation."""
