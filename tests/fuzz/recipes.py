"""The recipes whose mutants are parsed: the shipped ones, deid's own, and one that uses every form of the language."""

from __future__ import annotations

from functools import cache

from sendit.deid.recipe.recipe import find_recipe

EVERY_FORM = r"""FORMAT dicom
INCLUDE screening
PROFILE Basic + Retain UIDs + Clean Descriptors
%profile
REMOVE select:retired:yes
REMOVE select:unknown:yes
BLANK type:2|2C|unknown:StudyID
REPLACE InstitutionCodeSequence code:(261665006, SCT, "Unknown")
%header   # every form
ADD PatientIdentityRemoved YES
ADD OtherPatientIDsSequence__0__PatientID var:entity_id
BLANK PatientBirthDate
JITTER StudyDate -31
JITTER select:VR:DT var:jitter
KEEP (0010,0040)
KEEP 00101010
KEEP "Patient's Weight"
REMOVE ALL
REMOVE startswith:Patient|Other
REMOVE endswith:Name
REMOVE contains:^\(0009,
REMOVE except:Study
REMOVE allexcept:Series|Study
REMOVE select:group:0x0010
REMOVE select:private:yes
REMOVE fields:people
REMOVE values:names
REMOVE StudyDescription values:names
REMOVE SeriesDescription func:is_named
REPLACE (0033,"MITRA MARKUP 1.0",1E) X
REPLACE ReferencedStudySequence__ReferencedSOPInstanceUID deid_func:pydicom_uuid prefix=1.2.3. stable_remapping=true
REPLACE AccessionNumber "a # in quotes"
%fields people
FIELD contains:Physician
FIELD OperatorsName
%values names
FIELD PatientID
SPLIT PatientName by="^";minlength=4
%labels
ADD MEANING test
%filter whitelist
LABEL one   # comment
  contains Modality CT|MR
  + notequals BurnedInAnnotation YES || missing BurnedInAnnotation
%filter graylist
LABEL two
  equals Manufacturer GE + present Rows
  coordinates 0,0,100,20
  ctpcoordinates 0,0,100,20
  keepcoordinates from:SequenceOfUltrasoundRegions
"""


@cache
def texts() -> tuple[str, ...]:
    """Their texts."""
    names = ("research", "limited-dataset", "descriptions", "dicom", "dicom.xray.chest", "dicom.ultrasound")
    return EVERY_FORM, EVERY_FORM, *(find_recipe(name).text for name in names)
