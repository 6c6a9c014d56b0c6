"""Built-in data: drawn scenes and expressions that single out one object, by preset and seed.

Generated on first use into the user's cache, in the refer API's own layout, and read back by the
loader that reads RefCOCO. The same seed gives the same pixels, masks and words on any machine.
"""

import errno
import logging
import shutil
from contextlib import closing
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_dir

from remamber.datasets import DataPlace, ReferringDataset
from remamber.datasets._refer_layout import open_refer
from remamber.datasets._synthetic.crew import work
from remamber.datasets._synthetic.files import IMAGES, flaw, refer_folder, write_layout
from remamber.datasets._synthetic.grammar import styles
from remamber.datasets._synthetic.knobs import PRESETS, Recipe
from remamber.datasets._synthetic.worker import Job
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec
from remamber.record.files import set_aside
from remamber.registry import DATASETS, unknown

register = DATASETS.register
_log = logging.getLogger(__name__)
_SPLIT_BY = "unc"


@register("synth-refcoco")
def synth_refcoco(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """Synthetic scenes with short expressions and location words, in the manner of RefCOCO."""
    return _open(spec, place)


def config_fingerprint(spec: DataSpec) -> str:
    """sha256 (hexadecimal) of everything that decides a synthetic data set's content.

    Known before the data exist, and equal to the fingerprint of the data set once opened.

    Raises:
        UserError: the spec names no synthetic data set.
    """
    return _recipe(spec).fingerprint


def _recipe(spec: DataSpec) -> Recipe:
    if spec.name not in styles():
        raise unknown("synthetic data set", spec.name, styles())
    preset = spec.preset or "quick"
    return Recipe(spec.name, preset, spec.seed, PRESETS[preset])


def _open(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    recipe = _recipe(spec)
    if spec.split_by not in (None, _SPLIT_BY):
        raise UserError(
            f"{spec.name} has no refs split by '{spec.split_by}'",
            fix=[f"leave data.split_by out, or set it to '{_SPLIT_BY}'"],
            slug="unknown_split_by",
        )
    return open_refer(
        provide(recipe, place),
        spec,
        folder=refer_folder(spec.name),
        split_by=_SPLIT_BY,
        name=spec.name,
        fingerprint=recipe.fingerprint,
    )


def provide(recipe: Recipe, place: DataPlace) -> Path:
    """The folder that holds a recipe's data; generated if absent, and again if damaged.

    One process generates while others wait for it. A folder under its name is always whole.

    Raises:
        UserError: the cache folder cannot be written or the disk is full (exit 3).
    """
    cache = place.cache or Path(user_cache_dir("remamber-bench")) / "data"
    root = cache / recipe.folder
    # Without the lock first: a folder of finished data may be one that nobody can write to.
    if root.exists() and flaw(root, recipe) is None:
        return root
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{recipe.folder}.lock"):
            if root.exists() and (reason := flaw(root, recipe)) is not None:
                aside = set_aside(root)
                _log.warning("%s: %s; kept as %s, generated again", root, reason, aside.name)
            if not root.exists():
                _generate(recipe, place, root)
    except OSError as error:
        raise _cannot_write(cache, error) from error
    return root


def _generate(recipe: Recipe, place: DataPlace, root: Path) -> None:
    making = root.with_name(f".{root.name}.making")
    # Left by a process that was killed: the lock says that nobody is at work in it.
    shutil.rmtree(making, ignore_errors=True)
    try:
        (making / IMAGES).mkdir(parents=True)
        wanted = [(split, i) for split, size in recipe.knobs.splits for i in range(size.images)]
        made = {}
        job = Job(recipe, wanted, making / IMAGES)
        # Closed at once on an error: no worker may write while the folder is taken away.
        with closing(work(job, workers=place.workers)) as arriving:
            for entry in arriving:
                made[entry["split"], entry["index"]] = entry
                place.on_progress(f"generating {recipe.style}", len(made), len(wanted))
        ordered = [made[picture] for picture in wanted]
        write_layout(making, recipe, ordered, split_by=_SPLIT_BY)
        making.rename(root)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _cannot_write(cache: Path, error: OSError) -> UserError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return UserError(
        f"cannot write generated data to {cache}: {error.strerror or error}",
        where=["nothing was left half-written"],
        fix=[
            "free some space and run the same command again" if full else "make it writable",
            "or XDG_CACHE_HOME=/another/folder remamber-bench ...",
        ],
        exit_code=ExitCode.MISSING,
        slug="disk_full" if full else "not_writable",
        path=str(cache),
    )
