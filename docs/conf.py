"""How Sphinx builds the site: ``sphinx-build -W -j 2 docs site`` with the extra ``docs``.

Pages with code cells are executed while the site is built, and so are the scripts of the gallery: a snippet that fails
stops the build.
"""

import os
import tempfile

import automl_explain

# Runs that pages make are kept apart from the history of whoever builds the site.
os.environ["AUTOML_EXPLAIN_HISTORY"] = tempfile.mkdtemp(prefix="site-history-")
os.environ.setdefault(
    "PYDEVD_DISABLE_FILE_VALIDATION", "1"
)  # kernels warn of frozen modules, also in what a page shows

project = "automl-explain"
author = "The authors of automl-explain"
copyright = f"2026, {author}"
version = release = automl_explain.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = [
    "_build",
    "gallery",
    "_templates",
    *(f"auto_gallery/*.{kind}" for kind in ("ipynb", "json", "py", "zip")),
]
templates_path = ["_templates"]
nitpicky = False

autosummary_generate = True
autodoc_typehints = "none"  # types stand in the docstrings, with shapes and units
numpydoc_show_class_members = False  # the template of classes lists methods and attributes
numpydoc_class_members_toctree = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 180
nb_execution_in_temp = True  # what a page writes is gone with it
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_output_stderr = "remove"  # progress bars

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 10_000,
    "plot_gallery": "True",
}

html_theme = "pydata_sphinx_theme"
html_title = "automl-explain"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "automl-explain"},
    "navbar_align": "left",
    "show_nav_level": 1,
    "navigation_depth": 2,
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "article_footer_items": ["prev-next"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "getting_started": [], "glossary": [], "changelog": []}
copybutton_exclude = ".linenos, .gp, .go"
