from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from runtime.beneath import (
    Beneath,
    Opener,
    is_regular,
    kernel_opens_beneath,
    make_directories,
    open_by_kernel,
    open_by_steps,
    real_path,
    real_path_by_fcntl,
)

OPENERS = [pytest.param(open_by_steps, id="steps")]
if kernel_opens_beneath():
    OPENERS.append(pytest.param(open_by_kernel, id="kernel"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("../secret")
    (root / "magic").symlink_to("/proc/self/root")
    (root / "in").symlink_to("folder/file")
    return root


def _read(beneath: Beneath, path: str) -> str:
    fd = beneath.open(path, os.O_RDONLY)
    with os.fdopen(fd) as file:
        return file.read()


@pytest.mark.parametrize("opener", OPENERS)
def test_w5_what_lies_beneath_is_opened(root: Path, opener: Opener) -> None:
    with Beneath(root, opener) as beneath:
        assert _read(beneath, "folder/file") == "inside"
        assert _read(beneath, str(root / "folder" / "file")) == "inside"
        fd = beneath.open("", os.O_RDONLY)
        assert not is_regular(os.fstat(fd))
        os.close(fd)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("path", ["out", "up", "../secret", "folder/../../secret", "/etc/passwd", "magic/etc/passwd"])
def test_w5_no_way_leads_out(root: Path, opener: Opener, path: str) -> None:
    with Beneath(root, opener) as beneath, pytest.raises(OSError, match="Errno") as refused:
        _read(beneath, path)
    assert refused.value.errno in {errno.EXDEV, errno.ELOOP, errno.ENOTDIR}


@pytest.mark.parametrize("opener", OPENERS)
def test_w5_a_name_with_a_nul_is_refused(root: Path, opener: Opener) -> None:
    with Beneath(root, opener) as beneath, pytest.raises(OSError, match="Invalid argument"):
        _read(beneath, "folder/file\0.txt")


def test_w5_a_link_that_stays_inside_is_followed_by_the_kernel(root: Path) -> None:
    with Beneath(root) as beneath:
        assert _read(beneath, "in") == "inside"
        assert beneath.relative(str(root)) == "."
    with Beneath(root, open_by_steps) as beneath, pytest.raises(OSError, match="in"):
        _read(beneath, "in")


@pytest.mark.parametrize("opener", OPENERS)
def test_w5_folders_are_made_beneath_only(root: Path, opener: Opener) -> None:
    with Beneath(root, opener) as beneath:
        make_directories(beneath, "folder/a/b")
        assert (root / "folder/a/b").is_dir()
        with pytest.raises(OSError, match="up"):
            make_directories(beneath, "up/a")


def test_w5_a_rename_that_never_ends_is_given_up(root: Path) -> None:
    with Beneath(root) as beneath, pytest.raises(OSError, match="Bad file descriptor"):
        open_by_kernel(10_000, "x", os.O_RDONLY, 0)
    assert beneath.directory == root


def test_w5_the_real_place_of_a_descriptor_is_known(root: Path) -> None:
    with Beneath(root) as beneath:
        fd = beneath.open("in", os.O_RDONLY)
        assert real_path(fd) == root / "folder" / "file"
        os.close(fd)


def test_w5_a_kernel_without_the_call_is_noticed(root: Path) -> None:
    assert kernel_opens_beneath() in {True, False}
    with Beneath(root) as beneath, pytest.raises(OSError, match="Invalid argument"):
        real_path_by_fcntl(beneath.fd)  # macOS's own question, which Linux does not know
