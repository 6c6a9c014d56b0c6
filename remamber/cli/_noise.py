"""The line of ``doctor --self-check``: how far equal things seem apart on this machine."""

from remamber.cli._checks import OK, WARNING, Check
from remamber.cli._data_progress import told
from remamber.cli._settings import Settings
from remamber.cli._streams import Streams
from remamber.report import format as fmt

_LOUD = 0.05
"""Above this, differences that matter are lost in the noise."""


def noise_check(settings: Settings, streams: Streams) -> Check:
    """Time the scan against itself, keep what came out in the store, and say it.

    Raises:
        UserError: the store cannot be written (exit 3).
    """
    import torch

    from remamber.record.noise import write_noise
    from remamber.table.noise import smallest_difference
    from remamber.tasks._self_check import noise_floor

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    with told(streams) as hear:
        noise = noise_floor(on_trial=lambda done, total: hear("scan against itself", done, total))
    path = write_noise(settings.store, noise)
    found = (
        f"equal things seem {fmt.percent(noise.floor)} % apart when interleaved "
        f"({noise.false_verdicts} of {noise.trials} trials found a difference), "
        f"{fmt.percent(noise.one_after_other)} % one after the other "
        f"({noise.false_one_after_other} of {noise.trials}); differences below "
        f"{fmt.percent(smallest_difference(noise))} % do not count here ({path})"
    )
    loud = noise.floor > _LOUD
    return Check(
        "noise", WARNING if loud else OK, found, "stop what else runs here" if loud else ""
    )
