"""Text-blind parts of the models: norms, patch embedding, the selective SSM, SS2D, VSS blocks."""
