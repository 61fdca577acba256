"""Ask the processor for memory that will be needed soon; a hint that changes no result."""

from __future__ import annotations

from typing import Any

from numba import njit, types

try:
    from llvmlite import ir  # type: ignore[import-untyped]
    from numba.core import cgutils
    from numba.extending import intrinsic
except ImportError:  # other versions of numba: slower, no more

    @njit(nogil=True)
    def prefetch(array: Any, index: Any) -> None:
        """Do nothing."""
else:

    @intrinsic
    def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
        """Fetch ``array[index]`` into the cache; `index` may lie anywhere."""

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            pointer = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
            word = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, word, word, word])
            call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
            # to read, into all caches, data
            builder.call(call, [pointer, word(0), word(3), word(1)])
            return context.get_dummy_value()

        return types.void(array, index), build


__all__ = ["prefetch"]
