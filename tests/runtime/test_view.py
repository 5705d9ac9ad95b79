from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.policy import FencePolicy, Limits, Product, policy_for
from runtime.process import Finished, Job, run
from runtime.sandbox import Passage, Sandbox, find_sandbox
from runtime.view import mount_arguments, system_mounts


@pytest.fixture
def sandbox() -> Sandbox:
    found = find_sandbox()
    assert found is not None
    return found


@pytest.fixture
def product(tmp_path: Path) -> Product:
    root = tmp_path / "above" / "nest" / "valor"
    for folder in (root / "data", root / "config"):
        folder.mkdir(parents=True)
    (root / "main.py").write_text("code")
    (root / ".env").write_text("secret")
    (root / "config" / "key.pem").write_text("secret")
    (root / "config" / "plain.json").write_text("{}")
    (root / "data" / "notes").write_text("secret")
    (root / "latest").symlink_to("main.py")
    return Product(root, (root / ".env", root / "data", root / "config" / "key.pem", root / "absent"))


async def _run(sandbox: Sandbox, policy: FencePolicy, command: str) -> Finished:
    return await run(sandbox, replace(policy, limits=Limits(seconds=10)), Job(command, Passage("view-test")))


async def test_w4_only_named_places_exist(sandbox: Sandbox, tmp_path: Path) -> None:
    finished = await _run(sandbox, FencePolicy(tmp_path), "ls -A / /etc /run /home /root /sys /var 2>&1")
    assert {"bin", "dev", "etc", "lib", "proc", "tmp", "usr"} <= set(finished.output.split())
    assert "shadow" not in finished.output
    assert "cannot access '/home'" in finished.output
    assert "cannot access '/sys'" in finished.output


async def test_w4_nothing_but_the_workspace_and_scratch_can_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    command = "for f in /x /etc/x /usr/bin/x /dev/x /proc/sys/kernel/panic ./x /tmp/x ~/x /dev/shm/x; do touch $f; done"
    finished = await _run(sandbox, FencePolicy(tmp_path), command)
    refused = finished.output.count("Read-only file system")
    assert (refused, finished.output.count("\n")) == (5, 5)
    assert (tmp_path / "x").exists()


async def test_w4_the_checkout_is_shown_without_its_secrets(sandbox: Sandbox, product: Product) -> None:
    policy = policy_for(product.root, product)
    finished = await _run(sandbox, policy, "ls -A . config; cat latest; touch main.py new config/x")
    assert finished.output.split("code")[0].split() == [".:", "config", "latest", "main.py", "config:", "plain.json"]
    assert finished.output.count("Read-only file system") == 3


async def test_w4_a_secret_cannot_be_carried_out_from_under_its_mask(
    sandbox: Sandbox, product: Product, tmp_path: Path
) -> None:
    policy = policy_for(tmp_path / "above", product)
    finished = await _run(sandbox, policy, "mv nest elsewhere; mv nest/valor nest/other; touch nest/new && ls nest")
    assert finished.output.count("Device or resource busy") == 2
    assert finished.output.split()[-2:] == ["new", "valor"]


async def test_w4_data_within_an_ordinary_workspace_is_covered(sandbox: Sandbox, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    (workspace / "deep" / "data").mkdir(parents=True)
    (workspace / "deep" / "data" / "secret").write_text("secret")
    (workspace / "system.db").write_text("secret")
    (workspace / "system.db-wal").write_text("secret")
    data = (workspace / "system.db", workspace / "deep" / "data", workspace / "absent")
    policy = policy_for(workspace, Product(tmp_path / "product", data))
    finished = await _run(
        sandbox, policy, "cat system.db system.db-wal deep/data/secret; rm -rf deep; echo x > system.db"
    )
    assert "secret\n" not in finished.output
    assert (workspace / "system.db").read_text() == "secret"
    assert (workspace / "deep" / "data" / "secret").exists()
    assert not (workspace / "absent").exists()


async def test_w4_more_places_can_be_shown_read_only(sandbox: Sandbox, tmp_path: Path) -> None:
    workspace, file = tmp_path / "workspace", tmp_path / "tool" / "file"
    workspace.mkdir()
    file.parent.mkdir()
    file.write_text("shown")
    policy = FencePolicy(workspace, read_only=(file, tmp_path / "absent"))
    finished = await _run(sandbox, policy, f"cat {file}; touch {file}")
    assert finished.output.startswith("shown")
    assert "Read-only" in finished.output


def test_w4_certificates_and_name_servers_come_with_a_network_only(tmp_path: Path) -> None:
    with_network = mount_arguments(FencePolicy(tmp_path, network=True), {})
    without = mount_arguments(FencePolicy(tmp_path), {})
    assert "/etc/hosts" in with_network
    assert "/etc/hosts" not in without


def test_w4_folders_that_are_no_links_are_bound_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "bin").symlink_to("usr/bin")
    mounts = system_mounts(network=False, root=tmp_path)
    assert mounts[Path("/lib")][0] == "--ro-bind"
    assert mounts[Path("/bin")] == ("--symlink", "usr/bin", "/bin")
