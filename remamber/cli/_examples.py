"""What the help of every command ends with: three examples, and the exit codes."""

EXIT_CODES = """

\b
Exit codes:
  0 done    1 a check fails              2 usage or configuration
  3 data or another need is missing      4 some rows failed, report written
  6 damaged input
  70 internal error                     130 interrupted, resumable
"""

EXAMPLES = {
    "ablate": """\b
Examples:
  remamber-bench ablate scans
  remamber-bench ablate all --seeds 0,1,2 --budget 3h
  remamber-bench ablate scans --data refcoco --data-root DIR --profile quick
""",
    "evaluate": """\b
Examples:
  remamber-bench evaluate runs/RUN --split testA --protocol lavt
  remamber-bench evaluate best.pth --data refcoco --data-root DIR --limit 200
  remamber-bench evaluate RUN --protocol lavt --per-expression counts.csv
""",
    "speed": """\b
Examples:
  remamber-bench speed --res 256 --against lavt
  remamber-bench speed --sweep 256-1024 --dtype bf16 --batch 8
  remamber-bench speed --kernels --only s1_480 --only mamba
""",
    "flops": """\b
Examples:
  remamber-bench flops --res 256,512,1024
  remamber-bench flops --model lavt --by part
  remamber-bench flops --scan-order all --decoder mamba --res 480 --json
""",
    "data": """\b
Examples:
  remamber-bench data list
  remamber-bench data list --explain refcoco
  remamber-bench data convert data/refcoco --to data
""",
    "data list": """\b
Examples:
  remamber-bench data list --data-root DIR
  remamber-bench data list --explain refcoco
  remamber-bench data list --json
""",
    "data check": """\b
Examples:
  remamber-bench data check synth-refcocog
  remamber-bench data check refcoco --data-root DIR --size 256
  remamber-bench data check synth-refcoco+ --card card.html
""",
    "data convert": """\b
Examples:
  remamber-bench data convert DIR/refcoco --to DIR
  remamber-bench data convert lmdb/refcoco --to DIR --split-by unc
  remamber-bench data convert parquet/ --to DIR --name refcoco --split-by unc
""",
    "data synth": """\b
Examples:
  remamber-bench data synth synth-refcocog --out DIR
  remamber-bench data synth synth-refcoco --difficulty hard --out DIR
  remamber-bench data synth synth-refcoco+ --size 256 --format jpg --out DIR
""",
    "pca": """\b
Examples:
  remamber-bench pca
  remamber-bench pca parallel --taps 'after channel scan' --point position
  remamber-bench pca runs/RUN --samples 200 --joint-basis --split testA
""",
    "attention": """\b
Examples:
  remamber-bench attention
  remamber-bench attention twister attention lavt --pictures 6
  remamber-bench attention runs/RUN --samples 500 --split testA
""",
    "masks": """\b
Examples:
  remamber-bench masks
  remamber-bench masks twister attention --rule worst --slice needs=relation
  remamber-bench masks --image photo.jpg --text "the red cup"
""",
    "compare": """\b
Examples:
  remamber-bench compare scan_order=spatial scan_order=parallel
  remamber-bench compare runs other/runs --fail-on-regression mIoU:0.5
  remamber-bench compare RUN RUN --metric oIoU --split testA --json
""",
    "power": """\b
Examples:
  remamber-bench power --delta 0.5
  remamber-bench power scans --delta 1 --split val --metric oIoU
  remamber-bench power scan_order=spatial scan_order=parallel --power 0.9
""",
    "claims": """\b
Examples:
  remamber-bench claims
  remamber-bench claims --require --json
  remamber-bench claims --store other/runs --out paper/
""",
    "report": """\b
Examples:
  remamber-bench report scans --open
  remamber-bench report scans --format md,csv --out paper/
  remamber-bench report scans --store other/runs --json
""",
    "weights": """\b
Examples:
  remamber-bench weights check vssm_base_0229_ckpt_epoch_237.pth
  remamber-bench weights convert best_checkpoint.pth --out best.safetensors
  remamber-bench weights check best.safetensors --json
""",
    "new": """\b
Examples:
  remamber-bench new fusion my-fusion
  remamber-bench new fusion my-fusion --to src/mypackage
  remamber-bench new fusion my-fusion --quiet
""",
    "list": """\b
Examples:
  remamber-bench list studies
  remamber-bench list scans
  remamber-bench list runs --json
""",
    "doctor": """\b
Examples:
  remamber-bench doctor
  remamber-bench doctor --data-root DIR
  remamber-bench doctor --json > bug-report.json
""",
}
