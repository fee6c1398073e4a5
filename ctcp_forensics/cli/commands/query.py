"""`query`: questions to the store of an archive.  Translates; does no work of its own."""

from enum import StrEnum
from typing import Annotated

import typer

from ctcp_forensics.cli.commands.app import EXIT_STATUS_SHORT, DebugOption, JsonOption, app, form_of
from ctcp_forensics.cli.ends import Done, Refused
from ctcp_forensics.cli.output import STANDARD_OUTPUT


class AnswerFormat(StrEnum):
    """How an answer is written, by the names in `answers.FORMATS`."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"


@app.command(
    short_help="Ask a store of many captures: who else, since when, behind which firewall.",
    epilog="\b\nExamples:\n  ctcp-diag query --list\n  ctcp-diag query who-else --store results/\n"
    "  ctcp-diag query who-else --by client-network --like 198.51.100.1 --store results/\n"
    "  ctcp-diag query trend --by week --format csv -o trend.csv --store results/\n"
    "  ctcp-diag query overview -o overview.html --store results/\n"
    "  ctcp-diag query --sql 'SELECT ending, count(*) FROM flows GROUP BY ALL' --store results/\n\n"
    + EXIT_STATUS_SHORT,
)
def query(
    *,
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="One of those that --list tells.")
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql", metavar="SELECT", help="Your own question, to the tables captures, flows and findings."
        ),
    ] = None,
    store: Annotated[
        str, typer.Option("--store", metavar="DIR", help="What `ctcp-diag scan --store` wrote.")
    ] = "results",
    by: Annotated[
        str | None, typer.Option("--by", metavar="WHAT", help="What rows are put together by; see --list.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            metavar="WHO",
            help="Only findings with the same verdict and the same headend or client network as this flow, finding, "
            "Community ID or address.",
        ),
    ] = None,
    verdict: Annotated[
        str | None,
        typer.Option("--verdict", metavar="WORD", help="Ask about this verdict, in place of the failure."),
    ] = None,
    form: Annotated[
        AnswerFormat, typer.Option("--format", "-f", help="How the answer is written.")
    ] = AnswerFormat.TABLE,
    as_json: JsonOption = False,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="Write the answer there, whole or not at all."),
    ] = STANDARD_OUTPUT,
    is_list: Annotated[bool, typer.Option("--list", help="List the questions that are ready.")] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, help="Every row, and the SQL behind it.", show_default=False
        ),
    ] = 0,
    debug: DebugOption = False,  # as above
) -> None:
    """Ask the store that `ctcp-diag scan` fills.

    Needs DuckDB: pip install 'ctcp-forensics[archive]'. Rows that lead to a capture tell its URI and flow, for
    `analyze` and `annotate`.
    """
    from ctcp_forensics.cli.asking import Inquiry, answer, list_questions

    if is_list:
        raise Done(list_questions(output))
    if (question is None) == (sql is None):
        raise Refused("name a question, which --list tells, or give your own with --sql")
    raise Done(
        answer(
            Inquiry(
                question=question,
                sql=sql,
                store=store,
                by=by,
                like=like,
                verdict=verdict,
                form=form_of(form, as_json=as_json),
                output=output,
                is_verbose=verbose > 0,
            )
        )
    )
