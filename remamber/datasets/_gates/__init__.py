"""Gates of a data set: neither trivial for who does not read, nor impossible for who does."""
