"""The figures of docs/performance.md: ratios of one run, against a peer or a limit; never part of the tests."""
