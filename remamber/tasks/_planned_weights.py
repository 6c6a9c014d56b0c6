"""The weights that a run was planned with, and where they came from."""

from remamber.errors import ExitCode, UserError
from remamber.models._evaluable import Evaluable
from remamber.plan.file_digest import file_digest
from remamber.plan.spec import RunSpec
from remamber.record.schema import WEIGHTS, WEIGHTS_RUN
from remamber.tasks import TaskContext


def planned_weights(spec: RunSpec, context: TaskContext) -> Evaluable:
    """The file of the context, if it still holds what the run was planned with.

    Raises:
        UserError: none was given (exit 2), or it holds other weights (exit 6).
    """
    if spec.weights is None or context.weights is None:
        raise UserError(
            f"the task '{spec.task}' needs weights and none were given",
            fix=["remamber-bench evaluate CHECKPOINT --data NAME"],
        )
    path = context.weights
    digest = file_digest(path) if path.is_file() else "none"
    if digest != spec.weights.sha256:
        raise UserError(
            f"the weights in {path} are not those that this run was planned with",
            where=[f"planned  {spec.weights.sha256[:12]}", f"found    {digest[:12]}"],
            fix=["run the same command again: it plans with the file that is there now"],
            exit_code=ExitCode.DAMAGED,
            slug="weights_changed",
            path=str(path),
        )
    return Evaluable(path, spec.weights, spec.model)


def weights_origin(found: Evaluable) -> dict[str, str | int | float]:
    """The weights' file and, where it lies in a run's folder, the run that trained them."""
    folder = found.path.parent
    run = {WEIGHTS_RUN: folder.name} if (folder / "record.json").is_file() else {}
    return {WEIGHTS: found.path.name, **run}
