"""A network on tiles by OpenVINO: the fast way on CPUs."""

from __future__ import annotations

import threading
import warnings
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from napari_slagseg.networks.prediction.tile_network import TileNetwork
from napari_slagseg.networks.settings import STRIDE


@lru_cache(maxsize=1)
def _core() -> Any:
    import openvino

    return openvino.Core()


@lru_cache(maxsize=1)
def cpu_abilities() -> tuple[str, ...]:
    """What OpenVINO says the CPU computes in ("FP32", "BF16", ...)."""
    return tuple(_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _from_trace(traced: Any, example: Tensor) -> Any:
    """OpenVINO's model of a traced network, by its front end for torch.

    ``openvino.convert_model`` does the same, but reports its use over the internet.
    """
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    front_end = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, example_input=example)
    model = front_end.convert(front_end.load(decoder))
    parameter = model.inputs[0].get_node()
    parameter.set_element_type(openvino.Type.u8)
    parameter.set_partial_shape(openvino.PartialShape([1, 1, -1, -1, -1]))
    model.validate_nodes_and_infer_types()
    return model


class OpenVinoEngine:
    """`TileNetwork` compiled for each shape of tile that comes.

    The network goes over in memory: no file is written, and none is read that could
    carry code. Shapes are fixed, as OpenVINO plans its memory and loops by them;
    a volume has at most eight (whole tiles, and those at its far sides).

    Parameters
    ----------
    network : TileNetwork
    precision : {"fp32", "bf16"}
    threads : int or None
    """

    def __init__(self, network: TileNetwork, precision: str, threads: int | None) -> None:
        import openvino

        self._settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": openvino.Type.bf16
            if precision == "bf16"
            else openvino.Type.f32,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # other workers may be pinned to the same cores
            "ENABLE_CPU_PINNING": False,
        }
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        edge = 2 * network.halo + STRIDE
        example = torch.zeros((1, 1, edge, edge, edge), dtype=torch.uint8)
        with warnings.catch_warnings(), torch.inference_mode():
            # tracing warns of what does not change with the shape
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(network.eval(), example, check_trace=False)
        self._model = _from_trace(traced, example)
        self._requests: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()

    def __call__(self, tile: Tensor) -> Tensor:
        """Answer of a (1, 1, z, y, x) uint8 tile, as `TileNetwork` gives it."""
        shape = tuple(tile.shape)
        with self._lock:
            if shape not in self._requests:
                model = self._model.clone()
                model.reshape(list(shape))
                compiled = _core().compile_model(model, "CPU", self._settings)
                self._requests[shape] = compiled.create_infer_request()
            request = self._requests[shape]
            request.infer({0: tile.numpy()}, share_inputs=True)
            # the request's own memory is written again by the next tile
            return torch.from_numpy(request.get_output_tensor(0).data.copy())


__all__ = ["OpenVinoEngine", "cpu_abilities"]
