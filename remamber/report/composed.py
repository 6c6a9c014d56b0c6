"""The document of a study and the content of its results file, by what the study measures."""

from collections.abc import Callable
from typing import Any

from remamber.plan.question import (
    Analysis,
    AttentionAnalysis,
    DistributionAnalysis,
    KernelAnalysis,
    MasksAnalysis,
    Question,
    ReceptiveAnalysis,
    SpeedAnalysis,
)
from remamber.plan.study import StudyRuns
from remamber.report.document import Document
from remamber.table.source import RecordSource

# Imported inside: pandas, scipy and plotly are paid for by those reports that need them.

Composed = tuple[Document, dict[str, Any]]


def composed(question: Question, runs: StudyRuns, source: RecordSource) -> Composed:
    """Read what a study's runs measured, and write it up, in no form yet.

    Args:
        question: what to ask of the records.
        runs: which runs belong to the study.
        source: where records and their files are.

    Raises:
        UserError: a record's files are damaged, or there is nothing to report.
    """
    compose: Callable[[Any, StudyRuns, RecordSource], Composed] = next(
        found for kind, found in _BY_KIND.items() if isinstance(question, kind)
    )
    return compose(question, runs, source)


def _accuracy(analysis: Analysis, runs: StudyRuns, source: RecordSource) -> Composed:
    if analysis.sota is not None:
        from remamber.report.sota_compose import compose_sota, sota_json
        from remamber.table.sota import build_sota

        sota = build_sota(analysis, analysis.sota, runs, source)
        document = compose_sota(sota)
        return document, sota_json(sota, document)
    from remamber.report.compose import compose
    from remamber.report.data import results_json
    from remamber.table.results import build_all

    results = build_all(analysis, runs, source)
    document = compose(results)
    return document, results_json(results, document)


def _kernels(analysis: KernelAnalysis, runs: StudyRuns, source: RecordSource) -> Composed:
    from remamber.report.kernel_compose import compose_kernels, kernels_json
    from remamber.table.kernels import build_kernels

    kernels = build_kernels(analysis, runs, source)
    document = compose_kernels(kernels)
    return document, kernels_json(kernels, document)


def _speed(analysis: SpeedAnalysis, runs: StudyRuns, source: RecordSource) -> Composed:
    from remamber.report.speed_compose import compose_speed, speed_json
    from remamber.table.speed import build_speed

    speed = build_speed(analysis, runs, source)
    document = compose_speed(speed)
    return document, speed_json(speed, document)


def _distribution(
    analysis: DistributionAnalysis, runs: StudyRuns, source: RecordSource
) -> Composed:
    from remamber.report.distribution_compose import compose_distribution, distribution_json
    from remamber.table.distribution import build_distribution

    found = build_distribution(analysis.distribution.labels, runs, source)
    document = compose_distribution(analysis, found)
    return document, distribution_json(found, document)


def _attention(analysis: AttentionAnalysis, runs: StudyRuns, source: RecordSource) -> Composed:
    from remamber.report.attention_compose import compose_attention

    return compose_attention(analysis, runs, source)


def _masks(analysis: MasksAnalysis, runs: StudyRuns, source: RecordSource) -> Composed:
    from remamber.report.masks_compose import compose_masks, masks_json
    from remamber.table.masks import build_masks

    masks = build_masks(runs, source)
    document = compose_masks(analysis, masks)
    return document, masks_json(masks, document)


def _receptive(analysis: ReceptiveAnalysis, runs: StudyRuns, source: RecordSource) -> Composed:
    from remamber.report.receptive_compose import compose_receptive

    return compose_receptive(analysis, runs, source)


_BY_KIND: dict[type[Question], Callable[[Any, StudyRuns, RecordSource], Composed]] = {
    KernelAnalysis: _kernels,
    SpeedAnalysis: _speed,
    DistributionAnalysis: _distribution,
    AttentionAnalysis: _attention,
    MasksAnalysis: _masks,
    ReceptiveAnalysis: _receptive,
    Analysis: _accuracy,
}
