"""The files of an input: a file, an archive, a folder or a pattern; what is not read is counted."""

import zipfile

import pytest

from claimkind.errors import ClaimkindError
from claimkind.io.base import TableOptions
from claimkind.io.columns import Columns
from claimkind.io.files import find_files, list_files
from claimkind.io.readers import read_rows


def write(path, content="text\nSun.\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def texts_of(file):
    return [text for chunk in read_rows(file, Columns(), TableOptions()) for text in chunk.rows["text"]]


def test_hidden_and_internal_files_are_skipped_and_counted(tmp_path):
    names = [
        ".a.csv",
        "._a.csv",
        ".ipynb_checkpoints/a.csv",
        "_delta_log/0.json",
        "__MACOSX/a.csv",
        "~$a.docx",
        "a.csv",
        "a.odt",
        "b",
    ]
    for name in names:
        write(tmp_path / name)
    listing = list_files(tmp_path)
    assert [file.name for file in listing.files] == ["a.csv"]
    assert listing.skipped == {"hidden": 6, ".odt": 1, "without ending": 1}


def test_a_hidden_file_is_read_where_it_is_the_input(tmp_path):
    assert find_files(write(tmp_path / ".a.csv"))[0].alone


def test_an_archive_of_one_file_is_read_as_the_file(tmp_path):
    for name, member in (("a.csv.zip", "a.csv"), ("data.zip", "exports/a.jsonl")):
        content = '{"text": "Sun."}' if member.endswith("jsonl") else "text\nSun.\n"
        file = find_files(write_zip(tmp_path / name, {member: content, "__MACOSX/._a.csv": "x"}))[0]
        assert (file.alone, file.name, texts_of(file)) == (True, member, ["Sun."])


def test_an_archive_of_several_files_is_read_as_a_folder(tmp_path):
    write_zip(tmp_path / "a.zip", {"a.csv": "text\nSun.\n", "b/c.txt": "Fog.", "d.rtf": "x"})
    listing = list_files(tmp_path / "a.zip")
    assert [(file.name, file.alone) for file in listing.files] == [("a.zip/a.csv", False), ("a.zip/b/c.txt", False)]
    assert listing.skipped == {".rtf in .zip": 1}
    write_zip(tmp_path / "b.zip", {"d.rtf": "x", "e.zip": "x"})
    with pytest.raises(
        ClaimkindError, match=r"b\.zip holds no file that can be read \(1 \.rtf in \.zip, 1 \.zip in \.zip\)"
    ):
        find_files(tmp_path / "b.zip")
    (tmp_path / "b.zip").unlink()
    write(tmp_path / "e.csv")
    assert [file.name for file in find_files(tmp_path)] == ["a.zip/a.csv", "a.zip/b/c.txt", "e.csv"]


def test_an_archive_that_is_damaged_is_rejected_as_a_file(tmp_path):
    write(tmp_path / "a.zip", "no archive")
    write(tmp_path / "b.csv")
    (rejected,) = list_files(tmp_path).rejected
    assert rejected == ("a.zip", None, "cannot be read (File is not a zip file), expected .zip: check it")
    with pytest.raises(ClaimkindError, match=r"a\.zip cannot be read \(File is not a zip file\)"):
        find_files(tmp_path / "a.zip")


def test_an_encrypted_file_in_an_archive_is_rejected(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": "text\nSun.\n", "b.csv": "text\nFog.\n"})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of the last entry of the directory
    path.write_bytes(content)
    listing = list_files(path)
    assert [file.member for file in listing.files] == ["a.csv"]
    assert listing.rejected == [("a.zip/b.csv", None, "is encrypted, expected no password: extract it first")]


def test_an_unusual_method_of_compression_is_one_reason(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.csv": "text\nSun.\n"})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 10] = content[8] = 9  # Deflate64, of Windows Explorer
    path.write_bytes(content)
    with pytest.raises(ClaimkindError, match=r"a\.zip cannot be read \(.*compression.*\), expected \.csv"):
        list(read_rows(find_files(path)[0], Columns(), TableOptions()))


def test_a_pattern_matches_files(tmp_path):
    for name in ("a.csv", "b.csv", "c.txt"):
        write(tmp_path / name)
    assert [file.path.name for file in find_files(tmp_path / "*.csv")] == ["a.csv", "b.csv"]
    write(tmp_path / "x[1].csv")
    assert find_files(tmp_path / "x[1].csv")[0].alone, "a name that looks like a pattern is a name"
    with pytest.raises(ClaimkindError, match=r"\*\.tsv does not exist"):
        find_files(tmp_path / "*.tsv")


@pytest.mark.parametrize(
    ("folder", "columns"),
    [
        ("year=2024/lang=en", {"year": 2024, "lang": "en"}), ("day=01", {"day": "01"}),
        ("place=New%20York", {"place": "New York"}), ("lang=__HIVE_DEFAULT_PARTITION__", {"lang": None}), ("plain", {}),
    ],
)  # fmt: skip
def test_names_of_folders_give_columns(folder, columns, tmp_path):
    write(tmp_path / folder / "a.csv")
    assert find_files(tmp_path)[0].partitions == columns


def test_folders_that_a_pattern_matches_are_read_once(tmp_path):
    write(tmp_path / "may.csv" / "part-0.csv")  # as Spark writes a table
    write(tmp_path / "june.csv")
    for pattern in ("*.csv", "**/*.csv"):
        names = [file.path.relative_to(tmp_path).as_posix() for file in find_files(tmp_path / pattern)]
        assert names == ["june.csv", "may.csv/part-0.csv"], pattern


def test_a_link_to_nothing_is_counted(tmp_path):
    write(tmp_path / "a.csv")
    (tmp_path / "b.csv").symlink_to(tmp_path / "nothing.csv")
    listing = list_files(tmp_path)
    assert [file.name for file in listing.files] == ["a.csv"]
    assert listing.skipped == {"broken link": 1}
