"""``automl-explain serve``: answer predictions and explanations over HTTP."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import fields
from pathlib import Path

from automl_explain.cli._command import Command, add_allow_pickle, at_least, seconds
from automl_explain.cli._terminal import Printed


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "bundles",
        nargs="+",
        metavar="BUNDLE",
        help="directory or file that save wrote, or NAME=BUNDLE; the first is default",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=at_least(0), default=8000, help="port; 0 for any free one (default: 8000)")
    parser.add_argument("--token", help="token that requests must bring; other users of this machine can see it in ps")
    parser.add_argument("--token-file", metavar="FILE", help="file with the token (default: AUTOML_EXPLAIN_TOKEN)")
    parser.add_argument("--insecure", action="store_true", help="allow other machines to ask without a token")
    parser.add_argument("--max-rows", type=at_least(1), default=10_000, metavar="N", help="rows of a request (10,000)")
    parser.add_argument(
        "--max-body", type=at_least(1), default=10_000_000, metavar="N", help="bytes of a request (10 MB)"
    )
    parser.add_argument("--deadline", type=seconds, default=10.0, metavar="S", help="seconds until an answer (10)")
    parser.add_argument("--max-waiting", type=at_least(1), default=64, metavar="N", help="requests that may wait (64)")
    add_allow_pickle(parser)
    parser.add_argument("--threads", type=at_least(1), default=2, metavar="N", help="threads that score (2)")
    parser.add_argument(
        "--block-rows",
        type=at_least(1),
        default=256,
        metavar="N",
        help="rows explained between looks at the clock (256)",
    )
    parser.add_argument(
        "--half-life",
        type=at_least(1),
        default=10_000,
        metavar="N",
        help="explained rows after which a row counts half in the rolling importance of the features (10,000)",
    )


def _act(options: argparse.Namespace) -> None:
    from automl_explain.explainers._errors import InvalidInputError
    from automl_explain.explainers.scoring._saving import load
    from automl_explain.service._settings import ServiceLimits
    from automl_explain.service.models._bundle_model import BundleModel
    from automl_explain.service.server._security import check_address, read_token
    from automl_explain.service.server._serve import serve

    token = read_token(options.token, options.token_file)
    check_address(options.host, token, options.insecure)
    bundles = {}
    for text in options.bundles:
        name, path = _named(text)
        if name in bundles:
            raise InvalidInputError(f"Two bundles have the name {name!r}. Pass NAME=BUNDLE to name them.")
        bundles[name] = BundleModel(load(path, allow_pickle=options.allow_pickle))
    limits = ServiceLimits(**{field.name: getattr(options, field.name) for field in fields(ServiceLimits)})
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form, stream=Printed(sys.stderr))
    serve(bundles, host=options.host, port=options.port, token=token, insecure=options.insecure, limits=limits)


def _named(text: str) -> tuple[str, str]:
    """Return the name and the path of a bundle; without a name it is called as its file or directory."""
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        return name, path
    return Path(text).resolve().stem, text


COMMAND = Command(
    name="serve",
    summary="serve predictions and explanations over HTTP",
    description="Serve one or several bundles: KServe's protocol v1, the Open Inference Protocol v2, MLflow's scoring "
    "protocol, and POST /score with reasons in words. /docs lists the routes, /metrics counts for Prometheus. Needs the "
    "extra serve.",
    examples=("serve my_directory --port 8000", "serve loans=bundles/loans prices=bundles/prices --token-file token"),
    add_arguments=_add_arguments,
    act=_act,
)
