"""The site: Markdown by MyST, notebooks run as it is built, docs/reference by scripts/reference.py."""

from explain import __version__

project = "explain"
author = copyright = "The explain authors"
release = __version__
extensions = ["myst_nb"]
root_doc = "index"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

nb_execution_mode = "force"
nb_execution_show_tb = True  # what raises is a warning, which fails the build at its end
nb_execution_timeout = 120
nb_execution_in_temp = True  # from any folder
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "image/png", 5)]
nb_merge_streams = True

nitpicky = True

html_theme = "furo"
pygments_style = "default"
pygments_dark_style = "github-dark"
html_title = "explain"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
