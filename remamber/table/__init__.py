"""From records to one table: recomputed metrics, intervals, paired tests, the paper's numbers."""
