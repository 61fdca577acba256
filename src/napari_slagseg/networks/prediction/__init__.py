"""Prediction by tiles and blocks: `PredictBlock` and what it rests on."""
