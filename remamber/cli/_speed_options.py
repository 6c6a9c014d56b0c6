"""Options of the command ``speed``."""

from typing import Annotated

import typer

from remamber.cli._options import ADVANCED, MODEL, TRAINING, WORKLOAD

MEASURE = "Measuring"

Res = Annotated[
    str | None,
    typer.Option(
        "--res",
        metavar="256,512",
        help="Sides of the image, multiples of 32.",
        show_default="256,512,1024",
        rich_help_panel=WORKLOAD,
    ),
]
Sweep = Annotated[
    str | None,
    typer.Option(
        "--sweep",
        metavar="256-1024",
        help="Five sides from the first to the last.",
        rich_help_panel=WORKLOAD,
    ),
]
Model = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="remamber, lavt (list models); repeatable.",
        show_default="both",
        rich_help_panel=WORKLOAD,
    ),
]
Against = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        metavar="NAME",
        help="Time this model beside it; repeatable.",
        rich_help_panel=WORKLOAD,
    ),
]
Kernels = Annotated[
    bool,
    typer.Option(
        "--kernels",
        help="Time every implementation of the selective scan instead.",
        rich_help_panel=WORKLOAD,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", "-n", help="Print the plan and stop.", rich_help_panel=WORKLOAD),
]
Fusion = Annotated[
    list[str] | None,
    typer.Option(
        "--fusion", metavar="NAME", help="Fusion variant; repeatable.", rich_help_panel=MODEL
    ),
]
ScanOrder = Annotated[
    list[str] | None,
    typer.Option(
        "--scan-order", metavar="NAME", help="Scan ordering; repeatable.", rich_help_panel=MODEL
    ),
]
Decoder = Annotated[
    list[str] | None,
    typer.Option(
        "--decoder", metavar="NAME", help="conv or mamba; repeatable.", rich_help_panel=MODEL
    ),
]
SizeName = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="NAME",
        help="tiny, small or base.",
        show_default="base",
        rich_help_panel=MODEL,
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="NAME",
        help="infer, or train for whole training steps.",
        show_default="infer",
        rich_help_panel=MEASURE,
    ),
]
Scope = Annotated[
    str | None,
    typer.Option(
        "--scope",
        metavar="NAME",
        help="net: tensors to logits; e2e: photograph to mask.",
        show_default="net",
        rich_help_panel=MEASURE,
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch",
        metavar="N",
        help="Images an iteration.",
        show_default="1",
        rich_help_panel=MEASURE,
    ),
]
FindBatch = Annotated[
    bool | None,
    typer.Option(
        "--find-batch",
        help="Use the largest batch that all models fit with.",
        show_default=False,
        rich_help_panel=MEASURE,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="cpu or cuda.",
        show_default="cuda where there is one",
        rich_help_panel=MEASURE,
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help="fp32, bf16 or fp16 (autocast).",
        show_default="fp32",
        rich_help_panel=MEASURE,
    ),
]
ChannelsLast = Annotated[
    bool | None,
    typer.Option(
        "--channels-last",
        help="Images and weights laid out so.",
        show_default=False,
        rich_help_panel=MEASURE,
    ),
]
Compile = Annotated[
    bool | None,
    typer.Option(
        "--compile",
        help="Through torch.compile.",
        show_default=False,
        rich_help_panel=MEASURE,
    ),
]
CudaGraph = Annotated[
    bool | None,
    typer.Option(
        "--cuda-graph",
        help="Replay a CUDA graph.",
        show_default=False,
        rich_help_panel=MEASURE,
    ),
]
Memory = Annotated[
    bool | None,
    typer.Option(
        "--memory/--no-memory",
        help="Measure peak memory, each model in its own process.",
        show_default="memory",
        rich_help_panel=MEASURE,
    ),
]
SkipOom = Annotated[
    bool,
    typer.Option(
        "--skip-oom/--no-skip-oom",
        help="Leave a model out after it ran out of memory.",
        rich_help_panel=MEASURE,
    ),
]
AllowShared = Annotated[
    bool | None,
    typer.Option(
        "--allow-shared",
        help="Measure on a GPU that others use.",
        show_default=False,
        rich_help_panel=MEASURE,
    ),
]
StudyName = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="NAME",
        help="A study of speed.",
        show_default="resolution",
        rich_help_panel=ADVANCED,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Scale of the study: quick, or full.",
        show_default="quick",
        rich_help_panel=ADVANCED,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="SHAPE",
        help="With --kernels: only these shapes; repeatable.",
        rich_help_panel=ADVANCED,
    ),
]
Fresh = Annotated[
    bool,
    typer.Option("--fresh", help="Measure again what is recorded.", rich_help_panel=TRAINING),
]
