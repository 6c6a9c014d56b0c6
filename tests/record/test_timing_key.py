"""What keeps a time from being reused: another machine, another kernel."""

from remamber.record import timing_key
from remamber.record.timing_key import kernel_code_key, machine_key


def package(root, **sources):
    for name, text in sources.items():
        path = root / name.replace("__", "/")
        path = path.with_name(path.name + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_changed_kernel_is_other_code_and_a_changed_model_is_not(tmp_path):
    root = package(tmp_path, ops__cpu="a", models__remamber="a")
    before = kernel_code_key(root)
    assert kernel_code_key(package(root, models__remamber="b")) == before
    assert kernel_code_key(package(root, ops__cpu="b")) != before


def test_a_renamed_file_is_other_code(tmp_path):
    first = package(tmp_path / "a", ops__one="x", ops__two="y")
    second = package(tmp_path / "b", ops__one="x", ops__three="y")
    assert kernel_code_key(first) != kernel_code_key(second)


def test_the_packages_own_sources_are_found():
    assert kernel_code_key() != kernel_code_key(timing_key._PACKAGE.parent)


def test_machines_differ_by_processor_versions_and_accelerator(monkeypatch):
    mine = machine_key()
    assert machine_key() == mine
    assert machine_key("NVIDIA H100") != mine
    monkeypatch.setattr(timing_key, "cpu_model", lambda: "another")
    assert machine_key() != mine
    monkeypatch.undo()
    monkeypatch.setattr(timing_key, "package_versions", lambda: {"torch": "0.0"})
    assert machine_key() != mine
