import json

import numpy as np
import pytest

from napari_slagseg import io
from napari_slagseg.data import Landmarks, SlagsegError

ONE = Landmarks(np.array([[1.25, 2.0], [30, 4]]), np.array([[5, 6, 7.5], [8, 9, 10.0]]))
OTHER = Landmarks(np.array([[0.1, 0.2]]), np.array([[1 / 3, 2, 3.0]]))


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.json"])
def test_what_is_written_is_read_to_the_last_digit(tmp_path, name):
    io.write_landmarks({"map_1": ONE, "map_2": OTHER}, tmp_path / name)
    found = io.read_landmarks(tmp_path / name)
    assert list(found) == ["map_1", "map_2"]
    for key, pairs in (("map_1", ONE), ("map_2", OTHER)):
        assert np.array_equal(found[key].pixels, pairs.pixels)
        assert np.array_equal(found[key].voxels, pairs.voxels)


def test_csv_as_spreadsheets_write_it(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes(
        b"\xef\xbb\xbfz, Y,x,Map,row,column,note\r\n5,6,7,map_1,1,2,left\r\n,,,,,,\r\n"
        b"8,9,1e1,,3,4,\r\n"
    )
    found = io.read_landmarks(path)
    assert found["map_1"].pixels.tolist() == [[1, 2]]
    assert found["map_1"].voxels.tolist() == [[5, 6, 7]]
    assert found[""].pixels.tolist() == [[3, 4]]
    assert found[""].voxels.tolist() == [[8, 9, 10]]
    path.write_text("row,column,z,y,x\n1,2,3,4,5\n")
    assert io.read_landmarks(path)[""].voxels.tolist() == [[3, 4, 5]]
    path.write_text("row,column,z,y,x\n")
    assert io.read_landmarks(path) == {}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.csv", "map,row,column,z,y\na,1,2,3,4\n", "lacks the column 'x'; .*map,row,column,z,y'"),
        ("p.csv", "", "lacks the columns 'row', 'column', 'z', 'y', 'x'"),
        ("p.csv", "row,column,z,y,x\n1,2,3,4,5\n1,two,3,4,5\n", "line 3: column is 'two'"),
        ("p.csv", "row,column,z,y,x\n1,2,,4,5\n", "line 2: z is nothing"),
        ("p.csv", "row,column,z,y,x\n1,2\n", "line 2: z is nothing"),
        ("p.csv", "row,column,z,y,x\n1,2,nan,4,5\n", "line 2: z is 'nan'"),
        ("p.json", "{", "not valid JSON"),
        ("p.json", "[]", "holds no landmarks"),
        ("p.json", '{"landmarks": [3]}', "holds no landmarks"),
        ("p.json", '{"landmarks": [{"row": 1}]}', "landmark 1: column is nothing"),
        ("p.json", '{"format": 99, "landmarks": []}', "newer napari-slagseg"),
        ("p.txt", "", r"end the name in \.csv"),
    ],
)
def test_unusable_landmarks_name_file_line_and_value(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(SlagsegError, match=words) as told:
        io.read_landmarks(tmp_path / name)
    assert str(tmp_path / name) in str(told.value)


def test_missing_landmarks_and_other_endings(tmp_path):
    with pytest.raises(SlagsegError, match=r"gone\.csv does not exist"):
        io.read_landmarks(tmp_path / "gone.csv")
    with pytest.raises(SlagsegError, match="end the name in"):
        io.write_landmarks({"a": ONE}, tmp_path / "pairs.xlsx")
    (tmp_path / "latin.csv").write_bytes(b"row,column,z,y,x\n\xe9,2,3,4,5\n")
    with pytest.raises(SlagsegError, match="UTF-8"):
        io.read_landmarks(tmp_path / "latin.csv")


def test_json_can_be_read_by_other_programs(tmp_path):
    io.write_landmarks({"map_1": ONE}, tmp_path / "p.json")
    content = json.loads((tmp_path / "p.json").read_text())
    assert content["landmarks"][0] == {
        "map": "map_1", "row": 1.25, "column": 2.0, "z": 5.0, "y": 6.0, "x": 7.5,
    }  # fmt: skip
