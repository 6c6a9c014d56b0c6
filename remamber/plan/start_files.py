"""Where the weights are that training starts from, and the hash by which a run names them."""

from pathlib import Path

from remamber.errors import ExitCode, UserError
from remamber.plan.file_digest import file_digest
from remamber.plan.spec import StartSpec

_FOLDER = "weights"
_VMAMBA_B = (
    "https://github.com/MzeroMiko/VMamba/releases/download/%23v2cls/"
    "vssm_base_0229_ckpt_epoch_237.pth"
)
"""The base model, trained on ImageNet, from VMamba's authors."""
_IN_FOLDER = ("model.safetensors", "pytorch_model.bin")


def start_file(start: StartSpec, root: Path | None) -> Path:
    """The file ``ROOT/weights/NAME``, or the weights in the folder of that name.

    Raises:
        UserError: there is no data root, or no such file in it (exit 3).
    """
    path = None if root is None else root / _FOLDER / start.name
    candidates = [] if path is None else [path, *(path / name for name in _IN_FOLDER)]
    if found := [candidate for candidate in candidates if candidate.is_file()]:
        return found[0]
    wanted = path or Path("DIR") / _FOLDER / start.name
    raise UserError(
        f"the weights '{start.name}' to start from are not on this machine",
        where=[f"looked for  {path}" if path else "no data root was given"],
        fix=[
            *([] if path else ["--data-root DIR"]),
            *([f"fetch  {_VMAMBA_B}"] if _VMAMBA_B.endswith(f"/{start.name}") else []),
            f"put VMamba's checkpoint (for lavt: Swin's) at {wanted}, as it is or, of VMamba, from"
            " remamber-bench weights convert",
            "or --set model.start=none, which begins with drawn weights",
        ],
        exit_code=ExitCode.MISSING,
        slug="start_missing",
        path=str(wanted),
    )


def with_start_fingerprint(start: StartSpec | None, root: Path | None) -> StartSpec | None:
    """The same with the hash of the file that is there now.

    Raises:
        UserError: as ``start_file``.
    """
    if start is None:
        return None
    return start.model_copy(update={"fingerprint": file_digest(start_file(start, root))})


def planned_start_file(start: StartSpec, root: Path | None) -> Path:
    """The file, after a check that it is the one that the run was planned with.

    Raises:
        UserError: as ``start_file``, or the file is another one (exit 6).
    """
    path = start_file(start, root)
    if start.fingerprint and start.fingerprint != (found := file_digest(path)):
        raise UserError(
            f"the weights '{start.name}' are not those that this run was planned with",
            where=[f"planned  {start.fingerprint[:12]}", f"found    {found[:12]} in {path}"],
            fix=["run the same command again: it plans with the file that is there now"],
            exit_code=ExitCode.DAMAGED,
            slug="start_changed",
            path=str(path),
        )
    return path
