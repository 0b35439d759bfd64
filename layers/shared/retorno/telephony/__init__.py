"""What telephony providers send: one file a provider, behind the port in `ports.py`."""
