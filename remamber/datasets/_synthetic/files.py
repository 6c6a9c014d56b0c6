"""The generated data on disk, in the refer API's layout, and whether a folder of it is intact."""

import hashlib
import json
import pickle
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from remamber.datasets._synthetic.entries import Entry, category_id
from remamber.datasets._synthetic.form import Form
from remamber.datasets._synthetic.grammar import load_grammar
from remamber.datasets._synthetic.knobs import CATEGORIES, Recipe
from remamber.datasets._synthetic.provenance import PROVENANCE
from remamber.record.files import write_whole

IMAGES = "train2014"


def refer_folder(style: str) -> str:
    """Name of the folder with annotations and refs, such as ``refcoco``."""
    return style.removeprefix("synth-")


def write_layout(root: Path, recipe: Recipe, made: Sequence[Entry], *, form: Form) -> None:
    """Write every file but the images, provenance last.

    Args:
        root: the data root; the images are there already.
        recipe: what the data were made from.
        made: what the workers returned, in the order of splits and indices.
        form: in which form images and masks are.
    """
    folder = root / refer_folder(recipe.style)
    grammar = load_grammar(recipe.style)
    refs = [ref for entry in made for ref in entry["refs"]]
    text = json.dumps(refs, separators=(",", ":"))
    name = f"{grammar.refs_file}({grammar.split_by})"
    write_whole(folder / "instances.json", json.dumps(_instances(recipe, made)))
    write_whole(folder / f"{name}.json", text)
    if grammar.refs_file == "refs":
        # From the JSON, so that equal strings are not shared and the bytes depend on nothing else.
        write_whole(folder / f"{name}.p", pickle.dumps(json.loads(text), protocol=2))
    write_whole(root / "labels.txt", "".join(f"{name}\n" for name in CATEGORIES))
    ids = "".join(f"{category_id(name)}\n" for name in CATEGORIES)
    write_whole(root / "label_orgid.txt", ids)
    write_whole(root / PROVENANCE, json.dumps(_provenance(root, recipe, made, form=form)))


def flaw(root: Path, recipe: Recipe) -> str | None:
    """What is wrong with a folder of generated data, in a few words; None if it is intact."""
    try:
        kept: dict[str, Any] = json.loads((root / PROVENANCE).read_bytes())
        if kept["fingerprint"] != recipe.fingerprint:
            return f"{PROVENANCE} belongs to other settings"
        for name, digest in kept["files"].items():
            if _sha256(root / name) != digest:
                return f"{name} was changed"
        sizes = {path.name: path.stat().st_size for path in (root / IMAGES).iterdir()}
        wrong = [name for name, size in kept["images"].items() if sizes.get(name) != size]
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is missing"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{PROVENANCE} cannot be read"
    return f"{IMAGES}/{wrong[0]} is missing or cut" if wrong else None


def _instances(recipe: Recipe, made: Sequence[Entry]) -> dict[str, Any]:
    return {
        "info": {
            "description": f"{recipe.style}: synthetic referring expressions",
            "fingerprint": recipe.fingerprint,
            **recipe.settings(),
        },
        "licenses": [],
        "images": [entry["image"] for entry in made],
        "annotations": [annotation for entry in made for annotation in entry["annotations"]],
        "categories": [
            {
                "id": category_id(name),
                "name": name,
                "supercategory": "person" if name == "person" else "object",
            }
            for name in CATEGORIES
        ],
    }


def _provenance(root: Path, recipe: Recipe, made: Sequence[Entry], *, form: Form) -> dict[str, Any]:
    contents = "".join(entry["content_sha256"] for entry in made)
    names = sorted(p for p in root.rglob("*") if p.is_file() and p.parent.name != IMAGES)
    return {
        "fingerprint": recipe.fingerprint,
        **recipe.settings(),
        "preset": recipe.preset,
        "difficulty": recipe.difficulty,
        "form": asdict(form),
        "made_with": {"python": platform.python_version(), "numpy": np.__version__},
        "content_sha256": hashlib.sha256(contents.encode()).hexdigest(),
        "attempts": sum(entry["attempts"] for entry in made),
        "refused": sum(entry["refused"] for entry in made),
        "files": {path.relative_to(root).as_posix(): _sha256(path) for path in names},
        "images": {entry["image"]["file_name"]: entry["bytes"] for entry in made},
        "scenes": {entry["image"]["file_name"]: _scene(recipe, entry) for entry in made},
        "expressions": [expression for entry in made for expression in entry["expressions"]],
    }


def _scene(recipe: Recipe, entry: Entry) -> dict[str, Any]:
    seed = f"{recipe.seed}/{entry['split']}/{entry['index']}/{entry['attempts'] - 1}"
    return {"seed": seed, "objects": entry["looks"], "content_sha256": entry["content_sha256"]}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
