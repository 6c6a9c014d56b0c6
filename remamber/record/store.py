"""The store: one folder a run, named by the run's hash; a record is there or the run is not over.

<root>/<run id>/record.json    written last: its presence says that the run is over
<root>/<run id>/counts.npz     integer counts of every scored expression
<root>/<run id>/arrays.npz     what figures are drawn from, where a task leaves something
<root>/claims/<run id>.json    who works on it now
<root>/studies/<study>-<profile>.json    which runs belong to a study's last invocation;
                             those on other data than the study's in a file of their report's name
"""

import hashlib
import json
import logging
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from remamber.plan.spec import RunSpec
from remamber.plan.study import StudyRuns
from remamber.record.claim import Claimed, Holder, claim, holder_of
from remamber.record.files import set_aside, write_whole
from remamber.record.noise import NoiseFloor, read_noise
from remamber.record.schema import RECORD_VERSION, Record

__all__ = ["Claimed", "Holder", "Store"]

COUNTS_NAME = "counts.npz"
ARRAYS_NAME = "arrays.npz"
_RECORD_NAME = "record.json"
_RETIRED = re.compile(r"\.(damaged|old)(-\d+)?$")

_log = logging.getLogger(__name__)


class _Checked(NamedTuple):
    record: Record | None
    damaged: Path | None = None
    reason: str = ""


class Store:
    """Records of runs in a folder; safe for several processes at once.

    Args:
        root: the folder; made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def folder(self, spec: RunSpec) -> Path:
        """Where the run's files are or will be."""
        return self.root / spec.run_id

    def find(self, spec: RunSpec, *, any_status: bool = False) -> Record | None:
        """The run's record, if it is whole and the run was well.

        A damaged record, or one whose counts are damaged, is set aside with a warning, and the
        run counts as not done. A record of a failure is given only if ``any_status``.
        """
        folder = self.folder(spec)
        checked = _check(folder)
        if checked.damaged is not None:
            # Read again: another process may just have replaced the record that was read.
            checked = _check(folder)
        if checked.damaged is not None:
            _retire_damaged(folder, checked)
            return None
        record = checked.record
        if record is None or record.digest != spec.digest:
            return None
        return record if any_status or record.status == "ok" else None

    def records(self) -> list[Record]:
        """All readable records, by run id; damaged ones are named in a warning and left alone."""
        found = []
        for path in sorted(self.root.glob(f"*/{_RECORD_NAME}")):
            if _RETIRED.search(path.parent.name):
                continue
            checked = _check(path.parent)
            if checked.damaged is not None:
                _log.warning("%s is not used: %s", checked.damaged, checked.reason)
            elif checked.record is not None:
                found.append(checked.record)
        return found

    def write_record(
        self, record: Record, *, counts: bytes | None = None, arrays: bytes | None = None
    ) -> Record:
        """Write counts and arrays, then the record, each whole; it makes the run finished.

        Args:
            record: the run's record; the names and sums of its files are set here.
            counts: content of the npz with the integer counts, None if there are none.
            arrays: content of the npz with what figures are drawn from, None if there is none.

        Returns:
            The record as written.

        Raises:
            UserError: the disk is full or the folder cannot be written (exit 3).
        """
        folder = self.folder(record.spec)
        files: dict[str, str] = {}
        for kind, name, content in (
            ("counts", COUNTS_NAME, counts),
            ("arrays", ARRAYS_NAME, arrays),
        ):
            if content is not None:
                files |= {kind: name, f"{kind}_sha256": hashlib.sha256(content).hexdigest()}
                write_whole(folder / name, content)
        written = record.model_copy(update=files)
        write_whole(folder / _RECORD_NAME, written.model_dump_json(indent=1))
        return written

    def counts_path(self, record: Record) -> Path | None:
        """The npz with the record's integer counts, None if it has none."""
        return self.root / record.run_id / record.counts if record.counts else None

    def arrays_path(self, record: Record) -> Path | None:
        """The npz that the record's figures are drawn from, None if it has none."""
        return self.root / record.run_id / record.arrays if record.arrays else None

    def noise(self, machine: str) -> NoiseFloor | None:
        """How far equal things seem apart on a machine, None if that was not measured."""
        return read_noise(self.root, machine)

    def claim(self, spec: RunSpec) -> AbstractContextManager[Holder]:
        """Hold the run for the length of a with-block.

        Raises:
            Claimed: on entry, when a live process holds the run.
        """
        return claim(self._claim_path(spec))

    def holder(self, spec: RunSpec) -> Holder | None:
        """The live process that works on the run, None if there is none."""
        return holder_of(self._claim_path(spec))

    def retire(self, spec: RunSpec) -> Path | None:
        """Rename a run's folder so that the run is done again from the start; nothing is lost.

        Returns:
            The folder's new path, None if there was none.

        Raises:
            Claimed: a live process works on the run.
        """
        folder = self.folder(spec)
        with self.claim(spec):
            if not folder.is_dir():
                return None
            numbers = range(1, 10_000)
            names = (folder.name + (".old" if n == 1 else f".old-{n}") for n in numbers)
            target = next(p for p in map(folder.with_name, names) if not p.exists())
            return folder.rename(target)

    def write_study_runs(self, runs: StudyRuns) -> None:
        """Keep which runs belong to a study, so that a report finds them.

        Raises:
            UserError: the disk is full or the folder cannot be written (exit 3).
        """
        # By the report's name too: runs on other data do not make those on the usual forgotten.
        usual = f"{runs.study}-{runs.profile}"
        name = usual if runs.report in ("", runs.study) else runs.report
        write_whole(self.root / "studies" / f"{name}.json", runs.model_dump_json(indent=1))

    def study_runs(
        self, study: str | None, profile: str | None = None, *, dataset: str | None = None
    ) -> StudyRuns | None:
        """The runs of the last invocation, of any study, profile or data where none is given."""
        paths = (self.root / "studies").glob(f"{study or '*'}-*.json")
        for path in sorted(paths, key=lambda p: p.stat().st_mtime, reverse=True):
            try:
                runs = StudyRuns.model_validate_json(path.read_bytes())
            except ValidationError:
                _log.warning("%s is damaged and was set aside as %s", path, set_aside(path).name)
                continue
            if (
                study in (None, runs.study)
                and profile in (None, runs.profile)
                and (dataset is None or dataset in runs.datasets.values())
            ):
                return runs
        return None

    def _claim_path(self, spec: RunSpec) -> Path:
        return self.root / "claims" / f"{spec.run_id}.json"


def _check(folder: Path) -> _Checked:
    path = folder / _RECORD_NAME
    try:
        content = path.read_bytes()
        record = Record.model_validate_json(content)
    except (FileNotFoundError, NotADirectoryError):
        return _Checked(None)
    except ValidationError as error:
        why = f"not a readable record ({error.errors()[0]['msg']})"
        return _Checked(None, path, _other_version(content) or why)
    if record.record_version != RECORD_VERSION:
        return _Checked(None, path, _other_version(content))
    names = {folder.name, record.run_id}
    if record.digest != record.spec.digest or names != {record.spec.run_id}:
        return _Checked(None, path, "its spec does not have the hash that names it")
    files = {
        "counts": (record.counts, record.counts_sha256),
        "arrays": (record.arrays, record.arrays_sha256),
    }
    checked = (
        _check_file(folder, kind, name, stated) for kind, (name, stated) in files.items() if name
    )
    return next((found for found in checked if found is not None), _Checked(record))


def _other_version(content: bytes) -> str:
    """That a record is of another version than this program's; empty if it is not."""
    try:
        version = json.loads(content)["record_version"]
    except (ValueError, KeyError, TypeError):
        return ""
    if version == RECORD_VERSION:
        return ""
    return f"written as version {version}, this program reads version {RECORD_VERSION}"


def _check_file(folder: Path, kind: str, name: str, stated: str | None) -> _Checked | None:
    """What is wrong with a file of a record, None if nothing is."""
    path = folder / name
    if path.parent != folder:
        return _Checked(None, folder / _RECORD_NAME, f"{kind} outside the run: {name}")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        return _Checked(None, folder / _RECORD_NAME, f"its {kind} file {name} is missing")
    if digest != stated:
        return _Checked(None, path, "its sha256 is not the one in the record")
    return None


def _retire_damaged(folder: Path, checked: _Checked) -> None:
    """Set the record aside first: without it the run is not done, whatever happens next."""
    for path in dict.fromkeys((folder / _RECORD_NAME, checked.damaged)):
        try:
            kept = set_aside(path) if path is not None else None
        except FileNotFoundError:
            continue
        _log.warning(
            "%s is damaged (%s); set aside as %s, the run will be done again",
            path,
            checked.reason,
            kept.name if kept is not None else "",
        )
