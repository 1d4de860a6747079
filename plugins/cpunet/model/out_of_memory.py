"""Tell a lack of memory from other failures of a network."""

from __future__ import annotations

from cpunet.errors import OutOfMemoryError

# onnxruntime has no exception of its own for a lack of memory, so its words decide. From its sources and from reports:
OUT_OF_MEMORY_WORDS = (
    "failed to allocate memory",  # bfc_arena.cc: the CPU or the GPU has no more
    "is smaller than requested bytes",  # bfc_arena.cc: the limit that the session was given is reached
    "failed to find a free memory block",  # bfc_arena.cc: free memory is in pieces
    "out of memory",  # cuda_call.cc: "CUDA failure 2: out of memory"
    "status_alloc_failed",  # CUBLAS_STATUS_ALLOC_FAILED and CUDNN_STATUS_ALLOC_FAILED
    "bad_alloc",  # the C++ exception, as GCC and Clang name it
    "bad allocation",  # and as Microsoft's compiler does
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an error of onnxruntime or numpy means that the memory was too small."""
    if isinstance(error, (MemoryError, OutOfMemoryError)):
        return True
    words = str(error).lower()
    return any(each in words for each in OUT_OF_MEMORY_WORDS)
