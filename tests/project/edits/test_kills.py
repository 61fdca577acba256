import signal

import pytest
from benchmarks.edit_kills import run


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_no_acknowledged_edit_is_lost_by_a_kill(tmp_path):
    rounds = run(tmp_path, kills=15, seed=0)
    assert len(rounds) == 15
    assert rounds[-1].found >= 15
    assert sum(r.stored for r in rounds) >= 5
