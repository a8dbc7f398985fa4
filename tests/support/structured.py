"""Structured reports, key objects, presentation states and waveforms, made as their IODs (PS3.3) ask, with identifiers
wherever a value can hold one. Each comes as a dataset; `written` gives its bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

STORAGE = "1.2.840.10008.5.1.4.1.1."
EXPLICIT = "1.2.840.10008.1.2.1"
CT = STORAGE + "2"

PATIENT, PATIENT_ID, ACCESSION = "Okonkwo-Hale^Ngozi", "MRN-773301", "ACC55012"
READER, VERIFIER, TECHNOLOGIST = "Ferreira^Tomasz", "Lindqvist^Saoirse", "Achterberg^Willem"
HOSPITAL, LOGIN, SERIAL, SPECIMEN = "Brannock Infirmary", "tferreira77", "SN-0098812", "S19-44817"
BIRTH_DATE, PHONE, UID = "19430517", "+44 20 7946 0958", "1.2.826.0.1.3680043.9.3811.77"
SECRETS = (
    "okonkwo",
    "hale",
    "ngozi",
    "mrn-773301",
    "773301",
    "acc55012",
    "ferreira",
    "tomasz",
    "lindqvist",
    "saoirse",
    "achterberg",
    "willem",
    "brannock",
    "tferreira77",
    "sn-0098812",
    "s19-44817",
    "19430517",
    "1943-05-17",
    "17.05.1943",
    "7946",
    "1.2.826.0.1.3680043.9.3811",
)
"""What no output may hold, in lower case."""
TEXT = (
    "Ngozi OKONKWO-HALE (MRN-773301, born 17.05.1943), acc. ACC55012: nodule in the right upper lobe, 12 mm. "
    "Read by Dr. Ferreira, verified by Lindqvist at Brannock Infirmary, call +44 20 7946 0958."
)
"""It identifies in nine ways; of it stays that there is a nodule in the right upper lobe, of 12 mm."""


def item(**attributes: Any) -> Dataset:
    """An item with these attributes; a Dataset or a list of them is a sequence."""
    ds = Dataset()
    for keyword, value in attributes.items():
        is_items = isinstance(value, Dataset) or (isinstance(value, list) and value and isinstance(value[0], Dataset))
        setattr(ds, keyword, Sequence([value] if isinstance(value, Dataset) else value) if is_items else value)
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """The item of a code sequence (PS3.3 8)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def content(value_type: str, relationship: str, concept: Dataset, **attributes: Any) -> Dataset:
    """A content item (PS3.3 C.17.3)."""
    return item(RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=concept, **attributes)


def instance(end: str, modality: str, **attributes: Any) -> FileDataset:
    """An instance of a class, of the one patient and study."""
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=bytes(128))
    ds.file_meta.TransferSyntaxUID = EXPLICIT
    ds.file_meta.MediaStorageSOPClassUID = STORAGE + end
    ds.file_meta.MediaStorageSOPInstanceUID = f"{UID}.{end}"
    header = item(
        SpecificCharacterSet="ISO_IR 100",
        SOPClassUID=STORAGE + end,
        SOPInstanceUID=f"{UID}.{end}",
        Modality=modality,
        StudyInstanceUID=f"{UID}.1",
        SeriesInstanceUID=f"{UID}.2",
        StudyDate="20200131",
        StudyTime="101112",
        PatientName=PATIENT,
        PatientID=PATIENT_ID,
        PatientBirthDate=BIRTH_DATE,
        PatientSex="F",
        StudyID="1",
        AccessionNumber=ACCESSION,
        ReferringPhysicianName=READER,
        SeriesNumber="1",
        InstanceNumber="1",
        Manufacturer="Phantom Works",
        ManufacturerModelName="PW-1000",
        DeviceSerialNumber=SERIAL,
        SoftwareVersions="4.1",
        ContentDate="20200131",
        ContentTime="101500",
        InstitutionName=HOSPITAL,
        **attributes,
    )
    ds.update(header)
    return ds


def written(ds: FileDataset) -> bytes:
    """The bytes of a file."""
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


# ---------------------------------------------------------------------------------------------- structured reports

_CONTAINS, _CONTEXT, _MODIFIER = "CONTAINS", "HAS OBS CONTEXT", "HAS CONCEPT MOD"


def _observers() -> list[Dataset]:
    """The observation context of TID 1001: observers, subject and procedure, each said by text, name or UID."""
    return [
        content(
            "CODE",
            _CONTEXT,
            code("121005", "DCM", "Observer Type"),
            ConceptCodeSequence=code("121006", "DCM", "Person"),
        ),
        content("PNAME", _CONTEXT, code("121008", "DCM", "Person Observer Name"), PersonName=TECHNOLOGIST),
        content("TEXT", _CONTEXT, code("128774", "DCM", "Person Observer's Login Name"), TextValue=LOGIN),
        content("TEXT", _CONTEXT, code("121009", "DCM", "Person Observer's Organization Name"), TextValue=HOSPITAL),
        content("UIDREF", _CONTEXT, code("121012", "DCM", "Device Observer UID"), UID=f"{UID}.3"),
        content("TEXT", _CONTEXT, code("121013", "DCM", "Device Observer Name"), TextValue="BRANNOCK CT 2"),
        content("TEXT", _CONTEXT, code("121016", "DCM", "Device Observer Serial Number"), TextValue=SERIAL),
        content(
            "TEXT",
            _CONTEXT,
            code("121017", "DCM", "Device Observer Physical Location during observation"),
            TextValue="Room 4, Brannock",
        ),
        content("PNAME", _CONTEXT, code("121029", "DCM", "Subject Name"), PersonName=PATIENT),
        content("TEXT", _CONTEXT, code("121030", "DCM", "Subject ID"), TextValue=PATIENT_ID),
        content("DATE", _CONTEXT, code("121031", "DCM", "Subject Birth Date"), Date=BIRTH_DATE),
        content("UIDREF", _CONTEXT, code("121018", "DCM", "Procedure Study Instance UID"), UID=f"{UID}.1"),
        content("TEXT", _CONTEXT, code("121022", "DCM", "Accession Number"), TextValue=ACCESSION),
    ]


def _number(concept: Dataset, value: str, unit: str) -> Dataset:
    measured = item(NumericValue=value, MeasurementUnitsCodeSequence=code(unit, "UCUM", unit))
    return content("NUM", _CONTAINS, concept, MeasuredValueSequence=measured)


def _values() -> list[Dataset]:
    """A content item of each Value Type, with what identifies wherever it can."""
    image = item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{UID}.9")
    own = code("OKONKWO1", "99BRANNOCK", "Nodule of Mrs Okonkwo-Hale")
    point = item(RelationshipType="SELECTED FROM", ValueType="IMAGE", ReferencedSOPSequence=image, TextValue=TEXT)
    return [
        content("TEXT", _CONTAINS, code("121071", "DCM", "Finding"), TextValue=TEXT),
        content("CODE", _CONTAINS, code("121071", "DCM", "Finding"), ConceptCodeSequence=own),
        content(
            "CODE",
            _CONTAINS,
            code("363698007", "SCT", "Finding Site"),
            ConceptCodeSequence=code("39607008", "SCT", "Lung"),
        ),
        content("DATETIME", _CONTAINS, code("111526", "DCM", "DateTime Started"), DateTime="20200131101112"),
        content("DATE", _CONTAINS, code("111060", "DCM", "Study Date"), Date="20200131"),
        content("TIME", _CONTAINS, code("111061", "DCM", "Study Time"), Time="101112"),
        content("PNAME", _CONTAINS, code("121152", "DCM", "Person"), PersonName=VERIFIER),
        content("UIDREF", _CONTAINS, code("112040", "DCM", "Tracking Unique Identifier"), UID=f"{UID}.5"),
        content("TEXT", _CONTAINS, code("112039", "DCM", "Tracking Identifier"), TextValue="Okonkwo-Hale nodule 1"),
        content("TEXT", _CONTAINS, code("121041", "DCM", "Specimen Identifier"), TextValue=SPECIMEN),
        content("IMAGE", _CONTAINS, code("121180", "DCM", "Key Images"), ReferencedSOPSequence=image),
        content("COMPOSITE", _CONTAINS, code("121071", "DCM", "Finding"), ReferencedSOPSequence=image),
        content(
            "SCOORD",
            _CONTAINS,
            code("111030", "DCM", "Image Region"),
            GraphicType="POINT",
            GraphicData=[3.5, 4.5],
            ContentSequence=point,
        ),
        _number(code("410668003", "SCT", "Length"), "12.25", "mm"),
        _number(code("PRIV1", "99BRANNOCK", "Okonkwo index"), "3.5", "1"),
    ]


def report(end: str = "88.33", title: Dataset | None = None, more: list[Dataset] | None = None) -> FileDataset:
    """A report whose content tree holds every Value Type, an observation context and what stands around it."""
    verifier = item(
        VerifyingOrganization=HOSPITAL,
        VerificationDateTime="20200131120000",
        VerifyingObserverName=VERIFIER,
        VerifyingObserverIdentificationCodeSequence=code("VO77", "99BRANNOCK", "Lindqvist, Saoirse"),
    )
    author = item(
        ObserverType="PSN",
        PersonName=READER,
        InstitutionName=HOSPITAL,
        PersonIdentificationCodeSequence=code("P1", "99BRANNOCK", "Ferreira, Tomasz"),
        InstitutionCodeSequence=code("I1", "99BRANNOCK", HOSPITAL),
    )
    request = item(
        StudyInstanceUID=f"{UID}.1",
        AccessionNumber=ACCESSION,
        PlacerOrderNumberImagingServiceRequest="ORD-991-A",
        FillerOrderNumberImagingServiceRequest="",
        RequestedProcedureID="RP1",
        RequestedProcedureDescription=TEXT[:64],
        RequestedProcedureCodeSequence=code("RPC", "99BRANNOCK", "CT thorax Okonkwo"),
        ReferencedStudySequence=[],
    )
    evidence = item(
        StudyInstanceUID=f"{UID}.1",
        ReferencedSeriesSequence=item(
            SeriesInstanceUID=f"{UID}.8",
            RetrieveAETitle="BRANNOCK_PACS",
            ReferencedSOPSequence=item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{UID}.9"),
        ),
    )
    return instance(
        end,
        "SR",
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        CompletionFlag="COMPLETE",
        CompletionFlagDescription="signed off by Dr. Lindqvist",
        VerificationFlag="VERIFIED",
        ConceptNameCodeSequence=title or code("126000", "DCM", "Imaging Measurement Report"),
        ContentTemplateSequence=item(MappingResource="DCMR", TemplateIdentifier="1500"),
        VerifyingObserverSequence=verifier,
        AuthorObserverSequence=author,
        ReferencedRequestSequence=request,
        CurrentRequestedProcedureEvidenceSequence=evidence,
        PerformedProcedureCodeSequence=[],
        ReferencedPerformedProcedureStepSequence=[],
        ObservationDateTime="20200131101500",
        ContentSequence=[*_observers(), *_values(), *(more or [])],
    )


def dose_report() -> FileDataset:
    """An X-ray radiation dose report (TID 10011), with its irradiation event."""
    event = [
        content("TEXT", _CONTAINS, code("125203", "DCM", "Acquisition Protocol"), TextValue="Thorax Okonkwo 1mm"),
        content("UIDREF", _CONTAINS, code("113769", "DCM", "Irradiation Event UID"), UID=f"{UID}.6"),
        _number(code("113830", "DCM", "Mean CTDIvol"), "8.31", "mGy"),
        _number(code("113838", "DCM", "DLP"), "301.5", "mGy.cm"),
        content("PNAME", _CONTAINS, code("113870", "DCM", "Person Name"), PersonName=TECHNOLOGIST),
        content("TEXT", _CONTAINS, code("113871", "DCM", "Person ID"), TextValue=LOGIN),
        content("TEXT", _CONTAINS, code("113873", "DCM", "Organization Name"), TextValue=HOSPITAL),
    ]
    acquisition = content(
        "CONTAINER",
        _CONTAINS,
        code("113819", "DCM", "CT Acquisition"),
        ContinuityOfContent="SEPARATE",
        ContentSequence=event,
    )
    return report("88.67", code("113701", "DCM", "X-Ray Radiation Dose Report"), [acquisition])


def key_objects() -> FileDataset:
    """A key object selection (TID 2010)."""
    ds = report("88.59", code("113000", "DCM", "Of Interest"))
    ds.Modality = "KO"
    ds.ContentTemplateSequence[0].TemplateIdentifier = "2010"
    description = content("TEXT", _CONTAINS, code("113012", "DCM", "Key Object Description"), TextValue=TEXT)
    kept = [one for one in ds.ContentSequence if one.ValueType in ("IMAGE", "PNAME", "UIDREF", "CODE")]
    ds.ContentSequence = Sequence([*kept, description])
    return ds


# ---------------------------------------------------------------------------------------------- presentation states


def presentation_state() -> FileDataset:
    """A grayscale softcopy presentation state with text objects, layers, groups and its author."""
    box = item(
        BoundingBoxAnnotationUnits="PIXEL",
        UnformattedTextValue=TEXT,
        BoundingBoxTopLeftHandCorner=[1.0, 2.0],
        BoundingBoxBottomRightHandCorner=[90.0, 20.0],
        BoundingBoxTextHorizontalJustification="LEFT",
    )
    anchored = item(
        UnformattedTextValue="12 mm, Okonkwo",
        AnchorPoint=[3.5, 4.5],
        AnchorPointVisibility="Y",
        AnchorPointAnnotationUnits="PIXEL",
    )
    circle = item(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[1.0, 2.0, 3.0, 4.0],
        GraphicType="CIRCLE",
        GraphicFilled="N",
    )
    image = item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{UID}.9")
    area = item(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[512, 512],
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelSpacing=["0.5", "0.5"],
        ReferencedImageSequence=image,
    )
    marks = item(
        ReferencedImageSequence=image,
        GraphicLayer="FERREIRA",
        TextObjectSequence=[box, anchored],
        GraphicObjectSequence=circle,
    )
    return instance(
        "11.1",
        "PR",
        ContentLabel="OKONKWO_HALE",
        ContentDescription=TEXT[:60],
        ContentCreatorName=READER,
        ContentCreatorIdentificationCodeSequence=item(
            PersonIdentificationCodeSequence=code("P1", "99BRANNOCK", "Ferreira, Tomasz"),
            InstitutionName=HOSPITAL,
            PersonAddress="12 Elm Street",
            PersonTelephoneNumbers=PHONE,
        ),
        PresentationCreationDate="20200131",
        PresentationCreationTime="101500",
        PresentationLUTShape="IDENTITY",
        ReferencedSeriesSequence=item(SeriesInstanceUID=f"{UID}.8", ReferencedImageSequence=image),
        DisplayedAreaSelectionSequence=area,
        GraphicAnnotationSequence=marks,
        GraphicLayerSequence=item(
            GraphicLayer="FERREIRA", GraphicLayerOrder=1, GraphicLayerDescription="marks of Dr. Ferreira"
        ),
        GraphicGroupSequence=item(GraphicGroupID=1, GraphicGroupLabel="Okonkwo", GraphicGroupDescription=TEXT),
    )


# ---------------------------------------------------------------------------------------------- waveforms


def electrocardiogram() -> FileDataset:
    """A 12-lead ECG of two channels: annotations by text, code and number, labels of channels and groups."""
    channels = [
        item(
            ChannelLabel=label,
            ChannelSourceSequence=code(lead, "MDC", meaning),
            ChannelSensitivity="1.25",
            ChannelSensitivityUnitsSequence=code("uV", "UCUM", "microvolt"),
            ChannelSensitivityCorrectionFactor="1",
            ChannelBaseline="0",
            ChannelSampleSkew="0",
            WaveformBitsStored=16,
            FilterLowFrequency="0.05",
            ChannelDerivationDescription="lead moved by Dr. Ferreira",
        )
        for label, lead, meaning in (("Okonkwo I", "2:1", "Lead I"), ("Lead II", "2:2", "Lead II"))
    ]
    group = item(
        MultiplexGroupTimeOffset="0",
        WaveformOriginality="ORIGINAL",
        NumberOfWaveformChannels=2,
        NumberOfWaveformSamples=64,
        SamplingFrequency="500",
        MultiplexGroupLabel="RHYTHM Okonkwo",
        ChannelDefinitionSequence=channels,
        WaveformBitsAllocated=16,
        WaveformSampleInterpretation="SS",
        WaveformData=bytes(range(256)),
    )
    annotations = [
        item(UnformattedTextValue=TEXT, ReferencedWaveformChannels=[1, 0], AnnotationGroupNumber=0),
        item(UnformattedTextValue="SINUS RHYTHM", ReferencedWaveformChannels=[1, 0], AnnotationGroupNumber=0),
        item(
            ConceptNameCodeSequence=code("OK1", "99BRANNOCK", "Rhythm of Okonkwo"),
            ConceptCodeSequence=code("2", "99BRANNOCK", "seen by Dr. Ferreira"),
            ReferencedWaveformChannels=[1, 0],
            AnnotationGroupNumber=1,
        ),
        item(
            ConceptNameCodeSequence=code("2:16016", "MDC", "RR Interval"),
            NumericValue="982",
            MeasurementUnitsCodeSequence=code("ms", "UCUM", "ms"),
            ReferencedWaveformChannels=[1, 0],
            AnnotationGroupNumber=1,
            TemporalRangeType="POINT",
            ReferencedDateTime="20200131101112",
        ),
    ]
    return instance(
        "9.1.1",
        "ECG",
        AcquisitionDateTime="20200131101112",
        AcquisitionContextSequence=[],
        WaveformSequence=group,
        WaveformAnnotationSequence=annotations,
        OperatorsName=TECHNOLOGIST,
        CurrentPatientLocation="Ward Brannock 3",
        PatientComments=TEXT,
    )


OBJECTS: dict[str, Callable[[], FileDataset]] = {
    "report": report,
    "dose report": dose_report,
    "key objects": key_objects,
    "presentation state": presentation_state,
    "electrocardiogram": electrocardiogram,
}
