"""What a site delivers with a given key stays the same from version to version: a patient keeps their pseudonyms.

The expected digests were made by the code before there were projects. The recipe is the test's own, because the shipped
ones may change. Left out is what another version or machine may
have otherwise: how an archive is compressed, where it is stored, the version's own name, and how a report counts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pytest

from sendit.ports import HEADER_COLUMNS
from tests.support.phantoms import accession_number
from tests.support.site import Site, delivery_of

RECIPE = """FORMAT dicom

INCLUDE screening
PROFILE Basic + Retain Longitudinal Temporal Information with Modified Dates + Retain Patient Characteristics \\
+ Retain Device Identity + Retain Safe Private + Clean Descriptors + Clean Structured Content + Clean Graphics
""".replace(" \\\n", " ")
KEY = b"a pseudonym key that only this test has"
COMPRESSION = {"size_bytes", "crc32c", "offset", "length"}
SINCE = {column.name for column in HEADER_COLUMNS} | {
    "orientation", "part", "generation", "blank_patient_id", "pixels", "in_review",
}  # fmt: skip
ELSEWHERE = {"storage_download", "storage_metadataLink", "storage_uri"}
VERSION = {"sendit_version", "software", "blank_patient_id"}
CORE = {"recipe_sha256", "sha256", "profile", "actions", "attributes", "verification"}
"""What a report tells of the recipe's text and of what was searched for: it follows the core and its recipes."""


@dataclass(frozen=True)
class Delivered:
    """What is known of a delivered study: names as they are, contents as SHA-256."""

    object_name: str
    study_instance_uid: str
    date_shift_days: int
    archive: str
    image_rows: str
    study_row: str
    report: str


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode())


def without(value: Any, names: set[str]) -> Any:
    """The value without those keys, at any depth."""
    if isinstance(value, dict):
        return {name: without(one, names) for name, one in value.items() if name not in names}
    return [without(one, names) for one in value] if isinstance(value, list) else value


def rows(site: Site, table: str, object_name: str) -> list[dict[str, Any]]:
    order = "member" if table == "instance" else "object_name"
    sql = f"SELECT * FROM {table} WHERE object_name = '{object_name}' ORDER BY {order}"
    return json.loads(site.call("query", sql, "--format", "json"))


def delivered(site: Site) -> Delivered:
    """Process and deliver what is there with the test's key; what came of it."""
    (site.var / "secrets").mkdir(exist_ok=True)
    (site.var / "secrets" / "pseudonym.key").write_bytes(KEY)
    site.process()
    (batch,) = site.deliver()
    assert batch.state == "DONE", batch.errors
    store = site.var / "store"
    report = json.loads((store / delivery_of(batch).object_name.replace(".tar.gz", ".report.json")).read_bytes())
    (study,) = rows(site, "dicom", delivery_of(batch).object_name)
    return Delivered(
        object_name=delivery_of(batch).object_name,
        study_instance_uid=study["StudyInstanceUID"],
        date_shift_days=batch.identifiers.response.reveal()["jitter"],
        archive=sha256(gzip.decompress((store / delivery_of(batch).object_name).read_bytes())),
        image_rows=digest(without(rows(site, "instance", delivery_of(batch).object_name), COMPRESSION | SINCE)),
        study_row=digest(without(study, COMPRESSION | ELSEWHERE | VERSION | SINCE | {"recipe_sha256"})),
        report=digest(without(report, COMPRESSION | VERSION | CORE | SINCE)),
    )


def ct(site: Site) -> None:
    site.study(1, images=4, series=2)


def mr(site: Site) -> None:
    site.study(2, images=3, base="MR_small.dcm", StudyDate="20031117", PatientAge="091Y")


def mr_without_accession(site: Site) -> None:
    """The folder's name identifies the study, as it did before a Study Instance UID could."""
    site._monkeypatch.setattr("sendit.projects.project.LOCAL_UID_SOURCE", "")
    site.study(3, images=1, base="MR_small.dcm", AccessionNumber="", StudyDate="", PatientBirthDate="")


def same_patient(site: Site) -> None:
    """The patient of `ct` in a study of another day: the same pseudonym and shift."""
    folder = site.study(1, images=2, series=1, AccessionNumber=accession_number(9), StudyDate="20190228")
    folder.rename(folder.with_name(accession_number(9)))


EXPECTED: dict[Any, Delivered] = {
    ct: Delivered(
        object_name="Collection/IRB00000/Entity/mlegrhtc7swxfs6a/mlegrhtc7swxfs6a_20041217_7emflvu3jsrf6pss.tar.gz",
        study_instance_uid="2.25.12948562225622628745805897522820531229",
        date_shift_days=333,
        archive="fe3ce91b123ccb8777cea11087f0532e73ca59db5f20ee5296d1e110704158c3",
        image_rows="20892ff5255f7c120daa90da0dcfa86047f00a54c02a366c9e6be576b6fe13b6",
        study_row="e9da7e0a913e5283c7ea9b9b2118e66f9ef78605221d6d71b2d3578cf78bd962",
        report="d025ab15dd00e9b169b8effd134a59e5292f42d4a84122cb7a9c035931b9d15f",
    ),
    mr: Delivered(
        object_name="Collection/IRB00000/Entity/cmbniccuhkmfr3st/cmbniccuhkmfr3st_20040628_67246d6zohtpbx5l.tar.gz",
        study_instance_uid="2.25.35743249012582667038814434710653751421",
        date_shift_days=224,
        archive="73d4068d71f485703004f4296d3376c4fc7482b3a88723aa7e54569d9b870c7c",
        image_rows="8aba90438946edc5f97264b23a06dacdbbc928a6f130bb6fcee349af48b9b4da",
        study_row="44d7828ae1b204dc7365e88480fc35beb11ab6d136b056321e30fcc9f8fdf646",
        report="eae039b89e49d8dd5f540e20d28b882557df2def3b1c788a9640cd282ba234c9",
    ),
    mr_without_accession: Delivered(
        object_name="Collection/IRB00000/Entity/qnntgkcdwfxbeaqm/qnntgkcdwfxbeaqm_00000000_rjtmnve6pfm4x35o.tar.gz",
        study_instance_uid="2.25.237641483925337963555283815268037402263",
        date_shift_days=53,
        archive="7eb5d777b45dae006970a1869ce1af06f345356af20489384ad4c5424064ef7b",
        image_rows="1725201ddfeed13ecf9a02f23e0e0b761cdeae8f275958fee70c5f555ad29458",
        study_row="025b719b34eadc1540d8303274c935674782bbc2a5fba2cd01b75bf97ae18cc9",
        report="d8a3b2bda94c2881c188b23029aa6a55810a65f3bc364e458b471f7b00615924",
    ),
    same_patient: Delivered(
        object_name="Collection/IRB00000/Entity/mlegrhtc7swxfs6a/mlegrhtc7swxfs6a_20200127_rhkkro2wb5dzbsjd.tar.gz",
        study_instance_uid="2.25.12948562225622628745805897522820531229",
        date_shift_days=333,
        archive="3e13deb0ef4ba8b09ef27eb7957630a581d3189dfd0b4af40bc17cfe41bd20e0",
        image_rows="f146ed3bf70a5758589704a27cd7de5afbffc0a845a7763a4c68727ded77bee8",
        study_row="957325388aabfb373d1caf125753fb1bed7ac2296e7f308d6ec1a5e3be2626ac",
        report="bf91f4c542e76139e942d64c800babe18a50fd5e571629c67cc8abb1e8e9d22e",
    ),
}
OTHER_SETTINGS = Delivered(
    object_name="Collection/trial-7/Entity/aedqaxvhdep4gk7c/aedqaxvhdep4gk7c_20040104_pwn4qvmmzpyf73f4.tar.gz",
    study_instance_uid="2.25.12948562225622628745805897522820531229",
    date_shift_days=-15,
    archive="c793ada6486d4f990022c57fb1073f664616f80ec91ed8aacd4d57cfea45ca29",
    image_rows="34dd05ca99139aba8c80e232ec9c0a8b5bd0ba631b7e6218e94b2311d49fa2a3",
    study_row="797ae91398e2c7fcd9aea556d49d606ccdf4ac95cd218d4827f8d811abd63153",
    report="61a0410a67214beafa064ea37d1bba7852f7c14031a785a528adb2b071c056df",
)


@pytest.mark.parametrize("make", EXPECTED, ids=lambda make: make.__name__)
def test_a_study_is_delivered_as_by_the_version_before_projects(site: Site, make: Any) -> None:
    recipe = site.var / "pinned.recipe"
    recipe.write_text(RECIPE)
    site.set(STUDY_DEID=str(recipe))
    make(site)
    assert delivered(site) == EXPECTED[make]


def test_the_local_identity_service_and_the_recipe_are_those_of_the_settings(site: Site) -> None:
    """Names of the identity request are part of what is keyed: other settings, other pseudonyms, also for ever."""
    site.set(SOM_STUDY="IRB1", ENTITY_ID_SOURCE="MRN", ITEM_ID_SOURCE="ACC", MAX_DATE_SHIFT_DAYS=30)
    site.set(GOOGLE_STORAGE_COLLECTION="trial-7", STUDY_DEID="basic")
    ct(site)
    assert delivered(site) == OTHER_SETTINGS
