from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_slagseg.data import Phase, PhaseTable, SlagsegError
from napari_slagseg.io import read_legend, write_legend

HEADER = "colour,phase,symbol,formula,density_g_cm3,group\n"


def legend(folder: Path, text: str, name: str = "l.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_ids_follow_the_order(tmp_path: Path) -> None:
    """Background is 0 wherever it stands; only colour and name need values."""
    path = legend(
        tmp_path,
        HEADER
        + "#D55E00,spodumene,Spd,LiAlSi2O6,3.15,\n"
        + '#000000,background,,,,\n\n#0072b2,"quartz, clear",,,2.65,gangue\n#009e73,mica\n',
    )
    table = read_legend(path, target="spodumene")
    assert table.phases == (
        Phase(0, "background", "#000000"),
        Phase(1, "spodumene", "#d55e00", "Spd", "LiAlSi2O6", 3.15),
        Phase(2, "quartz, clear", "#0072b2", density_g_cm3=2.65, group="gangue"),
        Phase(3, "mica", "#009e73"),
    )
    assert table.target_id == 1


@pytest.mark.parametrize(
    ("before", "separator", "end"),
    [("", ",", "\n"), ("\ufeff", ",", "\r\n"), ("", ";", "\n"), ("\ufeff", ";", "\r\n")],
)
def test_spreadsheets(tmp_path: Path, before: str, separator: str, end: str) -> None:
    rows = [
        HEADER.strip().split(","),
        ["#000000", "background", "", "", "", ""],
        ["#d55e00", "spodumene", "", "", "3,15" if separator == ";" else "3.15", ""],
    ]
    path = legend(tmp_path, before + end.join(separator.join(row) for row in rows) + end)
    assert read_legend(path).by_name("spodumene").density_g_cm3 == 3.15


def test_two_columns_are_enough(tmp_path: Path) -> None:
    path = legend(tmp_path, "phase,colour\nbackground,#000000\nquartz,#0072b2\n")
    assert read_legend(path).names == ("background", "quartz")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("#000000,background\n#d55e0,quartz\n", r"line 3: the colour '#d55e0' of phase 'quartz'"),
        ("#000000,background\nred,quartz\n", r"line 3: the colour 'red'"),
        ("#000000,background\n,quartz\n", r"line 3: a phase needs a colour"),
        ("#000000,background\n#ff0000,\n", r"line 3: a phase needs a colour \(#rrggbb\) and a n"),
        ("#000000,background\n#ff0000,a,,,heavy\n", r"line 3: the density 'heavy'"),
        ("#000000,background\n#ff0000,a,,,-1\n", r"line 3: the density '-1'"),
        ("#000000,background\n#ff0000,a,,,nan\n", r"line 3: the density 'nan'"),
        ("#000000,background\n#ff0000,a\n#00ff00,a\n", r"line 4: phase 'a' stands twice.*line 3"),
        (
            "#000000,background\n\n#ff0000,a,b,c,1,d,e\n",
            r"line 4: 7 values, but the header names 6",
        ),
        ("#ff0000,a\n", r"l\.csv has no phase named 'background'"),
        ("#000000,background\n", r"l\.csv lists no phase beside the background"),
        ("", r"has no phase named 'background'"),
        ('#000000,background\n#ff0000,"a\n', r"line 3: unexpected end of data"),
    ],
)
def test_errors_name_line_and_value(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(SlagsegError, match=message):
        read_legend(legend(tmp_path, HEADER + rows))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#000000,background\n",
        "color,phase\n",
        "colour,phase,density\n",
        "colour,colour,phase\n",
    ],
)
def test_header_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(SlagsegError, match=r"its first line must be 'colour,phase,symbol,formula"):
        read_legend(legend(tmp_path, text))


def test_json_form(tmp_path: Path) -> None:
    rows = [
        {"colour": "#000000", "phase": "background"},
        {"colour": "#d55e00", "phase": "spodumene", "density_g_cm3": 3.15, "group": None},
    ]
    for content in (rows, {"phases": rows}):
        table = read_legend(legend(tmp_path, json.dumps(content), "l.json"))
        assert table.phases[1] == Phase(1, "spodumene", "#d55e00", "Spd", density_g_cm3=3.15)
    rows[1]["density_g_cm3"] = "x"
    with pytest.raises(SlagsegError, match=r"l\.json, entry 2: the density 'x'"):
        read_legend(legend(tmp_path, json.dumps(rows), "l.json"))
    rows[1] = {"color": "#d55e00"}
    with pytest.raises(SlagsegError, match=r"entry 2: unknown field 'color'"):
        read_legend(legend(tmp_path, json.dumps(rows), "l.json"))
    for wrong in ("3", "{}", '{"a": 1}', '["a"]'):
        with pytest.raises(SlagsegError, match=r"l\.json is not a legend|no phase named"):
            read_legend(legend(tmp_path, wrong, "l.json"))


def test_target_must_be_a_phase(tmp_path: Path, table: PhaseTable) -> None:
    write_legend(table, tmp_path / "l.csv")
    with pytest.raises(SlagsegError, match=r"l.csv: The target phase 'gold' is not .* spod"):
        read_legend(tmp_path / "l.csv", target="gold")
    with pytest.raises(SlagsegError, match=r"l.csv: .*is the background. Choose one of"):
        read_legend(tmp_path / "l.csv", target="background")
    with pytest.raises(SlagsegError, match=r"does not exist. Check the name of the legend"):
        read_legend(tmp_path / "no.csv")


_words = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8
).map(str.strip)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(
        _words.filter(lambda s: s and s.lower() != "background"), min_size=1, unique=True
    ),
    data=st.data(),
    suffix=st.sampled_from(["csv", "json"]),
    gaps=st.booleans(),
)
def test_round_trip(tmp_path: Path, names, data, suffix: str, gaps: bool) -> None:
    phases = [Phase(0, "background", "#010203", group=data.draw(_words))]
    for i, name in enumerate(names):
        phases.append(
            Phase(
                id=(i + 1) * (7 if gaps else 1),
                name=name,
                colour=f"#{data.draw(st.integers(0, 0xFFFFFF)):06x}",
                symbol=data.draw(_words | st.just("")),
                formula=data.draw(_words | st.just("")),
                density_g_cm3=data.draw(st.none() | st.floats(0, 25)),
                group=data.draw(_words | st.just("")),
            )
        )
    table = PhaseTable(tuple(phases))
    path = tmp_path / f"l.{suffix}"
    write_legend(table, path)
    assert read_legend(path) == table


def test_file_has_the_agreed_header(tmp_path: Path, table: PhaseTable) -> None:
    write_legend(table, tmp_path / "l.csv")
    lines = (tmp_path / "l.csv").read_text().splitlines()
    assert lines[0] == "colour,phase,symbol,formula,density_g_cm3,group"
    assert lines[2] == "#d55e00,spodumene,Spd,LiAlSi2O6,3.15,"


def test_ids_that_are_given(tmp_path: Path) -> None:
    path = legend(tmp_path, "colour,phase,id\n#000000,background,\n#ff0000,a,40\n#00ff00,b,12\n")
    assert read_legend(path).ids == (0, 12, 40)
    for wrong in ("0", "-3", "x", "40000", "1.5"):
        path = legend(
            tmp_path, f"colour,phase,id\n#000000,background,\n#ff0000,a,40\n#00ff00,b,{wrong}\n"
        )
        with pytest.raises(SlagsegError, match=rf"line 4: the id '{wrong}'"):
            read_legend(path)
    path = legend(tmp_path, "colour,phase,id\n#000000,background,\n#ff0000,a,4\n#00ff00,b,4\n")
    with pytest.raises(SlagsegError, match=r"l\.csv: Phase id 4 stands twice"):
        read_legend(path)


def test_background_of_another_name_is_not_lost(tmp_path: Path) -> None:
    table = PhaseTable((Phase(0, "resin", "#000000"), Phase(1, "a", "#ff0000")))
    with pytest.raises(SlagsegError, match="phase 0 is called 'resin'"):
        write_legend(table, tmp_path / "l.csv")


@pytest.mark.shared_data
def test_tima_list(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "tima_particles_in_epoxy" / "ERD_d6b974f1_phases.json"
    table = read_legend(path, target="Albite")
    assert table.target_id == 14
    assert table.by_id(11) == Phase(11, "Anorthite", "#29b4ff", "An")
    assert table.by_id(0) == Phase(0, "background", "#000000")
    assert table.by_name("Hematite_Magnetite").id == 42
    assert len(table) == len(json.loads(path.read_text())["phases"])
    for name in ("l.csv", "l.json"):
        write_legend(table, tmp_path / name)
        assert read_legend(tmp_path / name, target="Albite") == table


def test_a_legend_without_colours_takes_safe_ones_and_symbols_fill_in(tmp_path):
    path = tmp_path / "legend.csv"
    path.write_text("phase,symbol\nquartz,\nbackground,\nSpinel,Sp1\nLiAlO2,\n")
    table = read_legend(path)
    assert [p.colour for p in table] == ["#000000", "#e69f00", "#56b4e9", "#009e73"]
    assert [p.symbol for p in table] == ["", "Qz", "Sp1", ""]
