"""Parts of the report: statistics, pages, methods, provenance, dictionary."""
