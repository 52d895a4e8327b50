"""Gates and benchmarks as tests: what `firstpacket.pytest_plugin` gives to tests, loaded when a test asks for it."""
