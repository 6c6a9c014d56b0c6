"""Models as folders: ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``, as on the Hub.

A folder holds ``model.safetensors`` and ``config.json``, and the tokenizer's files where it is a
pretrained one's; nothing is fetched unless asked for.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import torch
from huggingface_hub import ModelHubMixin
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.models._checkpoint_files import damaged, read_checkpoint
from remamber.models._fit import fit_tensors, reshaped, shapes_of
from remamber.models._weights_config import WeightsConfig, config_in
from remamber.record.files import whole_file, write_whole

WEIGHTS, CONFIG = "model.safetensors", "config.json"
OUR_TEXT = "text.tower."
"""Prefix of the text tower in a converted release, which is loaded apart."""


_CARD = """---
{{ card_data }}
---

A model for referring image segmentation: an image and an expression in, a mask out. What it was
built from stands in `config.json` and in the header of `model.safetensors`.

```python
from remamber.models import from_pretrained

model = from_pretrained("owner/name", download=True)
```
"""


class Pretrained(
    ModelHubMixin,
    library_name="remamber-bench",
    pipeline_tag="image-segmentation",
    model_card_template=_CARD,
):
    """Adds saving to and loading from a folder to a model that can say what it was built from.

    ``save_pretrained`` and ``push_to_hub`` are huggingface_hub's own, with all their options.
    ``from_pretrained`` takes its arguments but is written here, for three reasons: huggingface_hub
    asks the network unless told not to, takes no single file, and hands what ``config.json`` says
    to the constructor, where here it says which model to build before there is one.
    ``PyTorchModelHubMixin`` writes weights that do not name their model; hence its base.
    """

    def weights_config(self) -> WeightsConfig:
        """What a file of these weights says of itself."""
        raise NotImplementedError

    @classmethod
    def from_config(
        cls, config: WeightsConfig, *, backend: str = "auto", root: Path | None = None
    ) -> Self:
        """The model that a file of weights names, before they are loaded.

        Raises:
            UserError: the file is of another kind of model.
        """
        raise NotImplementedError

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write weights and configuration, each file whole: what ``save_pretrained`` calls."""
        state: dict[str, Tensor] = self.state_dict()  # type: ignore[attr-defined]
        config = self.weights_config()
        with whole_file(save_directory / WEIGHTS) as stream:
            stream.write(serialised(state, config))
        write_whole(save_directory / CONFIG, config.model_dump_json(indent=1) + "\n")
        for name, content in (config.text.files if config.text else {}).items():
            write_whole(save_directory / name, content)

    def save_pretrained(self, save_directory: Path | str, **options: Any) -> str:  # noqa: ANN401
        """Write weights, configuration and a model card to a folder; gives the folder.

        Args:
            save_directory: made if it is not there; a README.md in it is left as it is.
            options: as huggingface_hub's; with ``push_to_hub=True`` the commit's address is given.

        Raises:
            UserError: the folder cannot be written.
        """
        try:
            address = super().save_pretrained(save_directory, **options)
        except OSError as error:
            raise UserError(
                f"cannot write to {save_directory}: {error.strerror or error}",
                fix=["give a folder that you may write to"],
                slug="not_writable",
                path=str(save_directory),
            ) from error
        return address or str(save_directory)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:  # noqa: ANN401 - the library's
        """Upload what ``save_pretrained`` writes to the Hub; gives the address of the commit.

        Args:
            repo_id: ``owner/name``, made if it is not there.
            options: as huggingface_hub's: private, token, branch, create_pr, commit_message ...

        Raises:
            UserError: the Hub cannot be reached or refuses.
        """
        from huggingface_hub.errors import HfHubHTTPError

        # Its bases are OSError and that of all errors of the HTTP client, whichever that is.
        failures: tuple[type[Any], ...] = (*HfHubHTTPError.__bases__, ValueError)
        try:
            return str(super().push_to_hub(repo_id, **options))
        # No network; no token, no right or no such owner; no valid name.
        except failures as error:
            raise UserError(
                f"could not upload to '{repo_id}'",
                where=[f"Hub  {str(error)[:200]}"],
                fix=["hf auth login"],
                slug="upload_failed",
            ) from error

    @classmethod
    def from_pretrained(  # type: ignore[override]  # options that nothing reads are refused
        cls,
        pretrained_model_name_or_path: Path | str,
        *,
        backend: str = "auto",
        root: Path | None = None,
        download: bool = False,
        local_files_only: bool = True,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: Path | str | None = None,
        revision: str | None = None,
    ) -> Self:
        """The model that a folder or a file of ours holds, in evaluation mode.

        Args:
            pretrained_model_name_or_path: a folder, a safetensors file, or the ``owner/name`` of
                a Hub repository.
            backend: name of a scan implementation, or "auto".
            root: the data root, below which a pretrained text encoder may lie if the file does
                not hold its configuration and tokenizer.
            download: fetch from the Hub what is not in the local cache.
            local_files_only: huggingface_hub's word for the opposite; False fetches too.
            force_download: fetch anew what is there.
            token: the Hub's, as are the next two.
            cache_dir: where the Hub's files are kept.
            revision: branch, tag or commit.

        Raises:
            UserError: there is nothing there, it is damaged, or of another kind of model.
        """
        saved = read_pretrained(
            pretrained_model_name_or_path,
            download=download or force_download or not local_files_only,
            force_download=force_download,
            token=token,
            cache_dir=cache_dir,
            revision=revision,
        )
        return filled(cls.from_config(saved.config, backend=backend, root=root), saved)


class Saved(NamedTuple):
    """What a folder or a file of ours holds."""

    path: Path
    config: WeightsConfig
    tensors: dict[str, Tensor]


_Model = TypeVar("_Model", bound=Pretrained)


def filled(model: _Model, saved: Saved) -> _Model:
    """The model with saved weights, strictly, in evaluation mode; float64 ones stay so.

    Those saved in half precision come back as float32 with the same values.

    Raises:
        UserError: a tensor is missing, too many or of another shape.
    """
    module: Any = model
    shapes = shapes_of(module.state_dict())
    left = (OUR_TEXT,) if saved.config.holds == "released" else ()
    what = f"the model that '{saved.path.name}' names"
    fit_tensors(saved.tensors, shapes, what=what, left=left).require(path=str(saved.path))
    if any(tensor.dtype is torch.float64 for tensor in saved.tensors.values()):
        module.double()
    module.load_state_dict(reshaped(saved.tensors, shapes))
    module.eval()
    return model


def serialised(tensors: Mapping[str, Tensor], config: WeightsConfig) -> bytes:
    """The content of a safetensors file that names its model."""
    from safetensors.torch import save

    # safetensors takes no views and no shared memory, which checkpoints may hold.
    own = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in tensors.items()
    }
    return save(own, metadata=config.header())


def read_pretrained(
    source: Path | str,
    *,
    download: bool = False,
    **options: Any,  # noqa: ANN401 - the Hub's
) -> Saved:
    """Configuration and tensors of a folder or a file of ours.

    Args:
        source: a folder, a safetensors file, or the ``owner/name`` of a Hub repository.
        download: fetch from the Hub what is not in the local cache.
        options: of huggingface_hub's ``snapshot_download``.

    Raises:
        UserError: there is nothing there, or it is damaged or not ours.
    """
    path = _located(source, download=download, **options)
    checkpoint = read_checkpoint(path)
    config = config_in(checkpoint.metadata)
    if config is None:
        raise damaged(
            f"'{path.name}' does not say which model it holds",
            path,
            fix=f"remamber-bench weights convert {path} --out converted.safetensors",
        )
    return Saved(checkpoint.path, config, checkpoint.tensors)


def _located(source: Path | str, *, download: bool, **options: Any) -> Path:  # noqa: ANN401
    path = Path(source)
    if path.exists() or str(source).count("/") != 1 or path.suffix:
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            str(source), allow_patterns=[WEIGHTS, CONFIG], local_files_only=not download, **options
        )
    # A ValueError is a name that no repository can have.
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(
            f"no weights '{source}': no such folder, and not in the local Hub cache",
            where=[] if not download else [f"Hub  {str(error).splitlines()[0][:200]}"],
            fix=[f"hf download {source}", "or call from_pretrained with download=True"],
            exit_code=ExitCode.MISSING,
            slug="weights_missing",
            path=str(source),
        ) from error
    return Path(folder)
