"""MaskGIT: the codes of an image, all at once, in a few rounds.

Chang et al. 2022, MaskGIT: Masked Generative Image Transformer (arXiv 2202.04200):

    L = -E sum over masked i of log p(z_i | z_not_masked, y),  ceil(gamma(r) N) masked     eq. 1
    gamma(r) = cos(pi r / 2)                                                               3.3
    draw all masked codes, keep those it is surest of, gamma(t / T) N stay masked          3.2

z are the codes of the frozen first stage `stages.codes`, a workdir or a recipe; y is nothing, a
class or a caption. Guided as Ho & Salimans 2022: logits (1 + w) given y - w without. All of it is
multimodal/shared/masked_codes.py, which Phenaki takes, too.
"""

from gm_jax.model import Phase
from gm_jax.multimodal.shared import code_model, masked_codes
from gm_jax.settings import schema


@schema
class Settings(masked_codes.Settings):
    """MaskGIT."""


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns the codes, in one phase; configs/maskgit_mnist.py."""
    begun = masked_codes.begin(settings, spec, stages)
    functions = code_model.functions_of(begun.model, settings, begun.drawn)
    return masked_codes.phase("maskgit", begun, functions, settings, spec, stages)
