"""IU X-Ray in both forms: hand-made files, R2Gen's real annotation, Open-i's real reports."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from benchx.datasets.readers import iu_xray
from benchx.datasets.samples import Report
from benchx.datasets.splits import make_folds, units_in_two_parts
from benchx.errors import DatasetError

ENTRY = {"id": "CXR1_IM-0001", "report": " Clear . ", "image_path": ["CXR1_IM-0001/0.png", "CXR1_IM-0001/1.png"]}
OTHER = {"id": "CXR2_IM-0002", "report": "Large heart .", "image_path": ["CXR2_IM-0002/0.png"], "split": "test"}
CONTENT: dict[str, Any] = {"train": [ENTRY | {"split": "train"}], "val": [], "test": [OTHER]}
SENTENCE = "The cardiac silhouette is enlarged with small effusions ."
XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><uId id="CXR{n}"/><Abstract><AbstractText Label="COMPARISON">None.</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText>
<AbstractText Label="IMPRESSION">Nothing of note since XXXX.</AbstractText></Abstract>{images}</eCitation>
"""


def _r2gen(root: Path, content: Any = CONTENT) -> Path:
    (root / "images" / "CXR1_IM-0001").mkdir(parents=True)
    (root / "images" / "CXR1_IM-0001" / "0.png").touch()
    (root / "annotation.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def _open_i(root: Path, **files: str) -> Path:
    (root / "NLMCXR_png").mkdir(parents=True)
    (root / "ecgen-radiology").mkdir()
    for name, text in files.items():
        (root / "ecgen-radiology" / f"{name.removeprefix('n')}.xml").write_text(text)
    return root


def _xml(n: int, *images: str, findings: str = "") -> str:
    return XML.format(n=n, findings=findings, images="".join(f'<parentImage id="{image}"/>' for image in images))


def test_r2gen_lists_images_with_their_study_and_report(tmp_path):
    samples = iu_xray.read(_r2gen(tmp_path))
    assert samples.table[["sample", "study", "image", "official"]].to_numpy().tolist() == [
        ["CXR1_IM-0001/0", "CXR1_IM-0001", "images/CXR1_IM-0001/0.png", "train"],
        ["CXR1_IM-0001/1", "CXR1_IM-0001", "images/CXR1_IM-0001/1.png", "train"],
        ["CXR2_IM-0002/0", "CXR2_IM-0002", "images/CXR2_IM-0002/0.png", "test"],
    ]
    assert samples.reports["CXR1_IM-0001/1"] == Report(findings="Clear .")
    assert samples.missing == ("CXR1_IM-0001/1", "CXR2_IM-0002/0")
    assert (samples.unit, samples.classes, samples.labels.shape) == ("study", (), (3, 0))
    assert "Clear" not in repr(samples)


def _changed(part: str, **change: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    content[part][0] |= change
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CONTENT | {"    ": CONTENT["test"]}, r"keys '    ', 'test', 'train', 'val'.*rename it back"),
        ({"train": [], "val": [], "    ": []}, "keys '    ', 'train', 'val'"),
        ([], "has the keys no keys"),
        ({"train": [], "val": [], "test": []}, r"annotation\.json lists no studies"),
        ('{"train": [\n{"id": ]', r"annotation\.json is not JSON\nwhy: .*, line 2"),
        (_changed("test", id="CXR1_IM-0001"), "test entry 1: id 'CXR1_IM-0001' is already listed as train entry 1"),
        (_changed("test", image_path=["CXR1_IM-0001/0.png"]), "test entry 1: image 'CXR1_IM-0001/0' is listed twice"),
        (_changed("train", image_path=["a/0.png", "a/0.jpg"]), "train entry 1: image 'a/0' is listed twice"),
        (_changed("train", image_path=["../0.png"]), r"train entry 1: '\.\./0\.png' is no image path"),
        (_changed("train", image_path="['a/0.png']"), "train entry 1: image_path must be a list"),
        (_changed("train", report=None), "train entry 1: id and report must be texts"),
        (_changed("train", split="test"), "train entry 1 says split 'test'"),
        (
            CONTENT | {"val": [{"id": "a", "text": "b"}]},
            "val entry 1 has no 'report', 'image_path'.*found: 'id', 'text'",
        ),
    ],
)
def test_a_malformed_annotation_is_named_and_no_report_shown(tmp_path, content, says):
    with pytest.raises(DatasetError, match=f"(?s){says}") as caught:
        iu_xray.read(_r2gen(tmp_path, content))
    assert caught.value.todo
    assert "heart" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        _changed("train", image_path=[SENTENCE]),
        _changed("train", split=SENTENCE),
        CONTENT | {SENTENCE: []},
        CONTENT | {"val": [{SENTENCE: 1}]},
        {"train": [ENTRY | {"id": SENTENCE}], "val": [], "test": [OTHER | {"id": SENTENCE}]},
        _changed("train", image_path=[f"{'a' * 60}/0.png"] * 2),
    ],
)
def test_a_value_is_cut_to_thirty_characters(tmp_path, content):
    with pytest.raises(DatasetError) as caught:
        iu_xray.read(_r2gen(tmp_path, content))
    said = str(caught.value).replace(str(tmp_path), "")
    assert SENTENCE[:30] in said or "a" * 30 in said
    assert SENTENCE[:31] not in said
    assert "a" * 31 not in said


def test_a_wrong_root_is_explained(tmp_path):
    with pytest.raises(DatasetError, match=r"neither annotation\.json nor ecgen-radiology/ is in"):
        iu_xray.read(tmp_path)


def test_open_i_reads_sections_and_images(tmp_path):
    one = _xml(1, "CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001", findings="The XXXX is\n  &lt;clear&gt;.")
    root = _open_i(tmp_path, n1=one, n2=_xml(2, "CXR2_IM-0652-1001"), n3=_xml(3))
    (root / "NLMCXR_png" / "CXR2_IM-0652-1001.png").touch()
    (root / "NLMCXR_png" / "CXR9_IM-1.png").touch()
    samples = iu_xray.read(root)
    assert samples.table["sample"].tolist() == ["CXR1_1_IM-0001-3001", "CXR1_1_IM-0001-4001", "CXR2_IM-0652-1001"]
    assert samples.table["study"].tolist() == ["CXR1", "CXR1", "CXR2"]
    assert samples.table["image"][2] == "NLMCXR_png/CXR2_IM-0652-1001.png"
    assert samples.reports["CXR1_1_IM-0001-4001"] == Report("The XXXX is <clear>.", "Nothing of note since XXXX.")
    assert samples.reports["CXR2_IM-0652-1001"].findings is None
    assert len(samples.missing) == 2
    assert not samples.publishes_split
    assert samples.notes == (
        "1 of 3 reports have no images, first 3.xml",
        "2 of 3 reports have no findings, first 2.xml",
        "1 images are on disk but not in ecgen-radiology/; they are not used",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<eCitation><uId", r"2\.xml, line 1: it cannot be read as XML"),
        ("", r"2\.xml, line 1: it cannot be read as XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><eCitation/>', r"2\.xml declares XML entities"),
        ("<html><uId id='CXR2'/></html>", r"2\.xml is no Open-i report"),
        (_xml(2, "../CXR2"), r"2\.xml is no Open-i report: image id '\.\./CXR2'"),
        (_xml(1), r"2\.xml: 'CXR1' stands in 1\.xml too"),
        (_xml(2, "CXR1_1"), r"2\.xml: 'CXR1_1' stands in 1\.xml too"),
    ],
)
def test_a_malformed_open_i_report_is_named_and_not_shown(tmp_path, text, says):
    with pytest.raises(DatasetError, match=says) as caught:
        iu_xray.read(_open_i(tmp_path, n1=_xml(1, "CXR1_1"), n2=text))
    assert caught.value.todo
    assert "Normal" not in str(caught.value)


def test_open_i_without_reports_or_images_is_explained(tmp_path):
    root = _open_i(tmp_path)
    with pytest.raises(DatasetError, match=r"no \.xml files in"):
        iu_xray.read(root)
    (root / "NLMCXR_png").rmdir()
    (root / "ecgen-radiology" / "1.xml").write_text(_xml(1, "a"))
    with pytest.raises(DatasetError, match="no folder NLMCXR_png in"):
        iu_xray.read(root)
    (root / "NLMCXR_png").symlink_to(tmp_path.parent)
    with pytest.raises(DatasetError, match="is a link to"):
        iu_xray.read(root)


def test_the_real_annotation(shared, tmp_path):
    (tmp_path / "images").mkdir()
    shutil.copy(shared / "data" / "iu-xray" / "annotation.json", tmp_path / "annotation.json")
    samples = iu_xray.read(tmp_path)
    studies = samples.table.groupby("official")["study"].nunique()
    assert studies.to_dict() == {"train": 2069, "val": 296, "test": 590}
    assert len(samples.table) == len(samples.missing) == 5910
    assert samples.table.groupby("study").size().eq(2).all()
    assert all(report.findings for report in samples.reports.values())
    folds = make_folds(samples, "official")
    assert [len(folds[0].train), len(folds[0].val), len(folds[0].test)] == [4138, 592, 1180]
    assert units_in_two_parts(samples, folds) == []


def test_the_real_open_i_reports(tmp_path):
    found = importlib.util.find_spec("torchxrayvision")
    archive = Path(found.origin).parent / "data" / "NLMCXR_reports.tgz" if found and found.origin else tmp_path / "no"
    if not archive.is_file():
        pytest.skip("torchxrayvision, which carries the published reports, is not installed")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (tmp_path / "NLMCXR_png").mkdir()
    samples = iu_xray.read(tmp_path)
    texts = [path.read_text(encoding="utf-8") for path in sorted((tmp_path / "ecgen-radiology").iterdir())]
    blank = sum('Label="FINDINGS"/>' in text or 'Label="FINDINGS"></' in text for text in texts)
    images = {name for text in texts for name in re.findall(r'<parentImage id="([^"]+)"', text)}
    without = sum("<parentImage" not in text for text in texts)
    assert (len(texts), len(images), blank, without) == (3955, 7470, 530, 104)
    assert set(samples.table["sample"]) == images == set(samples.reports)
    assert samples.table["study"].nunique() == len(texts) - without
    assert samples.notes[0].startswith(f"{without} of {len(texts)} reports have no images")
    assert samples.notes[1].startswith(f"{blank} of {len(texts)} reports have no findings")
    report = samples.reports["CXR1_1_IM-0001-3001"]
    assert report.findings in texts[0]
    assert report.impression in texts[0]
