"""Whether the annotation files are still those that were written: by their hashes."""

from collections.abc import Iterator

from remamber.datasets._converted import ConvertedFolder
from remamber.datasets._converted_index import read_index
from remamber.datasets._converted_write import COLUMNS
from remamber.datasets._gates.findings import Finding
from remamber.datasets._gates.subject import Subject
from remamber.plan.file_digest import file_digest


def file_findings(subject: Subject) -> Iterator[Finding]:
    """Columns of the converted layout, and files of generated data, that were changed."""
    if isinstance(subject.dataset, ConvertedFolder):
        yield from _columns(subject.dataset)
    elif subject.provenance is not None:
        yield from _generated(subject, subject.provenance["files"])


def _columns(dataset: ConvertedFolder) -> Iterator[Finding]:
    folder = dataset.location
    files = read_index(folder).columns
    changed = [
        name
        for name, file in files.items()
        if file_digest(folder / COLUMNS / f"{name}.npy") != file.sha256
    ]
    if changed:
        yield Finding(
            "damaged",
            f"not what was written, by their hashes: {len(changed)} of {len(files)} columns",
            tuple(f"{COLUMNS}/{name}.npy" for name in changed[:3]),
            f"delete {folder} and run remamber-bench data convert again",
        )


def _generated(subject: Subject, files: dict[str, str]) -> Iterator[Finding]:
    root = subject.dataset.location.parent
    paths = {name: root / name for name in files}
    changed = [n for n, p in paths.items() if not p.is_file() or file_digest(p) != files[n]]
    if changed:
        yield Finding(
            "warning",
            f"not what was generated, by their hashes: {len(changed)} of {len(files)} files",
            tuple(changed[:3]),
            "generate the data again: remamber-bench data synth",
        )
