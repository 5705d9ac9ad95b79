from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from runtime.policy import FencePolicy, Product, policy_for


@pytest.fixture
def product(tmp_path: Path) -> Product:
    root = tmp_path / "valor"
    (root / "data").mkdir(parents=True)
    return Product(root, (root / ".env", root / "data", root / "system.db"), ports=(9000,))


def test_w4_a_workspace_elsewhere_may_be_written_and_sees_no_product(product: Product, tmp_path: Path) -> None:
    policy = policy_for(tmp_path, Product(tmp_path.parent / "elsewhere"))
    assert policy.read_only == ()
    assert policy.masked == (tmp_path.parent / "elsewhere",)
    assert policy.network_ports == ()


def test_w4_the_products_checkout_as_workspace_is_read_only_and_masked(product: Product) -> None:
    policy = policy_for(product.root, product)
    assert policy.protects(product.root / "main.py")
    assert policy.hides(product.root / ".env")
    assert policy.hides(product.root / "data" / "deep" / "file")
    assert not policy.hides(product.root / "main.py")


@pytest.mark.parametrize("name", ["system.db-wal", "system.db-journal", ".env.local"])
def test_w4_what_is_named_after_a_secret_is_hidden_with_it(product: Product, name: str) -> None:
    assert policy_for(product.root, product).hides(product.root / name)


def test_w4_a_workspace_that_holds_the_checkout_is_writable_around_it(product: Product, tmp_path: Path) -> None:
    policy = policy_for(tmp_path, product)
    assert not policy.protects(tmp_path / "notes.txt")
    assert policy.protects(product.root / "main.py")


def test_w4_a_folder_of_the_running_code_is_read_only_and_a_worktree_is_not(product: Product) -> None:
    code, worktree = product.root / "agents", product.root / "worktrees" / "one"
    code.mkdir()
    (worktree / "src").mkdir(parents=True)
    (worktree / ".git").write_text("gitdir: elsewhere")
    assert policy_for(code, product).protects(code / "x.py")
    assert not policy_for(worktree, product).protects(worktree / "x.py")
    assert not policy_for(worktree / "src", product).protects(worktree / "src" / "x.py")


def test_w4_a_private_workspace_within_the_data_is_seen_by_itself(product: Product) -> None:
    private = product.root / "data" / "private"
    private.mkdir()
    policy = policy_for(private, product)
    assert not policy.hides(private / "note.txt")
    assert not policy.protects(private / "note.txt")


@pytest.mark.parametrize("place", ["/", "/usr", "/proc", "/proc/self", "/tmp", "/etc"])
def test_w4_parts_of_the_system_are_no_workspace(product: Product, place: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a working directory"):
        policy_for(Path(place), product)


def test_w4_a_network_never_includes_the_products_own_port(tmp_path: Path) -> None:
    assert FencePolicy(tmp_path, network=True, own_ports=(443, 9000)).network_ports == (22, 53, 80)


def test_w4_host_names_count_as_no_network(tmp_path: Path) -> None:
    assert FencePolicy(tmp_path, network=("pypi.org",)).network_ports == ()
