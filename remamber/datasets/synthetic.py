"""Built-in data: drawn scenes and expressions that single out one object, by preset and seed.

Generated on first use into the user's cache, in the refer API's own layout, and read back by the
loader that reads RefCOCO. The same seed gives the same pixels, masks and words on any machine.
"""

import logging
import shutil
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_dir

from remamber.datasets import DataPlace, ReferringDataset
from remamber.datasets._refer_layout import open_refer
from remamber.datasets._synthetic.crew import work
from remamber.datasets._synthetic.files import (
    IMAGES,
    flaw,
    refer_folder,
    write_layout,
)
from remamber.datasets._synthetic.form import Form
from remamber.datasets._synthetic.grammar import load_grammar
from remamber.datasets._synthetic.knobs import Recipe
from remamber.datasets._synthetic.provenance import PROVENANCE, read_provenance
from remamber.datasets._synthetic.recipes import recipe_of
from remamber.datasets._synthetic.worker import Job
from remamber.datasets._unwritable import cannot_write
from remamber.errors import UserError
from remamber.plan.spec import DataSpec
from remamber.record.files import set_aside
from remamber.registry import DATASETS

register = DATASETS.register
_log = logging.getLogger(__name__)
_EXACT = Form()


@register("synth-refcoco")
def synth_refcoco(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """Synthetic scenes with short expressions and location words, in the manner of RefCOCO."""
    return _open(spec, place)


@register("synth-refcoco+")
def synth_refcoco_plus(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """Synthetic scenes with short expressions and no location words, in the manner of RefCOCO+."""
    return _open(spec, place)


@register("synth-refcocog")
def synth_refcocog(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """Synthetic scenes with whole noun phrases and relations, in the manner of RefCOCOg (G-Ref)."""
    return _open(spec, place)


@register("synth-grefcoco")
def synth_grefcoco(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    """Synthetic scenes, expressions of one, several or no targets, in the manner of gRefCOCO."""
    return _open(spec, place)


def config_fingerprint(spec: DataSpec) -> str:
    """sha256 (hexadecimal) of everything that decides a synthetic data set's content.

    Known before the data exist, and equal to the fingerprint of the data set once opened.

    Raises:
        UserError: the spec names no synthetic data set.
    """
    return _recipe(spec).fingerprint


def side_of(spec: DataSpec) -> int:
    """Height and width of a synthetic data set's images in pixels.

    Raises:
        UserError: the spec names no synthetic data set.
    """
    return _recipe(spec).knobs.side


def _recipe(spec: DataSpec) -> Recipe:
    return recipe_of(
        spec.name,
        spec.preset or "quick",
        difficulty=spec.difficulty,
        seed=spec.seed,
        side=spec.side,
    )


def _open(spec: DataSpec, place: DataPlace) -> ReferringDataset:
    recipe, grammar = _recipe(spec), load_grammar(spec.name)
    if spec.split_by not in (None, grammar.split_by):
        raise UserError(
            f"{spec.name} has no refs split by '{spec.split_by}'",
            fix=[f"leave data.split_by out, or set it to '{grammar.split_by}'"],
            slug="unknown_split_by",
        )
    root = _exported(recipe, place) or provide(recipe, place)
    return _read(root, spec, recipe.fingerprint)


def _exported(recipe: Recipe, place: DataPlace) -> Path | None:
    """The data root, if exactly these data were exported to it."""
    if place.root is None or not (place.root / PROVENANCE).is_file():
        return None
    kept = read_provenance(place.root)
    exact = kept.get("form") == asdict(_EXACT) and kept["fingerprint"] == recipe.fingerprint
    return place.root if exact else None


def _read(root: Path, spec: DataSpec, fingerprint: str) -> ReferringDataset:
    grammar, folder = load_grammar(spec.name), refer_folder(spec.name)
    return open_refer(
        root,
        spec,
        folder=folder,
        split_by=grammar.split_by,
        name=spec.name,
        shape="grefs" if grammar.refs_file == "grefs" else "refer",
        fingerprint=fingerprint,
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
        other = "XDG_CACHE_HOME=/another/folder remamber-bench ..."
        raise cannot_write("generated data", cache, error, otherwise=other) from error
    return root


def export(recipe: Recipe, root: Path, place: DataPlace, *, form: Form) -> None:
    """Write a recipe's data into a new folder, whole or not at all.

    Args:
        recipe: what to generate.
        root: the folder; it may exist if it is empty.
        place: gives the number of workers, and is told of progress.
        form: in which form images and masks are written.

    Raises:
        UserError: the folder holds something (exit 2), cannot be written or the disk is full
            (exit 3).
    """
    _require_empty(root)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.with_name(f".{root.name}.lock")):
            # Another process may have written while this one waited.
            _require_empty(root)
            _generate(recipe, place, root, form=form)
    except OSError as error:
        other = "--out DIR: a folder on another disk"
        raise cannot_write("generated data", root.parent, error, otherwise=other) from error


def _require_empty(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(
            f"{root} is not an empty folder",
            fix=["--out DIR: a folder that does not exist yet"],
            slug="not_empty",
            path=str(root),
        )


def open_exported(root: Path) -> ReferringDataset:
    """Open data that ``export`` wrote.

    Raises:
        UserError: the folder holds no such data (exit 3), or they are damaged (exit 6).
    """
    kept = read_provenance(root)
    return _read(root, DataSpec(name=kept["style"]), kept["fingerprint"])


def _generate(recipe: Recipe, place: DataPlace, root: Path, *, form: Form = _EXACT) -> None:
    making = root.with_name(f".{root.name}.making")
    # Left by a process that was killed: the lock says that nobody is at work in it.
    shutil.rmtree(making, ignore_errors=True)
    try:
        (making / IMAGES).mkdir(parents=True)
        wanted = [(split, i) for split, size in recipe.knobs.splits for i in range(size.images)]
        made = {}
        job = Job(recipe, wanted, making / IMAGES, form)
        # Closed at once on an error: no worker may write while the folder is taken away.
        with closing(work(job, workers=place.workers)) as arriving:
            for entry in arriving:
                made[entry["split"], entry["index"]] = entry
                place.on_progress(f"generating {recipe.style}", len(made), len(wanted))
        ordered = [made[picture] for picture in wanted]
        write_layout(making, recipe, ordered, form=form)
        making.rename(root)
    finally:
        shutil.rmtree(making, ignore_errors=True)
