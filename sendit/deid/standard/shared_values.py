"""What many patients' images have alike, which a patient's own date shift must not touch.

A date that is the same for all patients of a device or a site, such as its last calibration, would be in the outputs as
often as there are patients, each time another shift away from the one true date. The true date lies in the middle
between the first and the last of them, and the rest is subtraction. So such dates go as the Basic Profile has them go.
So do the times of day beside them, and counters, which tell which images were made on the same day.
"""

from __future__ import annotations

DATES = frozenset((
    "ApprovalStatusDateTime", "CalibrationDate", "CalibrationDateTime", "CalibrationTime",
    "ContextGroupLocalVersion", "ContextGroupVersion", "DateOfInstallation", "DateOfLastCalibration",
    "DateOfLastDetectorCalibration", "DateOfManufacture", "DateTimeOfLastCalibration", "EffectiveDateTime",
    "EthicsCommitteeApprovalEffectivenessEndDate", "EthicsCommitteeApprovalEffectivenessStartDate",
    "HangingProtocolCreationDateTime", "InformationIssueDateTime", "ProductExpirationDateTime",
    "SourceStrengthReferenceDate", "SourceStrengthReferenceTime", "TemplateLocalVersion", "TemplateVersion",
    "TimeOfLastCalibration", "TimeOfLastDetectorCalibration",
))  # fmt: skip
"""Of devices, sources, products, vocabularies, templates and approvals; rows of PS3.15 Table E.1-1."""

BEYOND_THE_TABLE = (
    "DateOfGainCalibration", "DetectorTimeSinceLastExposure", "ExpirationDateTime", "ExpiryDate",
    "ExposuresOnDetectorSinceLastCalibration", "ExposuresOnDetectorSinceManufactured",
    "ProcedureCreationDate", "ProcedureExpirationDate", "ProcedureLastModifiedDate", "TimeOfGainCalibration",
)  # fmt: skip
"""The same, and a device's counters, which no row of the table names; none is required by an image's IOD."""

TEXTS = frozenset((
    "AcquisitionDeviceProcessingDescription", "AcquisitionProtocolDescription", "AcquisitionProtocolName",
    "AlgorithmDescription", "ConfigurationDescription", "HangingProtocolDescription", "HangingProtocolName",
    "LongDeviceDescription", "PositionAcquisitionTemplateDescription", "PositionAcquisitionTemplateName",
    "ProtocolName",
    "SegmentationCreationTemplateLabel", "SeriesDescription",
))  # fmt: skip
"""What protocols, devices and templates are called: dates in these names are of no one patient."""
