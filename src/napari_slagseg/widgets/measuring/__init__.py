"""Parts of the measure dock."""
