"""The report of a challenge: one self-contained page that tells who found what, and who is paid.

The page holds everything it shows: style, drawings and pictures are inside it. It asks nothing of
any server and runs no script, so that it can be mailed, archived and read years later. Its words
are English or Korean; titles and names are shown as their authors wrote them.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources

from danseo.core.curve import BILLION
from danseo.core.errors import Usage
from danseo.core.reward import SHARES, UNITS
from danseo.flows import notation
from danseo.flows import report_drawing as drawing
from danseo.flows.report_view import ChainFacts, Clue, Money, Point, Pot, ReportView
from danseo.flows.report_words import WORDS


def render(view: ReportView) -> str:
    """Return the page as HTML; raise `Usage` for a language that it does not speak."""
    if view.language not in WORDS:
        raise Usage(
            f"There is no report in {view.language!r}.", f"Choose one of {', '.join(WORDS)}."
        )
    return _Page(view).html()


def percent(part: int, whole: int = SHARES) -> str:
    """Return a part of a whole as a percentage that no line break tears."""
    return notation.percent(part, whole).replace(" ", "\N{NO-BREAK SPACE}")


def decimal(billionths: int, digits: int = 4) -> str:
    """Return parts per billion as a decimal number, cut and not rounded: a score never grows.

    >>> decimal(611_960_000), decimal(-2_000_000, 3)
    ('0.6119', '-0.002')
    """
    sign = "-" if billionths < 0 else ""
    whole, rest = divmod(abs(billionths), BILLION)
    return f"{sign}{whole}.{rest // 10 ** (9 - digits):0{digits}d}"


def instant(time: int) -> str:
    """Return a time in seconds as a date and hour in UTC."""
    return datetime.fromtimestamp(min(time, notation.LAST), UTC).strftime("%Y-%m-%d %H:%M UTC")


def _day(time: int) -> str:
    return datetime.fromtimestamp(min(time, notation.LAST), UTC).strftime("%Y-%m-%d")


def _money(money: Money) -> str:
    return notation.short_money(money.amount, money.asset)


class _Page:
    """The page in the making: a method for each section, top to bottom."""

    def __init__(self, view: ReportView) -> None:
        self.view = view
        self.words = WORDS[view.language]

    def say(self, key: str, **values: object) -> str:
        """Return a phrase of the page's language, escaped, its values too."""
        return escape(self.words[key].format(**values))

    def html(self) -> str:
        """Return the whole page."""
        style = resources.files("danseo.flows").joinpath("report_style.css").read_text("utf-8")
        title = escape(self.view.title)
        sections = (
            self.frontier(),
            self.graph(),
            self.ledger(),
            self.gallery(),
            self.pool(),
            *([self.payouts(view.chain)] if (view := self.view).chain else []),
            self.proof(),
            self.trust(),
        )
        return (
            f'<!doctype html>\n<html lang="{self.view.language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            # Nothing may be fetched or run, whatever a title or a name holds.
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "img-src data:; style-src 'unsafe-inline'\">\n"
            f"<title>{title} · danseo</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            f"{self.header()}\n<main>\n" + "\n".join(sections) + "\n</main>\n"
            f"<footer><p>{self.say('footer', size=f'{self.view.log.size:,}')}</p></footer>\n"
            "</body>\n</html>\n"
        )

    # --- sections -------------------------------------------------------------------------------

    def header(self) -> str:
        """Return what it is in one sentence, the best picture, and the key figures."""
        view = self.view
        authors = len({clue.author for clue in view.clues})
        lead = self.say("lead", clues=len(view.clues), authors=authors)
        best = self._best()
        text = (
            f'<div><p class="brand">danseo · 단서</p><h1>{escape(view.title)}</h1>'
            f'<p class="lead">{lead}</p><p>{escape(view.description)}</p>'
            f'<p class="quiet">{self.say("source", source=view.source)}</p></div>'
        )
        if best is None:
            return f'<header><div class="hero plain">{text}</div>{self._figures()}</header>'
        caption = self.say("best", number=best.clue, title=best.title, author=best.author)
        picture = (
            f"<figure>{self._picture(best)}"
            f"<figcaption>{caption}{self._legend()}</figcaption></figure>"
        )
        return f'<header><div class="hero">{text}{picture}</div>{self._figures()}</header>'

    def _figures(self) -> str:
        view = self.view
        reached = view.frontier[-1].score if view.frontier else view.baseline
        minted = sum(clue.total for clue in view.clues)
        scored = sum(1 for clue in view.clues if clue.step)
        rows = [
            ("reached", decimal(reached), self.say("goal_is", goal=decimal(view.goal))),
            ("steps", f"{scored}", self.say("of_clues", clues=len(view.clues))),
            ("awarded", percent(minted), self.say("of_reward")),
            ("phase", escape(view.phase), self.say("deadline_is", time=_day(view.deadline))),
        ]
        rows += [
            ("pot", escape(notation.short_money(pot.received, pot.asset)), self._spent(pot))
            for pot in view.pots
        ]
        return (
            '<dl class="figures">'
            + "".join(
                f"<div><dt>{self.say(key)}</dt><dd>{value}<small>{note}</small></dd></div>"
                for key, value, note in rows
            )
            + "</dl>"
        )

    def _spent(self, pot: Pot) -> str:
        key = "paid_and_back" if pot.back else "paid"
        paid, back = (notation.short_money(amount, pot.asset) for amount in (pot.paid, pot.back))
        return self.say(key, paid=paid, back=back)

    def frontier(self) -> str:
        """Return the best score over time."""
        view = self.view
        marks = [
            drawing.Mark(
                point.time,
                point.score / BILLION,
                f"#{point.clue}  {decimal(point.score)}",
                f"#{point.clue} {self._title(point.clue)} · {decimal(point.score)} · "
                f"{instant(point.time)}",
            )
            for point in view.frontier
        ]
        told = ", ".join(f"#{p.clue} {decimal(p.score)} ({_day(p.time)})" for p in view.frontier)
        chart = drawing.frontier(
            marks,
            (view.opened, max(view.deadline, view.opened + 1)),
            view.baseline / BILLION,
            view.goal / BILLION,
            (
                f"{self.words['frontier']}: {told}",
                self.words["baseline"],
                self.words["goal"],
            ),
            _day,
        )
        note = self.say("frontier_note", metric=view.metric, eta=decimal(view.eta, 3))
        curve = " → ".join(f"{decimal(s, 3)}: {percent(u, UNITS)}" for s, u in view.curve)
        return self._section(
            "frontier",
            f'<p class="quiet">{note}</p>{self._wide(chart, "frontier")}'
            f'<p class="quiet">{self.say("curve_note", curve=curve)}</p>',
        )

    def graph(self) -> str:
        """Return who stands on whom."""
        if not self.view.clues:
            return self._section("graph", f"<p>{self.say('no_clues')}</p>")
        vertices = [
            drawing.Vertex(
                clue.clue,
                clue.title or self.words["untitled"],
                f"#{clue.clue} · {percent(clue.total)}"
                if clue.total
                else f"#{clue.clue} · {clue.status}",
                f"#{clue.clue} {clue.title} · {clue.author} · {clue.status} · "
                f"{percent(clue.total)}",
                clue.total / SHARES,
                tuple((cited, weight / UNITS) for cited, weight in clue.cites),
            )
            for clue in self.view.clues
        ]
        told = "; ".join(
            f"#{clue.clue} → " + ", ".join(f"#{c} ({percent(w, UNITS)})" for c, w in clue.cites)
            for clue in self.view.clues
            if clue.cites
        )
        picture = drawing.graph(vertices, f"{self.words['graph']}: {told}")
        return self._section(
            "graph",
            f'<p class="quiet">{self.say("graph_note")}</p>{self._wide(picture, "graph")}',
        )

    def ledger(self) -> str:
        """Return the table of shares."""
        columns = ("cites", "score", "step", "own", "received", "owed", "jury", "total")
        head = "".join(f'<th scope="col" role="columnheader">{self.say(c)}</th>' for c in columns)
        rows = "".join(map(self._row, self.view.clues))
        note = self.say("ledger_note")
        table = (
            f'<table class="ledger" role="table"><caption>{note}</caption>'
            f'<thead role="rowgroup"><tr role="row"><th class="left" scope="col" '
            f'role="columnheader">{self.say("clue")}</th>{head}</tr></thead>'
            f'<tbody role="rowgroup">{rows}</tbody>'
            f'<tfoot role="rowgroup">{self._sums()}</tfoot></table>'
        )
        return self._section("ledger", self._wide(table, "ledger"))

    def _row(self, clue: Clue) -> str:
        cites = "<br>".join(f"#{c} {percent(w, UNITS)}" for c, w in clue.cites)
        score = decimal(clue.score) if clue.score is not None else ""
        step = f"+{decimal(clue.step, 3)}" if clue.step else ""
        widest = max((other.total for other in self.view.clues), default=0)
        bar = ""
        if clue.total > 0:
            bar = f'<span class="bar" style="width:{100 * clue.total // widest}%"></span>'
        money = "".join(f"<small>{escape(_money(m))}</small>" for m in clue.money if m.amount)
        shares = (clue.own, clue.received, -clue.owed, clue.jury)
        cells = [self._cell("cites", cites), self._cell("score", score), self._cell("step", step)]
        cells += [
            self._cell(key, percent(share) if share else "")
            for key, share in zip(("own", "received", "owed", "jury"), shares, strict=True)
        ]
        title = escape(clue.title or self.words["untitled"])
        about = " · ".join(escape(part) for part in (clue.author, clue.form, clue.status) if part)
        return (
            f'<tr role="row"><th class="left" scope="row" role="rowheader"><b>{title}</b>'
            f'<span class="none">#{clue.clue} · {about}</span></th>{"".join(cells)}'
            f'<td class="total" role="cell" data-label="{self.say("total")}">'
            f"<span>{percent(clue.total) if clue.total else '0'}{bar}{money}</span></td></tr>"
        )

    def _cell(self, key: str, content: str) -> str:
        if not content:
            return f'<td class="none empty" role="cell" data-label="{self.say(key)}">·</td>'
        return f'<td role="cell" data-label="{self.say(key)}"><span>{content}</span></td>'

    def _sums(self) -> str:
        clues = self.view.clues
        sums = [sum(getattr(c, k) for c in clues) for k in ("own", "received", "owed", "jury")]
        sums[2] = -sums[2]
        cells = "".join(
            self._cell(key, percent(value) if value else "")
            for key, value in zip(("own", "received", "owed", "jury"), sums, strict=True)
        )
        total = sum(clue.total for clue in clues)
        empty = "".join(self._cell(key, "") for key in ("cites", "score", "step"))
        rest = SHARES - total - self.view.commons
        lines = [
            f'<tr role="row"><th class="left" scope="row" role="rowheader">{self.say("all_clues")}'
            f"</th>{empty}{cells}{self._total(total)}</tr>"
        ]
        blank = '<td class="empty" role="cell"></td>' * 7
        for key, value in (("commons", self.view.commons), ("unreached", rest)):
            lines.append(
                f'<tr role="row"><th class="left" scope="row" role="rowheader">{self.say(key)}'
                f"</th>{blank}{self._total(value)}</tr>"
            )
        return "".join(lines)

    def _total(self, value: int) -> str:
        label = self.say("total")
        return (
            f'<td class="total" role="cell" data-label="{label}"><span>{percent(value)}</span></td>'
        )

    def gallery(self) -> str:
        """Return each clue with its picture beside the truth."""
        shown = "".join(self._card(clue) for clue in self.view.clues if clue.picture)
        bare = "".join(self._card(clue) for clue in self.view.clues if not clue.picture)
        note = f'<p class="quiet">{self.say("gallery_note")}</p>{self._legend()}'
        rest = f'<div class="clues bare">{bare}</div>' if bare else ""
        return self._section("gallery", f'{note}<div class="clues">{shown}</div>{rest}')

    def _card(self, clue: Clue) -> str:
        shown = f"<figure>{self._picture(clue)}</figure>" if clue.picture else ""
        score = ""
        if clue.score is not None:
            score = f' · <span class="score">{decimal(clue.score)}</span>'
        total = f" · {percent(clue.total)}" if clue.total else ""
        cites = ", ".join(f"#{c}" for c, _ in clue.cites)
        stands = f"<p>{self.say('stands_on', clues=cites)}</p>" if cites else ""
        told = (
            f"<p>{escape(clue.description)}</p>" if clue.description not in ("", clue.title) else ""
        )
        reason = f'<p class="quiet">{escape(clue.reason)}</p>' if clue.reason else ""
        return (
            f'<article class="clue" id="clue-{clue.clue}">{shown}'
            f"<h3>{escape(clue.title or self.words['untitled'])}</h3>"
            f'<p class="quiet">#{clue.clue} · {escape(clue.author)} · {escape(clue.status)}'
            f"{score}{total}</p>{told}{stands}{reason}</article>"
        )

    def pool(self) -> str:
        """Return where the money came from and where it went."""
        view = self.view
        pots = [
            (
                p.asset.split(":")[0],
                *(notation.short_money(n, p.asset) for n in (p.received, p.paid, p.left)),
            )
            for p in view.pots
        ]
        gifts = [(g.donor, instant(g.time), _money(g.money)) for g in view.gifts]
        tables = self._list(("asset", "got", "out", "left"), pots)
        if gifts:
            tables += f'<div class="second">{self._list(("donor", "when", "amount"), gifts)}</div>'
        return self._section(
            "pool", f'<p class="quiet">{self.say("pool_note")}</p>{self._wide(tables, "pool")}'
        )

    def payouts(self, chain: ChainFacts) -> str:
        """Return who was paid what in coin, with the transaction of each payment."""
        accounts = [
            (
                one.name,
                _money(one.coin),
                percent(one.part) if one.part else "",
                ", ".join(map(_money, one.paid)),
                ", ".join(map(_money, one.open)),
            )
            for one in chain.accounts
        ]
        paid = [(p.account, _money(p.money), f"{p.block:,}", f"0x{p.tx}") for p in chain.payments]
        roots = [(f"{size:,}", status) for size, status in chain.roots]
        alarms = "".join(f"<p class='alarm'>{escape(alarm)}</p>" for alarm in chain.alarms)
        note = self.say(
            "payouts_note", pool=chain.pool, chain=chain.chain_id, block=f"{chain.block:,}"
        )
        tables = self._list(("account", "coin", "of_coin", "paid_out", "claimable"), accounts)
        if paid:
            tables += (
                f'<div class="second">{self._list(("to", "amount", "block", "tx"), paid)}</div>'
            )
        if roots:
            tables += f'<div class="second">{self._list(("payout_of", "became"), roots)}</div>'
        return self._section(
            "payouts", f'{alarms}<p class="quiet">{note}</p>{self._wide(tables, "payouts")}'
        )

    def _list(self, keys: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
        """Return a plain table whose first column names the row."""
        head = "".join(f'<th scope="col" role="columnheader">{self.say(k)}</th>' for k in keys[1:])
        body = ""
        for row in rows:
            cells = "".join(
                self._cell(k, escape(v)) for k, v in zip(keys[1:], row[1:], strict=True)
            )
            body += (
                f'<tr role="row"><th class="left" scope="row" role="rowheader">{escape(row[0])}'
                f"</th>{cells}</tr>"
            )
        return (
            f'<table class="ledger" role="table"><thead role="rowgroup"><tr role="row">'
            f'<th class="left" scope="col" role="columnheader">{self.say(keys[0])}</th>{head}</tr>'
            f'</thead><tbody role="rowgroup">{body}</tbody></table>'
        )

    def proof(self) -> str:
        """Return how to check all of it."""
        view = self.view
        log = view.log
        commands = "\n".join(f"$ {escape(line)}" for line in view.verify)
        clock = self.say("simulated" if log.simulated else "system")
        facts = (
            ("log", escape(log.origin)),
            ("size", self.say("entries", size=f"{log.size:,}")),
            ("root", f"<code>{escape(log.root)}</code>"),
            ("clock", f"{instant(log.time)} · {clock}"),
            ("challenge", f"<code>{escape(view.challenge)}</code>"),
        )
        listed = "".join(f"<dt>{self.say(key)}</dt><dd>{value}</dd>" for key, value in facts)
        checks = "".join(f"<li>{escape(check)}</li>" for check in view.checks)
        held = f"<p>{self.say('held')}</p><ul class='checks'>{checks}</ul>" if checks else ""
        return self._section(
            "proof",
            f"<p>{self.say('proof_note')}</p><pre>{commands}</pre>{held}"
            f'<dl class="facts">{listed}</dl>',
        )

    def trust(self) -> str:
        """Return what is proven, recomputable and attested."""
        kinds = "".join(
            f"<div><h3>{self.say(key)}</h3><p class='quiet'>{self.say(f'{key}_note')}</p><ul>"
            + "".join(f"<li>{escape(line)}</li>" for line in lines)
            + "</ul></div>"
            for key, lines in (
                ("proven", self.view.proven),
                ("recomputable", self.view.recomputable),
                ("attested", self.view.attested),
            )
            if lines
        )
        return self._section("trust", f'<div class="kinds">{kinds}</div>')

    # --- parts ----------------------------------------------------------------------------------

    def _section(self, key: str, content: str) -> str:
        return (
            f'<section aria-labelledby="{key}"><h2 id="{key}">{self.say(key)}</h2>'
            f"{content}</section>"
        )

    def _wide(self, content: str, key: str) -> str:
        """Return something that may scroll sideways, reachable by keyboard."""
        opening = f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{key}">'
        return f"{opening}{content}</div>"

    def _picture(self, clue: Clue) -> str:
        data = base64.b64encode(clue.picture or b"").decode("ascii")
        told = self.say("picture", number=clue.clue, title=clue.title)
        halves = f"<span>{self.say('prediction')}</span><span>{self.say('truth')}</span>"
        return (
            f'<img alt="{told}" src="data:image/png;base64,{data}">'
            f'<div class="halves quiet" aria-hidden="true">{halves}</div>'
        )

    def _legend(self) -> str:
        if not self.view.colours:
            return ""
        items = "".join(
            f'<li><i style="background:rgb({r},{g},{b})"></i>{self.say(key)}</li>'
            for key, (r, g, b) in zip(("found", "false", "missed"), self.view.colours, strict=True)
        )
        return f'<ul class="legend quiet">{items}</ul>'

    def _best(self) -> Clue | None:
        """Return the clue at the frontier, where it has a picture."""
        last: Sequence[Point] = self.view.frontier[-1:]
        for clue in self.view.clues:
            if last and clue.clue == last[0].clue and clue.picture:
                return clue
        return None

    def _title(self, number: int) -> str:
        return next((clue.title for clue in self.view.clues if clue.clue == number), "")
