"""The ASGI application: its routes and their description, who may ask, and the server that runs it."""
