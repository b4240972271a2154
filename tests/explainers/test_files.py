"""Atomic writing of files."""

import os
import stat

import pytest

from automl_explain.explainers._errors import InvalidInputError
from automl_explain.explainers._files import make_private_folder, written_whole


def test_the_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    with written_whole(path) as stream:
        stream.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_bytes(b"before")

    def write():
        with written_whole(path) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_last_of_two_writers_counts(tmp_path):
    path = tmp_path / "a.txt"
    with written_whole(path) as one:
        with written_whole(path) as other:
            other.write(b"other")
        one.write(b"one")
    assert path.read_bytes() == b"one"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(
    ("folder", "private", "expected"),
    [(0o777, False, 0o644), (0o777, True, 0o600), (0o2770, True, 0o660), (0o2750, True, 0o640), (0o2700, True, 0o600)],
)
def test_personal_data_is_for_the_owner_or_for_the_group_of_a_shared_folder(tmp_path, folder, private, expected):
    tmp_path.chmod(folder)
    before = os.umask(0o022)
    try:
        with written_whole(tmp_path / "a.txt", private=private) as stream:
            stream.write(b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == expected


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("parent", "expected"), [(0o755, 0o700), (0o2770, 0o2770), (0o2750, 0o2750)])
def test_private_folders_are_made_with_all_above_them(tmp_path, parent, expected):
    tmp_path.chmod(parent)
    make_private_folder(tmp_path / "a" / "b")
    assert [stat.S_IMODE(made.stat().st_mode) for made in (tmp_path / "a", tmp_path / "a" / "b")] == [expected] * 2
    make_private_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == parent


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "none" / "a.txt"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")
def test_a_link_stays_and_its_file_keeps_its_permissions(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"before")
    file.chmod(0o640)
    link.symlink_to(file)
    with written_whole(link, private=True) as stream:
        stream.write(b"after")
    assert link.is_symlink()
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"after", 0o640)
    assert sorted(tmp_path.iterdir()) == [file, link]


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes of POSIX")
def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/dev/null")
    for place in ("pipe", "folder", "link"):
        with pytest.raises(InvalidInputError, match="is not a file"), written_whole(tmp_path / place):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert len(list(tmp_path.iterdir())) == 3
