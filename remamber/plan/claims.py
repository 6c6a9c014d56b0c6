"""The paper's five claims, each as what would have to be so in records."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class AccuracyClaim:
    """A claim that some rows of a table score higher than others.

    Attributes:
        name: such as ``C1``.
        text: the claim in words.
        paper: the table it is read from.
        study: the study that makes its rows.
        key: dotted key of the spec that tells the rows apart.
        pairs: (higher, lower) values of the key; all must hold.
        overall: whether it is about the mean of all columns and not about each of them.
    """

    name: str
    text: str
    paper: str
    study: str
    key: str
    pairs: tuple[tuple[str, str], ...]
    overall: bool = False

    @property
    def rows(self) -> tuple[str, ...]:
        """All values of the key that the claim is about."""
        return tuple(dict.fromkeys(value for pair in self.pairs for value in pair))


@dataclass(frozen=True, kw_only=True)
class CostClaim:
    """The claim that one model is faster and smaller than another at every resolution.

    Attributes:
        subject: name of the one.
        rival: name of the other.
        pairs: none; costs are no rows of a table of scores.
    """

    name: str
    text: str
    paper: str
    study: str
    subject: str
    rival: str
    pairs: tuple[tuple[str, str], ...] = field(default=())


Claim = AccuracyClaim | CostClaim

_BOTH_SCANS = ("parallel", "spatial-channel", "channel-spatial")

CLAIMS: tuple[Claim, ...] = (
    AccuracyClaim(
        name="C1",
        text="Mamba Twister beats the other fusion variants in all metrics",
        paper="Tab. 1",
        study="fusion",
        key="model.fusion.name",
        pairs=tuple(("twister", other) for other in ("attention", "in-context", "norm-adaptation")),
    ),
    AccuracyClaim(
        name="C2",
        text="one scan alone is worse than both, and the channel scan alone is worst",
        paper="Tab. 3",
        study="scans",
        key="model.fusion.scan_order",
        pairs=(
            *((both, "spatial") for both in _BOTH_SCANS),
            *((other, "channel") for other in (*_BOTH_SCANS, "spatial")),
        ),
        overall=True,
    ),
    AccuracyClaim(
        name="C3",
        text="Channel-Spatial is the best ordering overall",
        paper="Tab. 3",
        study="scans",
        key="model.fusion.scan_order",
        pairs=tuple(
            ("channel-spatial", other)
            for other in ("channel", "spatial", "parallel", "spatial-channel")
        ),
        overall=True,
    ),
    AccuracyClaim(
        name="C4",
        text="local interaction is worth more than global, and both together are best",
        paper="Tab. 4",
        study="features",
        key="model.fusion.cube",
        pairs=(
            ("image-local", "image-global"),
            ("image-global-local", "image-global"),
            ("image-global-local", "image-local"),
        ),
        overall=True,
    ),
    CostClaim(
        name="C5",
        text="ReMamber is faster and needs less memory than LAVT at every resolution",
        paper="Fig. 8",
        study="resolution",
        subject="remamber",
        rival="lavt",
    ),
)
