"""How the demo model was made. Run by hand only; see README.md."""
