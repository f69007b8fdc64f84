"""A document's hash follows the code and data it is made from: clients keep it for as long as the hash stays."""

from pathlib import Path

import apimachinery.kinds
from apiserver import negotiation, strategies
from apiserver.discovery import operations
from apiserver.discovery.fingerprint import of_files, of_this_server, sources


def test_a_change_of_code_or_data_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.yaml").write_text("1")
    (tmp_path / "c.pyc").write_text("1")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.py").write_text("1")
    before = of_files([tmp_path])
    (tmp_path / "c.pyc").write_text("2")
    assert of_files([tmp_path]) == before
    for name in ("a.py", "b.yaml", "deeper/d.py"):
        (tmp_path / name).write_text("2")
        assert of_files([tmp_path]) != before
        (tmp_path / name).write_text("1")


def test_a_server_has_one():
    assert of_this_server() == of_this_server() != of_files([])


def test_all_that_an_operation_is_made_from_counts():
    for module in (operations, strategies, strategies.table, negotiation, apimachinery.kinds):
        file = Path(module.__file__)
        assert any(source in (file, *file.parents) for source in sources())
