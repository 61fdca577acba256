"""Mineral map -> CT."""

from napari_slagseg.registration.hints import Hints
from napari_slagseg.registration.landmarks import LandmarkPose, landmark_pose
from napari_slagseg.registration.place import place_map
from napari_slagseg.registration.pyramid import PreparedCT, prepare_ct
from napari_slagseg.registration.reslicing import placement_error, reslice
from napari_slagseg.registration.settings import RegistrationSettings
from napari_slagseg.registration.several import place_maps

__all__ = [
    "Hints",
    "LandmarkPose",
    "PreparedCT",
    "RegistrationSettings",
    "landmark_pose",
    "place_map",
    "place_maps",
    "placement_error",
    "prepare_ct",
    "reslice",
]
