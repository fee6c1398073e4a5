"""The tests: one module per module of the package, under the same name."""
