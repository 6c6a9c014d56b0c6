"""remamber-bench: train, ablate, measure and explain Mamba-based referring image segmentation."""

__version__ = "0.1.0"
