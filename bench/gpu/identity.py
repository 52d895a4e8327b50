"""Which GPU `cuda:N` is in this process, as an identity that NVML knows in any other process."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.record.gpu import GpuIdentity


def identity(device: str) -> GpuIdentity | None:
    """The GPU behind a torch device name; `None` where torch does not say.

    Numbers are no identity: CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER renumber CUDA's devices, not NVML's.
    """
    try:
        import torch

        return identity_of(torch.cuda.get_device_properties(torch.device(device)))
    except Exception:  # whatever a build of torch raises: without an identity the GPU is not read, and that is said
        return None


def identity_of(properties: Any) -> GpuIdentity | None:
    """The identity in torch's device properties; the PCI address is left out where they do not hold it."""
    uuid = str(getattr(properties, "uuid", "")).lower().removeprefix("gpu-").removeprefix("mig-")
    place: Any = [getattr(properties, name, None) for name in ("pci_domain_id", "pci_bus_id", "pci_device_id")]
    address = "" if None in place else "{:08x}:{:02x}:{:02x}.0".format(*place)
    if not uuid and not address:
        return None
    return GpuIdentity(uuid, address, str(getattr(properties, "name", "")))
