"""A data set looked at from end to end: what is wrong with its files, then its gates."""

from dataclasses import dataclass

from remamber.datasets import DataPlace, SplitSize, split_sizes
from remamber.datasets._gates.across import shared_across
from remamber.datasets._gates.files import file_findings
from remamber.datasets._gates.findings import (
    Finding,
    count_findings,
    from_error,
    mask_findings,
    pixel_findings,
    text_findings,
)
from remamber.datasets._gates.gate import Gate
from remamber.datasets._gates.judge import all_gates
from remamber.datasets._gates.subject import Listed, Subject
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec

_BROKEN = ("damaged", "missing")


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        subject: the data set.
        size: side of the model's input in pixels.
        sizes: of every split; images by split too.
        images: number of images by split.
        findings: what is wrong or worth knowing.
        gates: measured numbers; empty where the files are too damaged to measure.
    """

    subject: Subject
    size: int
    sizes: dict[str, SplitSize]
    images: dict[str, int]
    findings: tuple[Finding, ...]
    gates: tuple[Gate, ...]

    @property
    def exit_code(self) -> ExitCode:
        """Damage first, then what is missing, then a gate that fails."""
        severities = {finding.severity for finding in self.findings}
        if "damaged" in severities:
            return ExitCode.DAMAGED
        if "missing" in severities:
            return ExitCode.MISSING
        failed = any(gate.state == "fail" for gate in self.gates)
        return ExitCode.CHECK_FAILED if failed else ExitCode.DONE


def check(dataset: Listed, spec: DataSpec, place: DataPlace, *, size: int, length: int) -> Report:
    """Look at everything: counts, images, masks, expressions, then the gates.

    Args:
        dataset: what was opened.
        spec: names it, and the split that models are trained on.
        place: where related data sets may lie; told of progress.
        size: side of the model's input in pixels.
        length: tokens of an expression.
    """
    splits = dataset.splits()
    train = spec.train_split if spec.train_split in splits else splits[0]
    tested = next((s for s in splits if s != train), train)
    subject = Subject(dataset, train, tested, on_progress=place.on_progress)
    contents: dict[int, str] = {}
    findings: list[Finding] = []
    try:
        sizes = split_sizes(dataset, splits)
    except UserError as error:
        # Without its images a split can neither be read nor measured.
        return Report(subject, size, {}, {}, (from_error(error),), ())
    findings += file_findings(subject)
    findings += count_findings(subject)
    findings += text_findings(subject, length=length)
    findings += mask_findings(subject, size=size)
    findings += pixel_findings(subject, contents)
    findings += shared_across(place, spec)
    gates: list[Gate] = []
    if not any(finding.severity in _BROKEN for finding in findings):
        gates = all_gates(subject, contents, size=size)
    return Report(
        subject=subject,
        size=size,
        sizes=sizes,
        images={s: len({ref.image_id for ref in dataset.refs(s)}) for s in splits},
        findings=tuple(findings),
        gates=tuple(gates),
    )
