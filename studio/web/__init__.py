"""What the web server does before and beside the pages.

access    Refuse whoever has not proved who they are; where the cookie is.
entrance  Serve the forms by which people enter, join and leave.
monitor   Answer a monitor: `/healthz`, `/metrics`.
"""
