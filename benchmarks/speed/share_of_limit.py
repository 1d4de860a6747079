"""How near the network is to what the machine allows: its work over the measured rates, by the measured time."""

from typing import List, NamedTuple, Optional, Sequence, Tuple

from benchmarks.markdown import header, row
from benchmarks.speed.series import SECONDS, Series, matching, short
from cpunet.model.forms import INT8_FORMS

# Of a limit.json; see benchmarks/speed/limit.py, which needs torch.
RATE, BANDWIDTH = "GMAC/s", "GB/s"
MACS_A_PIXEL, BYTES_A_PIXEL = "MAC a pixel", "bytes a pixel"
# How names of methods that run on a GPU end.
ON_GPU = ", GPU"


class Limit(NamedTuple):
    """What a network needs at least for an image on this machine, seconds."""

    by_work: float
    by_bytes: float

    @property
    def seconds(self) -> float:
        """The longer of the two: a processor computes while it waits for memory."""
        return max(self.by_work, self.by_bytes)


def best_rate(series: Sequence[Series], quantity: str, cores: int, number_type: str, gpu: bool) -> Optional[float]:
    """Return the highest median rate with so many cores, or of the GPU, of any library and size."""
    found = matching(series, part="limit", quantity=quantity, cores=cores, situation=number_type)
    return max((each.median for each in found if each.method.endswith(ON_GPU) == gpu), default=None)


def limit_of(
    series: Sequence[Series], model: str, pixels: int, cores: int, number_type: Optional[str] = None, gpu: bool = False
) -> Optional[Limit]:
    """Return the limit of a model for so many pixels; None if its parts were not measured.

    `number_type` is that of the model's file by default. Numbers of 16 bits move half of the bytes of 32.
    """
    work = matching(series, part="limit", method=model, quantity=MACS_A_PIXEL)
    moved = matching(series, part="limit", method=model, quantity=BYTES_A_PIXEL)
    if not (work and moved):
        return None
    kind = number_type or work[0].situation
    rate = best_rate(series, RATE, cores, kind, gpu)
    bandwidth = best_rate(series, BANDWIDTH, cores, "", gpu)
    if rate is None or bandwidth is None:
        return None
    narrower = 2 if kind in ("bf16", "float16") and work[0].situation == "float32" else 1
    seconds_of_bytes = moved[0].median / narrower * pixels / (bandwidth * 1e9)
    return Limit(work[0].median * pixels / (rate * 1e9), seconds_of_bytes)


def pixels_of(field: str) -> Optional[int]:
    """Return the number of pixels of a field by its name.

    >>> pixels_of("bbbc039 520x696"), pixels_of("drawn 100x20, 10 objects"), pixels_of("")
    (361920, 2000, None)
    """
    for word in field.replace(",", " ").split():
        height, _, width = word.partition("x")
        if height.isdigit() and width.isdigit():
            return int(height) * int(width)
    return None


def limit_table(series: Sequence[Series]) -> str:
    """Compare the network's time, within the module and alone, with its limit; empty if no limit was measured.

    Within the module, its time holds all that it is asked for: the halos of tiles, and the first look that measures the
    objects. So the share there is lower than that of the network alone.
    """
    lines: List[str] = []
    for where, each, model, kind in _networks(series):
        pixels = pixels_of(each.field)
        limit = (
            None if pixels is None else limit_of(series, model, pixels, each.cores, kind, each.method.endswith(ON_GPU))
        )
        if limit is not None:
            cells = [short(limit.by_work), short(limit.by_bytes), short(each.median)]
            name = each.method if kind is None else f"{each.method}, {kind}"
            lines.append(row([where, each.field, each.cores, name, *cells, f"{limit.seconds / each.median:.2f}"]))
    columns = [
        "where",
        "field",
        "cores",
        "network",
        "seconds for its work",
        "for its bytes",
        "measured",
        "share of the limit",
    ]
    return "\n".join([header(columns), *lines]) if lines else ""


def _networks(series: Sequence[Series]) -> List[Tuple[str, Series, str, Optional[str]]]:
    """Return each measured time of a network: where, the series, the model's name and the number type if it differs."""
    found: List[Tuple[str, Series, str, Optional[str]]] = [
        ("in the module", each, each.method, None)
        for each in matching(series, part="stages", quantity="network")
        if each.method not in INT8_FORMS  # this name does not say which form ran; each form's own name does
    ]
    return found + [
        ("alone", each, model, each.situation)
        for each in matching(series, part="networks", quantity=SECONDS)
        for model in model_run(series, each)
    ]


def model_run(series: Sequence[Series], network: Series) -> List[str]:
    """Return the model that a time of the network alone is of: the first one, or the one of its number type.

    Empty if no model's cost was counted.
    """
    models = {each.situation: each.method for each in reversed(matching(series, part="limit", quantity=MACS_A_PIXEL))}
    if not models:
        return []
    return [models.get(network.situation, models.get("float32", next(iter(models.values()))))]
