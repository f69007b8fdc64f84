"""A document's hash follows the code and data it is made from: clients keep it for as long as the hash stays."""

from apiserver.discovery.fingerprint import of_folders, of_this_server


def test_a_change_of_code_or_data_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.yaml").write_text("1")
    (tmp_path / "c.pyc").write_text("1")
    before = of_folders([tmp_path])
    (tmp_path / "c.pyc").write_text("2")
    assert of_folders([tmp_path]) == before
    for name in ("a.py", "b.yaml"):
        (tmp_path / name).write_text("2")
        assert of_folders([tmp_path]) != before
        (tmp_path / name).write_text("1")


def test_a_server_has_one():
    assert of_this_server() == of_this_server() != of_folders([])
