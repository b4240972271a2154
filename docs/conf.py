"""How Sphinx builds the site: ``sphinx-build -W docs site`` with the extra ``docs``.

Pages with code cells are executed while the site is built, and so are the scripts of the gallery: a snippet that fails
stops the build.
"""

import os
import sys
import tempfile
from pathlib import Path

from docutils import nodes
from docutils.utils.math import latex2mathml

import automl_explain

# Runs that pages make are kept apart from the history of whoever builds the site: see `give_a_history_of_its_own`.
HISTORIES = tempfile.mkdtemp(prefix="site-history-")
os.environ["AUTOML_EXPLAIN_HISTORY"] = str(Path(HISTORIES, "gallery"))
os.environ.setdefault(
    "PYDEVD_DISABLE_FILE_VALIDATION", "1"
)  # kernels warn of frozen modules, also in what a page shows

os.environ.setdefault("TQDM_DISABLE", "1")  # a bar that has gone leaves an empty output in a page

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
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
    "_templates",
    *(f"auto_gallery/*.{kind}" for kind in ("ipynb", "json", "py", "zip")),
]
templates_path = ["_templates"]
nitpicky = False

autosummary_generate = True
toc_object_entries_show_parents = "hide"  # the names of methods fit beside a page
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
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 10_000,
    "capture_repr": (),  # the picture is the result
    "plot_gallery": "True",
}

html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"  # browsers draw it themselves; MathJax would be fetched from another host
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
    "header_links_before_dropdown": 5,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "getting_started": [], "glossary": [], "changelog": []}
copybutton_exclude = ".linenos, .gp, .go"


def show_formula(writer, node):
    """Write a formula as MathML, a block of its own if the node is one."""
    is_block = node.tagname == "math_block"
    formula = latex2mathml.tex2mathml(node.astext(), as_block=is_block)
    writer.body.append(f'<div class="formula">{formula}</div>' if is_block else formula)
    raise nodes.SkipNode


def give_a_history_of_its_own(app, page, source):
    """Keep the runs of a page apart from those of pages that are executed at the same time."""
    os.environ["AUTOML_EXPLAIN_HISTORY"] = str(Path(HISTORIES, *page.split("/")))


def setup(app):
    """Take the pictures of reports and dashboards, and prepare the pages."""
    sys.path.insert(0, str(Path(__file__).parent))
    import pictures

    pictures.draw()
    app.connect("source-read", give_a_history_of_its_own)
    app.add_html_math_renderer("mathml", inline_renderers=(show_formula, None), block_renderers=(show_formula, None))
