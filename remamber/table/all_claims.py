"""All of the paper's claims: what records say of each, and what its own tables could decide."""

from dataclasses import dataclass

from remamber.plan.claims import CLAIMS, AccuracyClaim, Claim
from remamber.record.schema import Record
from remamber.table.claims import Finding, Verdict, accuracy_findings
from remamber.table.claims_published import PublishedMargin, published_margins
from remamber.table.claims_speed import CostFinding, cost_findings
from remamber.table.source import ReadOnce, RecordSource

AnyFinding = Finding | CostFinding


@dataclass(frozen=True, kw_only=True)
class CheckedClaim:
    """A claim, and what was found.

    Attributes:
        findings: by condition; empty where no records are about it.
        margins: of the paper's own table; empty where it has no numbers.
    """

    claim: Claim
    findings: tuple[AnyFinding, ...]
    margins: tuple[PublishedMargin, ...]

    @property
    def counted(self) -> tuple[AnyFinding, ...]:
        """The findings that are about the paper's kind of data: generated data are not."""
        return tuple(f for f in self.findings if isinstance(f, CostFinding) or not f.synthetic)

    @property
    def is_confirmed(self) -> bool:
        """Whether there are findings that count, and all of them confirm it."""
        verdicts: list[Verdict] = [finding.verdict for finding in self.counted]
        return bool(verdicts) and set(verdicts) == {"confirmed"}

    @property
    def records(self) -> tuple[Record, ...]:
        """On which the findings rest."""
        return tuple(record for finding in self.findings for record in finding.records)


def check_claims(source: RecordSource) -> tuple[CheckedClaim, ...]:
    """Check every claim against all records of a source.

    Raises:
        UserError: damaged counts, or a file of the paper's numbers is missing or malformed.
    """
    once = ReadOnce(source)
    return tuple(_checked(claim, once) for claim in CLAIMS)


def _checked(claim: Claim, source: ReadOnce) -> CheckedClaim:
    if isinstance(claim, AccuracyClaim):
        findings: tuple[AnyFinding, ...] = tuple(accuracy_findings(claim, source.records(), source))
        margins = tuple(published_margins(claim))
        return CheckedClaim(claim=claim, findings=findings, margins=margins)
    costs = tuple(cost_findings(claim, source.records(), source))
    return CheckedClaim(claim=claim, findings=costs, margins=())
