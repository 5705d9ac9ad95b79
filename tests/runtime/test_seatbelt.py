from __future__ import annotations

from pathlib import Path

from runtime.policy import FencePolicy
from runtime.seatbelt import write_profile

WORKSPACE, SCRATCH = Path("/Users/a/work"), Path("/private/tmp/run")


def test_w4_macos_allows_the_workspace_and_denies_the_rest() -> None:
    profile = write_profile(FencePolicy(WORKSPACE), SCRATCH)
    assert profile.startswith("(version 1)\n(deny default)\n")
    assert '(allow file-read* file-write* (subpath "/Users/a/work"))' in profile
    assert "network-outbound" not in profile


def test_w4_macos_masks_come_after_what_they_mask() -> None:
    policy = FencePolicy(WORKSPACE, masked=(WORKSPACE / ".env",), read_only=(WORKSPACE / "code",))
    lines = write_profile(policy, SCRATCH).splitlines()
    allowed = lines.index('(allow file-read* file-write* (subpath "/Users/a/work"))')
    assert lines.index('(deny file-read* file-write* (subpath "/Users/a/work/.env"))') > allowed
    assert lines.index('(deny file-write* (subpath "/Users/a/work/code"))') > allowed
    assert '(deny file-read* file-write* (regex #"^/Users/a/work/\\.env[-.]"))' in lines


def test_w4_macos_names_ports_one_by_one() -> None:
    profile = write_profile(FencePolicy(WORKSPACE, network=True, own_ports=(80,)), SCRATCH)
    assert '(remote tcp "*:443")' in profile
    assert '"*:80"' not in profile


def test_w4_a_name_cannot_end_its_own_rule() -> None:
    assert '(subpath "/a\\"b\\\\c")' in write_profile(FencePolicy(Path('/a"b\\c')), SCRATCH)
