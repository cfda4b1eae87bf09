"""The Streamlit front end: the only place, with app.py, that imports streamlit."""
