"""The generator of the built-in synthetic data: scenes, drawing, language, checks, files."""
