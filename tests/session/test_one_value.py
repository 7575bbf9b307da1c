"""An image of one single value is told in the preview, in the explorer and in the pane, stored plainly or compressed."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from app.domain.messages import sentence
from app.domain.problem import Problem
from app.session.explorer import of_study
from app.viewer.primitives import Text
from tests.dicom.builders import compressed, image, save
from tests.flows import stage

ZEROS = np.zeros((64, 64), np.uint16)
DX = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "Modality": "DX", "RescaleSlope": None, "RescaleIntercept": None}


@pytest.mark.parametrize("plain", [True, False], ids=["native", "jpeg-ls"])
def test_it_is_said_where_it_is_seen(tmp_path: Path, plain: bool) -> None:
    d = image(ZEROS, **DX)
    if plain:
        save(d, tmp_path / "dicom" / "zero.dcm")
    else:
        compressed(d, [imagecodecs.jpegls_encode(ZEROS)], tmp_path / "dicom" / "zero.dcm", "1.2.840.10008.1.2.4.80")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)
        (line,) = of_study(reading.study)
        assert (line.problem is not None and line.problem.code == "dicom.one_value") == plain
        preview = s.ws.preview(s.row().study_instance_uid)
        assert preview is not None
        assert [p.code for p in preview.repairs] == (["dicom.one_value"] if plain else [])
        for language in ("en", "ru", "kk"):
            s.ws.set_language(language)
            pane = reading.layout().active
            reading.picture_request(pane, 900, 700)()
            s.until(lambda: not s.ws.images_busy())
            drawn = reading.picture_request(pane, 900, 700)()
            words = " ".join(p.text for p in drawn.decorations if isinstance(p, Text))
            said = sentence(language, Problem("dicom.one_value"))
            assert words.replace("\n", " ").count(said[:24]) == 1, words
