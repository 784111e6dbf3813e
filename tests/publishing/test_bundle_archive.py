"""The archive: one form only, and nothing in it may do harm."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_results import contents

from benchx.publishing.archive import pack, unpack
from benchx.publishing.verify import verify

FILES = {
    f"cells/{'a' * 64}/record.json": b"{}",
    "manifest.json": b"{}",
    f"cells/{'b' * 64}/predictions.parquet": b"P" * 99,
}


def zipped(path, *entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED, mode: int = 0o100644):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr, entry.compress_type = mode << 16, compression
            archive.writestr(entry, content)
    return path


def test_what_is_packed_comes_back_and_order_does_not_matter(tmp_path):
    (tmp_path / "a.zip").write_bytes(pack(FILES))
    assert unpack(tmp_path / "a.zip") == (FILES, [])
    assert pack(dict(reversed(FILES.items()))) == pack(FILES)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "an absolute path"),
        ("../manifest.json", "leads out of its folder"),
        ("cells/../../x", "leads out of its folder"),
        ("..\\x", "a backslash"),
        ("cells\\x", "a backslash"),
        ("C:/x", "a drive letter"),
        ("notes.txt", "no file of a bundle"),
        ("cells/", "no file of a bundle"),
        (f"cells/{'A' * 64}/record.json", "no file of a bundle"),
        (f"cells/{'a' * 64}/record.json\0.txt", "no file of a bundle"),
        ("manifest.json\n", "no file of a bundle"),
    ],
)
def test_names_that_lead_elsewhere_are_refused_before_anything_is_read(tmp_path, name, reason):
    placeholder = "z" * len(name)  # the zip module would not write some of these names
    path = zipped(tmp_path / "b.zip", ("manifest.json", b"{}"), (placeholder, b"x"))
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), name.encode()))
    files, problems = unpack(path)
    assert files == {}
    assert any(reason in problem for problem in problems)
    assert not verify(path).sound
    assert list(tmp_path.iterdir()) == [path]


def test_links_compressed_encrypted_and_repeated_members_are_refused(tmp_path):
    name = f"cells/{'a' * 64}/record.json"
    link = zipped(tmp_path / "link.zip", (name, b"/etc/passwd"), mode=0o120777)
    assert "a link" in unpack(link)[1][0]
    bomb = zipped(tmp_path / "bomb.zip", (name, b"0" * 10_000_000), compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 20_000
    files, problems = unpack(bomb)
    assert files == {}
    assert "a compressed file" in problems[0]
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped(tmp_path / "twice.zip", (name, b"1"), (name, b"2"))
    assert "stands in it 2 times" in unpack(twice)[1][0]
    content = bytearray(zipped(tmp_path / "locked.zip", (name, b"1")).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(content)
    assert "an encrypted file" in unpack(tmp_path / "locked.zip")[1][0]


def test_too_many_files_too_many_bytes_and_claims_beyond_the_archive_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    path.write_bytes(pack(FILES))
    monkeypatch.setattr("benchx.publishing.archive.MAX_FILES", 2)
    assert "holds 3 files" in unpack(path)[1][0]
    monkeypatch.setattr("benchx.publishing.archive.MAX_BYTES", 100)
    assert "a bundle at most 100" in unpack(path)[1][0]
    monkeypatch.undo()
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    claimed = content[:start] + content[start:].replace((99).to_bytes(4, "little"), (9999).to_bytes(4, "little"))
    path.write_bytes(claimed)
    assert "claim" in unpack(path)[1][0]


def end_record(content: bytes, **changes: int) -> bytes:
    """Change fields of the end record of an archive."""
    names = ("disk", "first_disk", "here", "total", "size", "offset", "comment")
    fields = dict(zip(names, struct.unpack("<4H2LH", content[-18:]), strict=True)) | changes
    return content[:-18] + struct.pack("<4H2LH", *fields.values())


def test_a_flood_of_members_is_refused_before_an_object_is_made_of_each(tmp_path, monkeypatch):
    def never(*arguments):
        raise AssertionError("the zip module must not see it")

    path = tmp_path / "flood.zip"
    member = b"PK\x01\x02" + bytes(42)
    flood = member * 30_000
    end = b"PK\x05\x06" + bytes(18)
    monkeypatch.setattr("zipfile.ZipFile", never)
    for content, says in (
        (end_record(flood + end, here=30_000, total=30_000, size=len(flood)), "it holds 30000 files, a bundle at most"),
        (end_record(flood + end, here=1, total=1, size=len(flood)), "its list of members is longer than"),
        (end_record(bytes(6_000_000) + end, here=1, total=1, size=6_000_000), "its list of members is longer than"),
        (end_record(flood + end, here=1, total=1, size=46), "its list of members is not where a bundle has it"),
        (flood + b"PK\x06\x07" + bytes(16) + end_record(end, size=len(flood) + 20), "its list of members is not where"),
    ):
        path.write_bytes(content)
        files, problems = unpack(path)
        assert files == {}
        assert len(problems) == 1
        assert says in problems[0]


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_archive_is_said_to_be_none(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    verdict = verify(tmp_path / "x.zip")
    assert [finding.check for finding in verdict.findings] == ["archive"]


@pytest.mark.parametrize("change", [lambda c: c + b"\0", lambda c: b"#!" + c, lambda c: c[:-2] + b"\x01\0!"])
def test_bytes_before_behind_and_in_the_comment_are_found(bundle, tmp_path, change):
    (tmp_path / "b.zip").write_bytes(change(bundle.read_bytes()))
    assert not verify(tmp_path / "b.zip").sound


def test_the_same_members_in_another_order_or_with_another_date_are_found(bundle, tmp_path):
    zipped(tmp_path / "b.zip", *reversed(contents(bundle).items()))
    assert [finding.check for finding in verify(tmp_path / "b.zip").findings if finding.severity == "error"] == [
        "archive"
    ]


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_changed_byte_is_found(bundle, position, flip):
    content = bytearray(bundle.read_bytes())
    content[int(position * len(content))] ^= flip
    changed = bundle.with_name("changed.zip")
    changed.write_bytes(content)
    assert not verify(changed).sound


@pytest.mark.slow
def test_any_changed_byte_is_found_at_every_position_of_headers_and_manifest(bundle):
    content = bundle.read_bytes()
    start = content.index(b"PK\x01\x02")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        heads = [
            range(entry.header_offset, entry.header_offset + 30 + len(entry.filename)) for entry in archive.infolist()
        ]
    changed = bundle.with_name("changed.zip")
    for position in [*range(start, len(content)), *(place for head in heads for place in head)]:
        one = bytearray(content)
        one[position] ^= 1
        changed.write_bytes(one)
        assert not verify(changed).sound, position
