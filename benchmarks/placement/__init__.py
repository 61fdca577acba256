"""Placement of mineral maps in phantoms: errors, losses, nulls, speed; run with ``-m``."""
