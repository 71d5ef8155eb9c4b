"""What is made of the figures: a table, JSON, a chart, a page."""
import json
import os
import platform
import statistics
import time

CHART_WIDTH, BAR, GAP, LABEL = 760, 16, 6, 150
COLOURS = {"postfix": "#b0b0b0", "straight": "#d8d8d8", "bare": "#d8d8d8"}
OURS = ("#2f6f9f", "#5b9bc8")


WHOLE = "all us/message" # CPU time of source, relay and sink
OTHERS = "others %"      # of the machine, while a run was under way
QUIET = 10               # so many disturb nobody


class Result:
    """A case's runs: {contestant: [figures of a run, ...]}, the discarded
    ones left out."""

    def __init__(self, case, runs):
        self.name, self.title, self.unit = case.name, case.title, case.unit
        self.wanted = case.wanted
        self.runs = {name: rows for name, rows in runs.items() if rows}

    def values(self, contestant, figure=None):
        return [row[figure or self.unit] for row in self.runs[contestant]
                if (figure or self.unit) in row]

    def median(self, contestant, figure=None):
        return statistics.median(self.values(contestant, figure))

    def verdicts(self):
        """What is wanted, and what came of it."""
        found = []
        for whom, how, factor, other, *figure in self.wanted:
            if whom not in self.runs or (other and other not in self.runs):
                continue
            got = self.median(whom, *figure)
            if other:
                got /= self.median(other, *figure)
            what = f"{factor:g} x {other}" if other else \
                f"{factor:g} {figure[0] if figure else self.unit}"
            of_what = f"{figure[0]} of " if figure else ""
            verdict = {"text": f"{of_what}{whom}: {number(got)}"
                       f"{' x ' + other if other else ''} ({how} {what})",
                       "reached": holds(how, got, factor)}
            if self.has_rates() and other and not figure and \
                    self.values(whom, WHOLE) and self.values(other, WHOLE):
                verdict["by cpu"] = self.by_cpu(whom, other)
                verdict["reached by cpu"] = holds(how, verdict["by cpu"],
                                                  factor)
            found.append(verdict)
        return found

    def has_rates(self):
        return self.unit.endswith("/s")

    def by_cpu(self, whom, other):
        """The ratio of the rates were both bound by the processors alone,
        which other work on the machine hardly changes."""
        return self.median(other, WHOLE) / self.median(whom, WHOLE)

    def others(self):
        return statistics.median(row.get(OTHERS, 0)
                                 for rows_ in self.runs.values()
                                 for row in rows_)

    def is_shared(self):
        return self.others() > QUIET

    def remarks(self):
        if not self.is_shared():
            return []
        return [f"others took {self.others():.0f} % of the processors"]


def holds(how, got, factor):
    return got >= factor if how == "at least" else got <= factor


def in_words(verdict):
    """(reached or not, what by CPU time)"""
    words = "reached" if verdict["reached"] else "NOT REACHED"
    if "by cpu" not in verdict:
        return words, ""
    by_cpu = f"{number(verdict['by cpu'])} x"
    if verdict["reached by cpu"] != verdict["reached"]:
        by_cpu += ", reached" if verdict["reached by cpu"] else ", not reached"
    return words, by_cpu


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def rows(result):
    """(contestant, median, min, max, runs, more) for each."""
    for name in result.runs:
        values = result.values(name)
        more = ", ".join(
            f"{key} {number(result.median(name, key))}"
            for key in result.runs[name][0]
            if key not in (result.unit, "messages", OTHERS))
        yield (name, number(statistics.median(values)), number(min(values)),
               number(max(values)), str(len(values)), more)


def table(results):
    lines = []
    for result in results:
        lines.append(f"\n{result.name}: {result.title} [{result.unit}]")
        lines.append(f"  {'':12}{'median':>10}{'min':>10}{'max':>10}"
                     f"{'runs':>6}")
        for name, median, least, most, count, more in rows(result):
            lines.append(f"  {name:12}{median:>10}{least:>10}{most:>10}"
                         f"{count:>6}  {more}")
        for verdict in result.verdicts():
            words, by_cpu = in_words(verdict)
            lines.append(f"  {words}: {verdict['text']}" +
                         (f"; by CPU time {by_cpu}" if by_cpu else ""))
        lines += [f"  {remark}" for remark in result.remarks()]
    return "\n".join(lines)


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"processor": model, "cores": os.cpu_count(),
            "kernel": platform.release(), "load": os.getloadavg()}


def as_json(results, facts):
    return json.dumps({
        "machine": facts,
        "cases": {result.name: {
            "title": result.title, "unit": result.unit,
            "runs": result.runs,
            "others": result.others(),
            "medians": {name: result.median(name) for name in result.runs},
            "wanted": result.verdicts(),
        } for result in results}}, indent=1) + "\n"


def colour(name):
    return COLOURS.get(name, OURS[name.endswith("-2")])


def chart(results):
    """Bars of medians, one group for each case that compares: the figure
    itself, or the CPU time of a message where rates would only show what
    others did on the machine."""
    parts, top = [], 10
    for result in results:
        if len(result.runs) < 2:
            continue
        figure, unit = result.unit, result.unit
        if result.is_shared() and result.has_rates() and \
                all(result.values(name, WHOLE) for name in result.runs):
            figure = WHOLE
            unit = "us of CPU time per message in all processes"
        parts.append(f'<text x="0" y="{top + 12}" font-weight="bold">'
                     f'{result.title}: {unit}</text>')
        top += 20
        most = max(result.median(name, figure) for name in result.runs)
        for name in result.runs:
            value = result.median(name, figure)
            width = (CHART_WIDTH - LABEL - 90) * value / (most or 1)
            middle = top + BAR - 4
            parts.append(
                f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">'
                f'{name}</text><rect x="{LABEL}" y="{top}" '
                f'width="{width:.1f}" height="{BAR}" fill="{colour(name)}"/>'
                f'<text x="{LABEL + width + 6:.1f}" y="{middle}">'
                f'{number(value)}</text>')
            top += BAR + 2
        top += GAP * 3
    return (f'<svg xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="0 0 {CHART_WIDTH} {top}" width="{CHART_WIDTH}" '
            f'font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n' +
            "\n".join(parts) + "\n</svg>\n")


def summary(results):
    """What is wanted, and what came of it."""
    lines = ["| figure | measured (wanted) | | by CPU time |",
             "|---|---|---|---|"]
    for result in results:
        for verdict in result.verdicts():
            words, by_cpu = in_words(verdict)
            lines.append(f"| {result.title} ({result.unit}) | "
                         f"{verdict['text']} | {words.lower()} | {by_cpu} |")
    return lines


def page(results, facts):
    """The part of docs/benchmarks.md that is measured."""
    others = statistics.median(result.others() for result in results)
    lines = [f"{facts['processor']}, {facts['cores']} cores, Linux "
             f"{facts['kernel']}; {time.strftime('%d %B %Y', time.gmtime())}."]
    if others > QUIET:
        lines[0] += (f" The machine was shared: others took {others:.0f} % of "
                     "its processors and used its disk, so rates, and what is "
                     "compared by them, say little here; the ratios by CPU "
                     "time are those to look at.")
    lines += ["", *summary(results), ""]
    for result in results:
        lines.append(f"**{result.title}** ({result.unit})\n")
        lines.append("| | median | min | max | runs | |")
        lines.append("|---|---:|---:|---:|---:|---|")
        lines += ["| " + " | ".join(row) + " |" for row in rows(result)]
        lines.append("")
        lines += [f"{remark[0].upper()}{remark[1:]}.\n"
                  for remark in result.remarks()]
    return "\n".join(lines)
