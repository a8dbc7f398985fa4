"""Which images are a project's: by the AE titles under which they are sent, and by values of their headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from pydicom import dcmread

from sendit.errors import Misconfigured
from sendit.pipeline.record.models import Batch, Image
from sendit.receiving.peers import RenewedPeers, peers_of
from tests.support.dicom_network import dcmtk, receiving_on, wait
from tests.support.phantoms import make_study
from tests.support.site import Site

PEERS = """
[peers.ct]
called = "SENDIT"
calling = "CT1"
addresses = ["10.0.0.0/8"]

[peers.any]
called = "*"
calling = "*"
addresses = ["10.0.0.0/8"]
"""


@pytest.fixture
def folders(site: Site) -> dict[str, Path]:
    (site.var / "peers.toml").write_text(PEERS)
    found = {name: site.data.parent / name for name in ("lung", "heart", "both")}
    for folder in found.values():
        folder.mkdir()
    return found


def landing(called: str, calling: str) -> str:
    peer = peers_of(settings.SITE).find(called, calling, "10.1.1.1")
    assert peer is not None
    return peer.data_folder.name


# ------------------------------------------------------------------------------------------------- AE titles


def test_what_is_sent_lands_by_called_and_calling_title_and_else_as_before(
    site: Site, folders: dict[str, Path]
) -> None:
    site.project("lung", f'data_folders = ["{folders["lung"]}"]\ncalled_ae_titles = ["LUNG", "LUNG2"]\n')
    site.project("heart", f'data_folders = ["{folders["heart"]}"]\ncalling_ae_titles = ["CT1"]\n')
    both = 'called_ae_titles = ["LUNG"]\ncalling_ae_titles = ["CT1"]\n'
    site.project("both", f'data_folders = ["{folders["both"]}"]\n{both}')
    assert landing("LUNG2", "CT9") == "lung"
    assert landing("SENDIT", "CT1") == "heart"
    assert landing("LUNG2", "CT1") == "lung"
    assert landing("LUNG", "CT1") == "both"
    assert landing("SENDIT", "CT9") == "data"
    assert {folder.name for folder in peers_of(settings.SITE).data_folders} == {"data", "lung", "heart", "both"}


def test_a_title_lets_nobody_in_whom_the_peers_file_does_not_know(site: Site, folders: dict[str, Path]) -> None:
    site.project("lung", f'data_folders = ["{folders["lung"]}"]\ncalled_ae_titles = ["LUNG"]\n')
    assert peers_of(settings.SITE).find("LUNG", "CT1", "192.168.0.1") is None


def test_two_projects_that_want_one_title_in_two_folders_are_refused(site: Site, folders: dict[str, Path]) -> None:
    for name in ("lung", "heart"):
        site.project(name, f'data_folders = ["{folders[name]}"]\ncalled_ae_titles = ["X", "{name.upper()}"]\n')
    assert site.projects.refused.keys() == {"lung", "heart"}
    for name in ("lung", "heart"):
        site.project(name, f'data_folders = ["{folders["lung"]}"]\ncalled_ae_titles = ["X", "{name.upper()}"]\n')
    assert site.projects.names == ("default", "heart", "lung")
    assert landing("X", "CT1") == "lung"


def test_a_project_with_titles_has_a_data_folder(site: Site) -> None:
    site.project("lung", 'title = "x"\ncalled_ae_titles = ["X"]\ndata_folders = []\n')
    assert "lung.toml, line 2, called_ae_titles: a project with AE titles names data_folders" in str(
        site.projects.refused["lung"]
    )


def test_the_listener_takes_up_a_project_that_is_added_while_it_runs(site: Site, folders: dict[str, Path]) -> None:
    source = make_study(site.data.parent / "out", number=3, images=1)[0]
    with receiving_on(site) as receiving:
        receiving.restart(
            '[peers.any]\ncalled = "*"\ncalling = "*"\naddresses = ["127.0.0.1"]\n',
        )
        site.project("lung", f'data_folders = ["{folders["lung"]}"]\ncalled_ae_titles = ["LUNG"]\n')

        def lands() -> bool:
            dcmtk("storescu", "-aec", "LUNG", "-aet", "CT1", "127.0.0.1", receiving.port, source)
            return any(path.suffix == ".dcm" or path.is_dir() for path in folders["lung"].iterdir())

        wait(lands)


def test_a_file_that_is_wrong_leaves_the_peers_as_they_were(site: Site, folders: dict[str, Path]) -> None:
    renewed = RenewedPeers(settings.SITE)
    assert renewed() is None
    (site.var / "peers.toml").write_text("nonsense")
    with pytest.raises(Misconfigured, match="BadPeers"):
        renewed()
    assert renewed() is None
    (site.var / "peers.toml").write_text(PEERS)
    assert renewed() == renewed.first


# ------------------------------------------------------------------------------------------------- header values


def outcomes(project: str) -> list[tuple[str, str]]:
    found = Image.objects.filter(batch__project=project).order_by("number")
    return list(found.values_list("outcome", "rule"))


def test_each_project_takes_the_images_that_its_criteria_fit(site: Site) -> None:
    site.project("lung", 'takes = ["equals Modality CT + contains BodyPartExamined chest", "equals Modality PT"]\n')
    site.project("heart", 'takes = ["contains BodyPartExamined heart"]\n')
    folder = make_study(site.data / "one", number=1, images=3, BodyPartExamined="CHEST")[0].parent
    _write(folder, 1, BodyPartExamined="HEART")
    _write(folder, 2, Modality="PT", BodyPartExamined="HEART")
    site.process()
    withheld = ("filtered", "sendit: not of the project")
    assert outcomes("lung") == [("delivered", ""), withheld, ("delivered", "")]
    assert outcomes("heart") == [withheld, ("delivered", ""), ("delivered", "")]
    assert outcomes("default") == [("delivered", "")] * 3


def _write(folder: Path, index: int, **values: str) -> None:
    path = sorted(folder.iterdir())[index]
    ds = dcmread(path)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    ds.save_as(path)


def test_a_study_of_which_nothing_is_the_projects_is_empty_and_asks_nobody(site: Site) -> None:
    site.project("mr", 'takes = ["equals Modality MR"]\n')
    site.study(1, images=2)
    site.process()
    assert Batch.objects.get(project="mr").state == "EMPTY"
    assert Batch.objects.get(project="mr").item_suid == ""


def test_a_criterion_may_ask_what_tells_the_images_of_a_series_apart(site: Site) -> None:
    site.project("one", 'takes = ["equals InstanceNumber 2"]\n')
    site.study(1, images=3)
    site.process()
    assert [outcome for outcome, _ in outcomes("one")] == ["filtered", "delivered", "filtered"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('"equals Modallity CT"', "Modallity"),
        ('"is Modality CT"', "is is no criterion"),
        ('"+ equals Modality CT"', "begins with no operator"),
        ('""', "a list of criteria"),
    ],
)
def test_criteria_that_nobody_understands_are_named_with_their_line(site: Site, line: str, says: str) -> None:
    site.project("lung", f"takes = [{line}]\n")
    refused = str(site.projects.refused["lung"])
    assert "lung.toml, line 2, takes: " in refused and says in refused


def test_what_a_project_takes_is_in_its_fingerprint(site: Site) -> None:
    site.project("lung")
    before = site.projects.of("lung").project.fingerprint
    site.project("lung", "takes = []\n")
    assert site.projects.of("lung").project.fingerprint == before
    site.project("lung", 'takes = ["equals Modality CT"]\n')
    assert site.projects.of("lung").project.fingerprint != before
