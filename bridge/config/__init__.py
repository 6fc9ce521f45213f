"""Every setting, read once from the environment by the commands and handed down as one frozen object."""

from bridge.config.loading import examine, load
from bridge.config.settings import Settings

__all__ = ["Settings", "examine", "load"]
