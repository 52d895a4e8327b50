"""What the GPU itself says: its state beside a turn (NVML), and how busy it was in a turn under the profiler."""
