"""From samples to windows of speech."""
