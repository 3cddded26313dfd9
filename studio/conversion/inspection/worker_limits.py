"""What a process that opens a file nobody vouches for may take: memory up to a limit, and no core dump.

Counted is private memory (heap, buffers, weights in another form), not the mapped file itself. Where the system has no
such limit (other than Linux) nothing is limited; the caller's timeout still is there.
"""

from __future__ import annotations


def limit_memory(size: int) -> None:
    """Let this process have at most `size` bytes of private memory (Linux, RLIMIT_DATA)."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, wanted in ((resource.RLIMIT_DATA, size), (resource.RLIMIT_CORE, 0)):
        allowed = resource.getrlimit(kind)[1]
        limit = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
        resource.setrlimit(kind, (limit, allowed))
