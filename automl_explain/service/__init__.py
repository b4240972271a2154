"""A web service that answers predictions with their explanations. FastAPI is imported when an application is created."""
