"""``python -m automl_explain.cli``: the same as the installed command ``automl-explain``."""

import sys

from automl_explain.cli._main import main

if __name__ == "__main__":
    sys.exit(main())
