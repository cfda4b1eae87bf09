"""What is chosen, and the URL that says so."""

from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from explain.ui import selection

    selection.start("page")
    selection.controlled(st.selectbox, "Map", "map", selection.get("map", "pca"), ["pca", "tsne"])
    selection.finish()


def test_a_run_that_the_page_asks_for_keeps_what_was_chosen_since_its_url():
    app = AppTest.from_function(page, default_timeout=60).run()
    app.selectbox(key="_map").set_value("tsne").run()
    app.query_params.clear()
    app.query_params.update({"map": "pca"})  # as a fragment's run hands it on that began before the URL was written
    app.session_state.again = True
    app.run()
    assert app.selectbox(key="_map").value == "tsne"
    app.query_params.clear()
    app.query_params.update({"map": "pca"})  # the browser's back button
    app.run()
    assert app.selectbox(key="_map").value == "pca"
