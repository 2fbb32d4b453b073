"""One self-contained HTML page of a run, for people who do not read source."""
