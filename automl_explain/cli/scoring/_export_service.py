"""``automl-explain export-service``: a folder that builds an image."""

from __future__ import annotations

import argparse

from automl_explain.cli._command import Command, add_allow_pickle, print_json


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="directory or file that save wrote")
    parser.add_argument("directory", metavar="DIR", help="folder to write")
    parser.add_argument("--wheel", metavar="FILE", help="wheel of automl-explain to install (default: from the index)")
    add_allow_pickle(parser)
    parser.add_argument("--exist-ok", action="store_true", help="replace files of a folder that exists")


def _act(options: argparse.Namespace) -> None:
    from automl_explain.deployment._export import export_service

    folder = export_service(
        options.bundle, options.directory, options.exist_ok, wheel=options.wheel, allow_pickle=options.allow_pickle
    )
    names = sorted(path.name for path in folder.iterdir())
    if options.json:
        print_json({"directory": str(folder), "files": names})
    else:
        print(f"{folder}: {', '.join(names)}")


COMMAND = Command(
    name="export-service",
    summary="write a Dockerfile and all that serves a bundle",
    description="Write a folder with a Dockerfile, pinned requirements, a score file with init() and run(raw_data), a "
    "compose file, a systemd unit, and a copy of the bundle.",
    examples=("export-service my_directory image/",),
    add_arguments=_add_arguments,
    act=_act,
)
