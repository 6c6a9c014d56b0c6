"""``index.json`` of the converted layout: what the columns are of, and how to know them again."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from remamber.datasets._converted_columns import VERSION
from remamber.datasets._damaged import damaged
from remamber.errors import ExitCode, UserError

NAME = "index.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileOf(_Part):
    """A file by its size in bytes and the sha256 (hexadecimal) of its content."""

    bytes: int
    sha256: str


class SplitOf(_Part):
    """How large a split is."""

    refs: int
    images: int
    expressions: int


class Index(_Part):
    """The content of ``index.json``.

    Attributes:
        format: tells this file from others.
        version: of the columns.
        name: the data set.
        split_by: who made the splits.
        shape: the shape that it was converted from.
        fingerprint: the data set's; the raw files' own where it was read from REFER's layout,
            so that runs made from those are known again, else the hash of the columns.
        image_folder: relative to the data root, or absolute; None where it was not known.
        splits: in the order of their refs in the columns.
        categories: what ``ref_category`` numbers.
        needs: what ``sent_needs`` numbers.
        sources: what it was converted from, by path.
        notes: what was left out or mended.
        columns: the files in ``columns/``, by column.
    """

    format: Literal["remamber-bench converted"] = "remamber-bench converted"
    version: int = VERSION
    name: str
    split_by: str
    shape: str
    fingerprint: str
    image_folder: str | None
    splits: dict[str, SplitOf]
    categories: list[str]
    needs: list[list[str]]
    sources: dict[str, FileOf]
    notes: list[str]
    columns: dict[str, FileOf]

    def text(self) -> str:
        """The file's content."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def read_index(folder: Path) -> Index:
    """The index of a converted data set.

    Raises:
        UserError: it is missing (exit 3), of another version (exit 3) or damaged (exit 6).
    """
    path = folder / NAME
    again = [f"delete {folder} and run remamber-bench data convert again"]
    try:
        raw = json.loads(path.read_bytes())
        version = raw.get("version") if isinstance(raw, dict) else None
        if isinstance(version, int) and version != VERSION:
            raise UserError(
                f"'{folder.name}' is in version {version} of the layout, not {VERSION}",
                where=[f"file  {path.absolute()}"],
                fix=again,
                exit_code=ExitCode.MISSING,
                slug="converted_version",
                path=str(path),
            )
        return Index.model_validate(raw)
    except OSError as error:
        raise damaged(
            f"'{path.name}' cannot be read ({error.strerror})", path, fix=again
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        what = f"'{path.name}' is not an index of converted data ({place}: {first['msg']})"
        raise damaged(what, path, fix=again) from error
    except (ValueError, RecursionError) as error:
        raise damaged(f"'{path.name}' is not JSON ({error})", path, fix=again) from error
