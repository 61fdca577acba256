"""Checkpoints on a disk that is full."""

import subprocess
import sys


def test_a_checkpoint_that_does_not_fit_is_told_and_the_older_one_kept(tmp_path):
    script = (
        "import resource, sys\nfrom pathlib import Path\nimport torch\n"
        "from napari_slagseg.data import SlagsegError\n"
        "from napari_slagseg.networks.checkpoints import read_tensors, save_tensors\n"
        "path = Path(sys.argv[1])\n"
        "save_tensors(path, {'a': torch.ones(3)}, {})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try:\n    save_tensors(path, {'a': torch.zeros(5000)}, {})\n"
        "except SlagsegError as error:\n    print(error)\n"
        "print(read_tensors(path)[0]['a'].tolist())\n"
    )
    said = subprocess.run(
        [sys.executable, "-B", "-c", script, str(tmp_path / "w.safetensors")],
        capture_output=True,
        text=True,
    )
    assert said.stderr == ""
    error, kept = said.stdout.splitlines()
    assert "w.safetensors could not be written" in error
    assert "What was there before is untouched" in error
    assert kept == "[1.0, 1.0, 1.0]"
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]
