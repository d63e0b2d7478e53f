"""`sttd web`, as a real process that is asked over real connections."""

NO_WEB = "needs pip install 'sttd[web]'"
