"""``automl-explain inspect`` and ``automl-explain verify``: what is in a bundle, and whether it is whole."""

from __future__ import annotations

import argparse
from typing import Any

from automl_explain.cli._command import Command, add_allow_pickle, print_json

SHOWN = 6
"""Categories of a column that are shown."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="directory or file that save wrote")


def _add_verify_arguments(parser: argparse.ArgumentParser) -> None:
    _add_arguments(parser)
    add_allow_pickle(parser)


def _inspect(options: argparse.Namespace) -> None:
    from automl_explain.explainers.formatting._text_table import Column, TextTable
    from automl_explain.explainers.scoring._inspecting import inspect_bundle

    found = inspect_bundle(options.bundle)
    if options.json:
        print_json(found)
        return
    classes = found["classes"]
    lines = {
        "model": found["model_name"],
        "explained by": f"{found['method']}, in {found['output_space']}",
        "classes": "none, a regression" if classes is None else ", ".join(map(str, classes)),
        "fingerprint": found["fingerprint"],
        "size": f"{found['bytes']:,} bytes in {found['files']} files, format {found['format']}",
        **({} if found["external"] is None else {"needs": _needs(found["external"])}),
        **({} if found["model_file"] is None else {"holds": _holds(found["model_file"])}),
        "signed": "yes" if found["signed"] else "no",
        "versions": ", ".join(f"{name} {number}" for name, number in found["versions"].items()),
        **{f"{key}": value for key, value in found["facts"].items()},
    }
    print("\n".join(f"{name}: {value}" for name, value in lines.items()))
    print()
    heads = tuple(Column(head) for head in ("column", "type", "may be missing", "categories"))
    print(TextTable(heads, tuple(_row(column) for column in found["schema"]["columns"])).as_text())


def _row(column: dict[str, Any]) -> tuple[str, ...]:
    known = column["categories"]
    shown = "" if known is None else ", ".join(map(str, known[:SHOWN])) + (", ..." if len(known) > SHOWN else "")
    return column["name"], column["dtype"], "yes" if column["missing"] else "no", shown


def _needs(class_path: str) -> str:
    return f"the fitted model, {class_path or 'of a class that is not known'}, passed to load(..., model=fitted)"


def _holds(model: dict[str, Any]) -> str:
    allow = "; loading it runs its author's code: --allow-pickle" if model["runs_code"] else ""
    return f"{model['class'] or 'the fitted model'}, as {model['format']}{allow}"


def _verify(options: argparse.Namespace) -> None:
    from automl_explain.explainers.scoring._inspecting import check_bundle, inspect_bundle
    from automl_explain.explainers.scoring._saving import load

    found = inspect_bundle(options.bundle)
    if found["external"] is not None:
        check_bundle(options.bundle)
        if options.json:
            print_json(
                {
                    "whole": True,
                    "signed": found["signed"],
                    "fingerprint": found["fingerprint"],
                    "external": found["external"],
                }
            )
        else:
            signed = "signed" if found["signed"] else "not signed"
            print(
                f"{options.bundle}: whole, {signed}; no row was explained, since it needs {_needs(found['external'])}"
            )
        return
    scorer = load(options.bundle, allow_pickle=options.allow_pickle)
    scorer.warm_up()
    signed = found["signed"]
    if options.json:
        print_json({"whole": True, "signed": signed, "fingerprint": scorer.fingerprint})
    else:
        print(f"{options.bundle}: whole, {'signed' if signed else 'not signed'}; {scorer!r}")


COMMANDS = (
    Command(
        name="inspect",
        summary="show what is in a bundle",
        description="Show the manifest of a bundle: model, classes, columns, versions and size. Nothing else is read.",
        examples=("inspect my_directory", "inspect best.zip --json"),
        add_arguments=_add_arguments,
        act=_inspect,
    ),
    Command(
        name="verify",
        summary="check that a bundle is whole",
        description="Check the hash of each file, the signature if AUTOML_EXPLAIN_BUNDLE_KEY is set, and that the bundle "
        "explains a row. A bundle without its model explains none.",
        examples=("verify my_directory",),
        add_arguments=_add_verify_arguments,
        act=_verify,
    ),
)
