"""Cheap signs that files are unchanged."""

from __future__ import annotations

from pathlib import Path


def stamp(path: Path) -> str:
    """Cheap sign that a file or folder is unchanged: its size and time of change."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        newest = max((f.stat().st_mtime_ns for f in files), default=0)
        return f"{sum(f.stat().st_size for f in files)}-{newest}"
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}"


__all__ = ["stamp"]
