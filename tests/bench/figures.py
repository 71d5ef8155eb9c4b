"""What is made of the figures: a table, JSON, a chart, a page."""
import json
import os
import platform
import statistics

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
        """(text, reached or not) for each thing that is wanted."""
        found = []
        for whom, how, factor, other in self.wanted:
            if whom not in self.runs or (other and other not in self.runs):
                continue
            got = self.median(whom)
            if other:
                got /= self.median(other)
            holds = got >= factor if how == "at least" else got <= factor
            what = f"{factor:g} x {other}" if other else \
                f"{factor:g} {self.unit}"
            text = f"{number(got)}{' x ' + other if other else ''} " \
                f"({how} {what})"
            if other and self.values(whom, WHOLE) and \
                    self.values(other, WHOLE):
                text += f"; by CPU time {number(self.by_cpu(whom, other))} x"
            found.append((text, holds))
        return found

    def by_cpu(self, whom, other):
        """The ratio of the rates were both bound by the processors alone,
        which other work on the machine hardly changes."""
        return self.median(other, WHOLE) / self.median(whom, WHOLE)

    def others(self):
        return statistics.median(row.get(OTHERS, 0)
                                 for rows_ in self.runs.values()
                                 for row in rows_)

    def remarks(self):
        if self.others() <= QUIET:
            return []
        return [f"other processes took {self.others():.0f} % of the machine: "
                "rates suffer, most those of few processes"]


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
        for text, holds in result.verdicts():
            lines.append(f"  {'reached' if holds else 'NOT REACHED'}: {text}")
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
            "wanted": [{"text": text, "reached": holds}
                       for text, holds in result.verdicts()],
        } for result in results}}, indent=1) + "\n"


def colour(name):
    return COLOURS.get(name, OURS[name.endswith("-2")])


def chart(results):
    """Bars of medians, one group for each case that compares."""
    parts, top = [], 10
    for result in results:
        if len(result.runs) < 2:
            continue
        parts.append(f'<text x="0" y="{top + 12}" font-weight="bold">'
                     f'{result.title}, {result.unit}</text>')
        top += 20
        most = max(result.median(name) for name in result.runs)
        for name in result.runs:
            value = result.median(name)
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


def page(results, facts):
    """The part of docs/benchmarks.md that is measured."""
    lines = [f"{facts['processor']}, {facts['cores']} cores, Linux "
             f"{facts['kernel']}; load before the run "
             f"{facts['load'][0]:.1f}.\n"]
    for result in results:
        lines.append(f"**{result.title}** ({result.unit})\n")
        lines.append("| | median | min | max | runs | |")
        lines.append("|---|---:|---:|---:|---:|---|")
        lines += ["| " + " | ".join(row) + " |" for row in rows(result)]
        lines.append("")
        lines += [f"{'Reached' if holds else '**Not reached**'}: {text}\n"
                  for text, holds in result.verdicts()]
        lines += [f"{remark[0].upper()}{remark[1:]}.\n"
                  for remark in result.remarks()]
    return "\n".join(lines)
