"""One dataset of each modality: real files that pydicom brings along, and others made as their IOD (PS3.3) asks."""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Callable

from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

from tests.support.phantoms import bundled

EXPLICIT = "1.2.840.10008.1.2.1"
STORAGE = "1.2.840.10008.5.1.4.1.1."
BUNDLED = {
    "CT": "CT_small.dcm",
    "CT slice": "17106",
    "CT other": "6293",
    "MR": "MR_small.dcm",
    "MR big": "MR_small_bigendian.dcm",
    "MR overlay": "examples_overlay.dcm",
    "US": "examples_palette.dcm",
    "US big": "ExplVR_BigEnd.dcm",
    "CR": "6154",
    "SEG": "liver_1frame.dcm",
    "SEG big": "liver_expb_1frame.dcm",
    "RT plan": "rtplan.dcm",
    "RT structures": "rtstruct.dcm",
    "RT dose": "rtdose_rle_1frame.dcm",
    "SR": "test-SR.dcm",
    "SR other": "reportsi.dcm",
    "SC": "SC_rgb_jpeg_dcmtk.dcm",
}
"""Where a modality is a real file."""


def made(modality: str) -> FileDataset:
    """A dataset of the modality, nobody's yet."""
    if modality not in BUNDLED:
        return MADE[modality]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = dcmread(io.BytesIO(bundled(BUNDLED[modality]).read_bytes()), force=True)
        for _ in ds.iterall():  # every value is read in the character set that it was written in
            pass
    if "TransferSyntaxUID" not in ds.file_meta:
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"
    return ds


def _instance(sop_class: str, modality: str, **attributes: object) -> FileDataset:
    ds = FileDataset(None, {}, file_meta=FileMetaDataset(), preamble=bytes(128))
    ds.file_meta.TransferSyntaxUID = EXPLICIT
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = STORAGE + sop_class
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = modality, "Phantom Works", "PW-1000"
    ds.SoftwareVersions, ds.PatientSex = "4.1", "O"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _image(sop_class: str, modality: str, **attributes: object) -> FileDataset:
    pixels = random.Random(modality).randbytes(16 * 16 * 2)
    ds = _instance(sop_class, modality, ImageType=["ORIGINAL", "PRIMARY"], PixelData=pixels, Rows=16, Columns=16)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.BurnedInAnnotation = "NO"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _code(value: str, scheme: str, meaning: str) -> Sequence:
    return Sequence([_item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)])


def _pt() -> FileDataset:
    dose = _item(
        Radiopharmaceutical="FDG",
        RadionuclideTotalDose="370000000",
        RadionuclideHalfLife="6586.2",
        RadionuclidePositronFraction="0.97",
        RadiopharmaceuticalStartTime="091500",
        RadiopharmaceuticalStartDateTime="20160304091500",
        RadionuclideCodeSequence=_code("C-111A1", "SRT", "^18^Fluorine"),
    )
    return _image(
        "128",
        "PT",
        Units="BQML",
        CountsSource="EMISSION",
        SeriesType=["WHOLE BODY", "IMAGE"],
        DecayCorrection="START",
        CollimatorType="NONE",
        PixelSpacing=["4.07", "4.07"],
        SliceThickness="3",
        ImagePositionPatient=["0", "0", "0"],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        FrameReferenceTime="150000",
        DecayFactor="1.02",
        ActualFrameDuration="150000",
        NumberOfSlices=1,
        ImageIndex=1,
        ReconstructionMethod="OSEM 3D",
        RescaleSlope="1.7",
        RescaleIntercept="0",
        RandomsCorrectionMethod="DLYD",
        AttenuationCorrectionMethod="CT-AC",
        ScatterCorrectionMethod="SSS",
        RadiopharmaceuticalInformationSequence=Sequence([dose]),
        CorrectedImage=["DECY", "ATTN"],
    )


def _mg() -> FileDataset:
    view = _code("399162004", "SCT", "cranio-caudal")
    return _image(
        "1.2",
        "MG",
        ImageLaterality="L",
        ViewPosition="CC",
        KVP="28",
        ExposureTime="900",
        XRayTubeCurrent="100",
        BodyPartThickness="52",
        CompressionForce="110",
        OrganDose="0.012",
        EntranceDoseInmGy="4.2",
        Grid="RECIPROCATING",
        AnodeTargetMaterial="TUNGSTEN",
        FilterMaterial="RHODIUM",
        PresentationIntentType="FOR PRESENTATION",
        PositionerType="MAMMOGRAPHIC",
        PositionerPrimaryAngle="0",
        DetectorType="DIRECT",
        DetectorTemperature="30.1",
        BreastImplantPresent="NO",
        PartialView="NO",
        ViewCodeSequence=view,
        PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=1,
        LossyImageCompression="00",
        PresentationLUTShape="IDENTITY",
        QualityControlImage="NO",
        ImagerPixelSpacing=["0.07", "0.07"],
        RescaleSlope="1",
        RescaleIntercept="0",
        RescaleType="US",
    )


def _xa() -> FileDataset:
    return _image(
        "12.1",
        "XA",
        KVP="78",
        RadiationSetting="GR",
        PositionerPrimaryAngle="-30",
        PositionerSecondaryAngle="20",
        DistanceSourceToDetector="1000",
        FieldOfViewShape="ROUND",
        IntensifierSize="220",
        FrameTime="66.7",
        NumberOfFrames=1,
        FrameIncrementPointer=0x00181063,
        PixelIntensityRelationship="LIN",
        CineRate="15",
        PositionerMotion="STATIC",
        AcquisitionDeviceProcessingCode="EDGE2",
        ExposureTime="7",
        XRayTubeCurrent="600",
        RadiationMode="PULSED",
        ContrastBolusAgent="Iomeron",
        ContrastBolusVolume="8.5",
        LossyImageCompression="00",
    )


def _nm() -> FileDataset:
    window = _item(EnergyWindowLowerLimit="126.45", EnergyWindowUpperLimit="154.55")
    energy = _item(EnergyWindowName="Tc99m", EnergyWindowRangeSequence=Sequence([window]))
    detector = _item(CollimatorType="PARA", CollimatorGridName="LEHR", FieldOfViewShape="RECTANGLE", StartAngle="180")
    phase = _item(PhaseDelay="0", NumberOfFramesInPhase=1, PhaseDescription="FLOW", ActualFrameDuration="1000")
    return _image(
        "20",
        "NM",
        ImageType=["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
        NumberOfFrames=1,
        CountsAccumulated="100231",
        FrameIncrementPointer=[0x00540010, 0x00540020],
        EnergyWindowVector=1,
        NumberOfEnergyWindows=1,
        DetectorVector=1,
        NumberOfDetectors=1,
        EnergyWindowInformationSequence=Sequence([energy]),
        PixelSpacing=["2.4", "2.4"],
        DetectorInformationSequence=Sequence([detector]),
        PhaseInformationSequence=Sequence([phase]),
        ScanVelocity="12",
        ScanLength="1500",
        TriggerSourceOrType="EKG",
        WholeBodyTechnique="1PS",
    )


def _pr() -> FileDataset:
    text = _item(
        UnformattedTextValue="lesion, measure here",
        AnchorPoint=[3.5, 4.5],
        AnchorPointVisibility="Y",
        AnchorPointAnnotationUnits="PIXEL",
    )
    circle = _item(
        GraphicAnnotationUnits="PIXEL",
        GraphicDimensions=2,
        NumberOfGraphicPoints=2,
        GraphicData=[1.0, 2.0, 3.0, 4.0],
        GraphicType="CIRCLE",
        GraphicFilled="N",
    )
    layer = _item(GraphicLayer="LAYER1", GraphicLayerOrder=1, GraphicLayerDescription="measurements")
    marks = _item(GraphicLayer="LAYER1", TextObjectSequence=Sequence([text]), GraphicObjectSequence=Sequence([circle]))
    return _instance(
        "11.1",
        "PR",
        ContentLabel="KEY",
        ContentDescription="lesion marked",
        GraphicLayerSequence=Sequence([layer]),
        GraphicAnnotationSequence=Sequence([marks]),
        PresentationLUTShape="IDENTITY",
        ContentCreatorName="",
        PresentationCreationDate="20160304",
        PresentationCreationTime="111213",
    )


def _ko() -> FileDataset:
    title = _code("113000", "DCM", "Of Interest")
    return _instance(
        "88.59",
        "KO",
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        ConceptNameCodeSequence=title,
        ContentTemplateSequence=Sequence([_item(MappingResource="DCMR", TemplateIdentifier="2010")]),
    )


MADE: dict[str, Callable[[], FileDataset]] = {"PT": _pt, "MG": _mg, "XA": _xa, "NM": _nm, "PR": _pr, "KO": _ko}
"""The others."""
