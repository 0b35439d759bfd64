"""What goes wrong in the embedded cloud, told to the person at the keyboard."""


class CloudError(Exception):
    """Its text is one line that says what happened and, where there is a way out, which."""
