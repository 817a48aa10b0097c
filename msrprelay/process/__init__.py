"""The relay process: its parts built from a configuration, started, reloaded and stopped."""
