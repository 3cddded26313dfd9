"""`approve`, `deploy`, `rollback` and `deployments`: which model is in use, and the way back."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from studio.commands import Command, Context, Exit, table
from studio.conversion import find_model
from studio.registry import DEFAULT_CHANNEL, Deployment, ModelVersion, Registry


def _configure_model(parser: ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a GGUF file of models/gguf/, a model's name, or a run's name")


def _configure_channel(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--channel", default=DEFAULT_CHANNEL, metavar="C", help=f"where it is used (default: {DEFAULT_CHANNEL})"
    )


def _configure_approve(parser: ArgumentParser) -> None:
    _configure_model(parser)
    parser.add_argument("--note", default="", metavar="TEXT", help="why it is good enough")


def _configure_deploy(parser: ArgumentParser) -> None:
    _configure_model(parser)
    _configure_channel(parser)


def _configure_deployments(parser: ArgumentParser) -> None:
    parser.add_argument("--channel", default=None, metavar="C", help="show one channel only")


def _approve(options: Namespace, context: Context) -> int:
    registry, version = _version(options, context)
    approved = registry.approve(version.id, options.note)
    context.show(f"Approved {_title(approved)}. Next: python -m studio deploy {approved.name}", approved)
    return Exit.DONE


def _deploy(options: Namespace, context: Context) -> int:
    registry, version = _version(options, context)
    return _done(registry.deploy(version.id, options.channel), "Deployed", context)


def _rollback(options: Namespace, context: Context) -> int:
    return _done(Registry(context.workspace).rollback(options.channel), "Went back to", context)


def _deployments(options: Namespace, context: Context) -> int:
    registry = Registry(context.workspace)
    history = registry.history(options.channel)
    context.show(_history_table(history), history)
    problems = registry.problems()
    for problem in problems:
        context.note(str(problem))
    return Exit.FINDINGS if problems else Exit.DONE


def _version(options: Namespace, context: Context) -> tuple[Registry, ModelVersion]:
    registry = Registry(context.workspace)
    return registry, registry.register(find_model(context.workspace, options.model))


def _done(deployment: Deployment, word: str, context: Context) -> int:
    place = f"models/deployed/{deployment.channel}/model.gguf"
    context.show(f"{word} {_title(deployment.version)}: {place}", deployment)
    return Exit.DONE


def _history_table(history: list[Deployment]) -> str:
    if not history:
        return "Nothing has been deployed yet. Approve a model, then deploy it."
    current: dict[str, int] = {}
    for one in history:
        current.setdefault(one.channel, one.id)
    rows = [
        (
            f"{one.deployed.astimezone():%Y-%m-%d %H:%M}",
            one.channel,
            one.action,
            one.version.name,
            one.version.sha256[:12],
            "in use" if current[one.channel] == one.id else "",
        )
        for one in history
    ]
    return table(rows, ("WHEN", "CHANNEL", "ACTION", "MODEL", "SHA-256", ""))


def _title(version: ModelVersion) -> str:
    return f"{version.name} (SHA-256 {version.sha256[:12]})"


COMMANDS = (
    Command("approve", "say that a model is good enough to be deployed", _configure_approve, _approve),
    Command("deploy", "put an approved model into use", _configure_deploy, _deploy),
    Command("rollback", "go back to the model deployed before", _configure_channel, _rollback),
    Command("deployments", "show which model is and was in use", _configure_deployments, _deployments),
)
