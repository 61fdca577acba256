import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from napari_slagseg.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command said and ended with."""

    code: int
    out: str
    err: str

    @property
    def values(self) -> dict[str, Any]:
        return json.loads(self.out)


Call = Callable[..., Answer]


@pytest.fixture
def refused() -> Callable[..., None]:
    def check(answer: Answer, *words: str) -> None:
        """One clear paragraph and exit code 2; lines of progress may stand before it."""
        assert answer.code == 2, answer
        *before, last = answer.err.splitlines()
        assert last.startswith("Error: "), answer.err
        assert all(line.startswith("  ") for line in before), answer.err
        assert "Traceback" not in answer.err
        assert answer.out == ""
        for word in words:
            assert word in answer.err, answer.err

    return check


@pytest.fixture
def slagseg(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        said = capsys.readouterr()
        code = end.value.code
        return Answer(code if isinstance(code, int) else 0, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def tiny_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from napari_slagseg.workflow.demo import write_sample

    folder = tmp_path_factory.mktemp("tiny") / "sample"
    write_sample(folder, "tiny", "easy", 3)
    return folder


@pytest.fixture
def new_arguments(tiny_sample: Path) -> list[object]:
    """Options of ``new`` (or, without --ct and --map, of others) for the tiny sample."""
    return [
        "--ct", tiny_sample / "ct.tif",
        "--map", tiny_sample / "map_1.png",
        "--map", tiny_sample / "map_2_raster.tif",
        "--legend", tiny_sample / "legend.csv",
        "--pixel-size", 1,
        "--target", "LiAlO2",
    ]  # fmt: skip


@pytest.fixture
def tiny_project(tmp_path: Path, slagseg: Call, new_arguments: list[object]) -> Path:
    folder = tmp_path / "project"
    assert slagseg("new", folder, *new_arguments).code == 0
    return folder
