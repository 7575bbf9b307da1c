from __future__ import annotations

from pathlib import Path

import pytest

from app.dicom.encapsulated import encapsulate_pdf, extract_pdf
from app.dicom.key_objects import key_objects
from app.dicom.structured_report import read_sr
from app.domain.identity import uid_for
from app.domain.person import Person
from app.domain.problem import ProblemError
from tests.dicom.objects_phantom import ct_study, header, iod_errors

IMAGES = (uid_for("objects", "ct", "1"), uid_for("objects", "ct", "4"))


@pytest.mark.parametrize("pdf", [b"%PDF-1.7 odd.", b"%PDF-1.7 even", b"%PDF-1.7 ends in zero\0\0"])
def test_a_pdf_comes_back_byte_for_byte(pdf: bytes, tmp_path: Path) -> None:
    data = encapsulate_pdf(ct_study(), pdf, "Қорытынды", header("pdf"), IMAGES)
    assert iod_errors(data, tmp_path) == []
    back = extract_pdf(data)
    assert back.pdf == pdf
    assert (back.title, back.sop_instance_uid) == ("Қорытынды", header("pdf").sop_instance_uid)
    assert encapsulate_pdf(ct_study(), pdf, "Қорытынды", header("pdf"), IMAGES) == data


def test_other_things_are_refused() -> None:
    with pytest.raises(ProblemError, match="not_pdf"):
        encapsulate_pdf(ct_study(), b"<html>", "x", header("pdf"))
    for data in (b"", b"junk", key_objects(ct_study(), IMAGES, header("ko"))):
        with pytest.raises(ProblemError, match="not_encapsulated_pdf"):
            extract_pdf(data)


def test_key_objects_name_their_images(tmp_path: Path) -> None:
    data = key_objects(
        ct_study(), IMAGES, header("ko", demonstration=True), description="ошақ", person=Person("d", "Ахметов Ержан")
    )
    assert iod_errors(data, tmp_path) == []
    document = read_sr(data)
    assert document.title == "Of Interest"
    assert set(document.referenced_sop_instance_uids) == set(IMAGES)
    assert b"DEMONSTRATION" in data
    with pytest.raises(ProblemError, match="no_images"):
        key_objects(ct_study(), (), header("ko"))
