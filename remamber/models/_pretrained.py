"""Models as folders: ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``, as on the Hub.

A folder holds ``model.safetensors`` and ``config.json``; nothing is fetched unless asked for.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import torch
from torch import Tensor

from remamber.errors import ExitCode, UserError
from remamber.models._checkpoint_files import damaged, read_checkpoint
from remamber.models._fit import fit_tensors, reshaped, shapes_of
from remamber.models._weights_config import WeightsConfig, config_in
from remamber.record.files import whole_file, write_whole

WEIGHTS, CONFIG = "model.safetensors", "config.json"
OUR_TEXT = "text.tower."
"""Prefix of the text tower in a converted release, which is loaded apart."""


class Pretrained:
    """Adds saving to and loading from a folder to a model that can say what it was built from."""

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

    def save_pretrained(self, folder: Path | str) -> Path:
        """Write weights and configuration to a folder, each file whole; gives the folder.

        Raises:
            UserError: the folder cannot be written.
        """
        state: dict[str, Tensor] = self.state_dict()  # type: ignore[attr-defined]
        config, folder = self.weights_config(), Path(folder)
        with whole_file(folder / WEIGHTS) as stream:
            stream.write(serialised(state, config))
        write_whole(folder / CONFIG, config.model_dump_json(indent=1) + "\n")
        return folder

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Upload what ``save_pretrained`` writes to the Hub; gives its address there.

        Args:
            repository: ``owner/name``, made if it is not there.
            private: of a repository that is made.

        Raises:
            UserError: the Hub cannot be reached or refuses.
        """
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        # Its bases are OSError and that of all errors of the HTTP client, whichever that is.
        failures: tuple[type[Any], ...] = (*HfHubHTTPError.__bases__, ValueError)
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            try:
                api = HfApi()
                api.create_repo(repository, private=private, exist_ok=True)
                return str(api.upload_folder(repo_id=repository, folder_path=folder))
            # No network; no token, no right or no such owner; no valid name.
            except failures as error:
                raise UserError(
                    f"could not upload to '{repository}'",
                    where=[f"Hub  {str(error)[:200]}"],
                    fix=["hf auth login"],
                    slug="upload_failed",
                ) from error

    @classmethod
    def from_pretrained(
        cls,
        source: Path | str,
        *,
        backend: str = "auto",
        root: Path | None = None,
        download: bool = False,
    ) -> Self:
        """The model that a folder or a file of ours holds, in evaluation mode.

        Args:
            source: a folder, a safetensors file, or the ``owner/name`` of a Hub repository.
            backend: name of a scan implementation, or "auto".
            root: the data root, below which a pretrained text encoder's tokenizer may lie.
            download: fetch from the Hub what is not in the local cache.

        Raises:
            UserError: there is nothing there, it is damaged, or of another kind of model.
        """
        saved = read_pretrained(source, download=download)
        return filled(cls.from_config(saved.config, backend=backend, root=root), saved)


class Saved(NamedTuple):
    """What a folder or a file of ours holds."""

    path: Path
    config: WeightsConfig
    tensors: dict[str, Tensor]


_Model = TypeVar("_Model", bound=Pretrained)


def filled(model: _Model, saved: Saved) -> _Model:
    """The model with saved weights, strictly, in evaluation mode; float64 ones stay so.

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


def read_pretrained(source: Path | str, *, download: bool = False) -> Saved:
    """Configuration and tensors of a folder or a file of ours.

    Raises:
        UserError: there is nothing there, or it is damaged or not ours.
    """
    path = _located(source, download=download)
    checkpoint = read_checkpoint(path)
    config = config_in(checkpoint.metadata)
    if config is None:
        raise damaged(
            f"'{path.name}' does not say which model it holds",
            path,
            fix=f"remamber-bench weights convert {path} --out converted.safetensors",
        )
    return Saved(checkpoint.path, config, checkpoint.tensors)


def _located(source: Path | str, *, download: bool) -> Path:
    path = Path(source)
    if path.exists() or str(source).count("/") != 1 or path.suffix:
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            str(source), allow_patterns=[WEIGHTS, CONFIG], local_files_only=not download
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
