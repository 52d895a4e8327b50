"""The GPU's own account: its state around a turn (NVML), and how busy it was during a profiled turn."""
